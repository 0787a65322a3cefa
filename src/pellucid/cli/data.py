"""``pellucid data``: what is in a data set."""

from pellucid.cli import common


def data(
    name: common.Data,
    size: common.Size = None,
    channels: common.Channels = None,
    label: common.Label = None,
    header: common.Header = None,
    channels_last: common.ChannelsLast = None,
) -> None:
    """Show what is in a data set: images in each class, pixel values, and what looks odd.

    DATA is digits, mnist, fashion-mnist, cifar-10, or a path: a folder with
    one folder of images for each class, a CSV file or an NPZ file.
    Rows and images that cannot be read are named.
    """
    from pellucid.data import describe

    options = common.reading(name, size, channels, label, header, channels_last, skip_bad=False)
    found = describe(name, **options)
    print(found.title, end="\n\n")
    parts = [part for part in found.counts[0] if part != "class"]
    counts = (
        (str(r["class"]), *(common.thousands(r[part]) for part in parts)) for r in found.counts
    )
    common.print_table(["class", *(f">{part}" for part in parts)], counts)
    print("\nPixel values")
    common.print_table(
        ["part", ">channel", ">min", ">max", ">mean", ">std"],
        (
            (
                r["part"],
                str(r["channel"]),
                *(f"{r[key]:.5g}" for key in ("min", "max", "mean", "std")),
            )
            for r in found.pixels
        ),
    )
    print("\nWhat may be odd")
    common.print_table(
        ["", *(f">{r['part']}" for r in found.oddities)],
        (
            (name, *(common.thousands(r[key]) for r in found.oddities))
            for key, name in _ODDITIES.items()
        ),
    )
    for line in found.skipped:
        print(f"\n{line}")


_ODDITIES = {
    "constant": "images of one value alone",
    "duplicates": "copies of an earlier image",
    "contradictory": "images that are there with several classes",
    "in_train": "test images that are training images too",
    "empty_classes": "classes without images",
}
