"""What the drawings show is what the mathematics gives, and all of it can be read."""

import re
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from PIL import Image
from scipy.signal import convolve2d, correlate2d
from scipy.special import softmax

from pellucid import models
from pellucid.errors import FileError, PellucidError, ShapeError
from pellucid.view import draw, style

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
FRACTIONS = {"½": 0.5, "−½": -0.5}

every_drawing = pytest.mark.parametrize("name", draw.names())


@cache
def made(name):
    return draw.find(name).figure()


@cache
def moving(name):
    return draw.find(name).animation()


def meshes(figure):
    return [c for axes in figure.axes for c in axes.collections if isinstance(c, QuadMesh)]


def matrices(figure, label):
    """Return the numbers of all grids with this label, in the order of drawing."""
    return [mesh.get_array() for mesh in meshes(figure) if mesh.get_label() == label]


def matrix(figure, label):
    (found,) = matrices(figure, label)
    return np.asarray(found)


def texts(figure):
    own = [text for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        if axes.axison:
            own += [axes.title, axes._left_title, *axes.get_xticklabels(), *axes.get_yticklabels()]
    own += figure.texts
    for legend in figure.legends:
        own += legend.get_texts()
    return [text for text in own if text.get_text() and text.get_visible()]


@cache
def extents(figure):
    """Return all that is written, and where it is in pixels: (texts, 4), left, low, right, high."""
    canvas = FigureCanvasAgg(figure)
    if figure.get_layout_engine() is not None:
        canvas.draw()
    renderer = canvas.get_renderer()
    found = texts(figure)
    places = np.array([text.get_window_extent(renderer).extents for text in found])
    return [text.get_text() for text in found], places


def collisions(figure):
    words, places = extents(figure)
    low, high = places[:, None, :2], places[:, None, 2:]
    overlap = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
    pairs = np.argwhere((overlap > 0.5).all(axis=2))
    return [(words[a], words[b]) for a, b in pairs if a < b]


def cut_off(figure):
    words, places = extents(figure)
    size = figure.get_size_inches() * figure.dpi
    outside = (places[:, :2] < 0).any(axis=1) | (places[:, 2:] > size).any(axis=1)
    return [word for word, out in zip(words, outside, strict=True) if out]


@every_drawing
def test_no_text_overlaps_or_is_cut_off(name):
    assert not collisions(made(name))
    assert not cut_off(made(name))


@pytest.mark.parametrize("name", [d.name for d in draw.DRAWINGS if d.animation])
def test_neither_in_an_animation(name):
    figures = moving(name).figures
    for figure in (figures[0], figures[-1]):
        assert not collisions(figure)
        assert not cut_off(figure)
    assert len({tuple(figure.get_size_inches()) for figure in figures}) == 1


def test_overlapping_and_cut_off_text_would_be_found():
    board = draw.board.Board()
    board.text(0, 0, "one on the other")
    board.text(0.5, 0.1, "the other")
    assert collisions(board.figure())
    other = draw.board.Board()
    other.text(0, 0, "this is cut off")
    assert cut_off(other.figure(other.bounds().translated(2, 0)))


@every_drawing
def test_each_number_stands_in_its_cell(name):
    figure = made(name)
    written = {
        (round(x, 3), round(y, 1)): text.get_text()
        for axes in figure.axes
        for text in axes.texts
        for x, y in [text.get_position()]
    }
    seen = 0
    for mesh in meshes(figure):
        corners = mesh.get_coordinates()
        middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        values = mesh.get_array()
        size = {text.get_fontsize() for text in figure.axes[0].texts}
        for at in np.ndindex(values.shape):
            found = [
                written.get((round(middles[at][0], 3), round(middles[at][1] + drop, 1)))
                for drop in {0.365 * s / 72 / draw.cells.INCHES for s in size}
            ]
            text = next((t for t in found if t), None)
            if values.mask is not np.ma.nomask and values.mask[at]:
                continue
            if text is not None:
                value = FRACTIONS.get(text) or float(text.replace("−", "-"))
                assert value == pytest.approx(float(values[at]), abs=0.051, rel=0.01)
                seen += 1
    assert seen or name in ("activations", "groups", "shapes")


def test_every_step_of_a_convolution_multiplies_and_adds():
    figure = made("convolution")
    x, kernel = np.asarray(matrices(figure, "input")[0]), np.asarray(matrices(figure, "kernel")[0])
    y = correlate2d(x, kernel, "valid")
    windows, products = matrices(figure, "window"), matrices(figure, "products")
    outputs = matrices(figure, "output")
    assert [output.count() for output in outputs] == [1, 2, 4, 9]
    for window, product, output in zip(windows, products, outputs, strict=True):
        np.testing.assert_array_equal(product, window * kernel)
        np.testing.assert_array_equal(output.compressed(), y.ravel()[: output.count()])
        assert product.sum() == output.compressed()[-1]


def test_an_animation_fills_the_output():
    figures = moving("convolution").figures
    counts = [matrices(figure, "output")[0].count() for figure in figures]
    assert counts == list(range(1, 10))
    for figure in figures:
        (output,), (product,) = matrices(figure, "output"), matrices(figure, "products")
        assert output.compressed()[-1] == product.sum()


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("padding", lambda x, w, k: correlate2d(x, w, ("valid", "same", "full")[k])),
        ("stride", lambda x, w, k: correlate2d(x, w, "valid")[:: k + 1, :: k + 1]),
        ("dilation", lambda x, w, k: correlate2d(x, spread(w, k + 1), "valid")),
    ],
)
def test_comparisons_agree_with_scipy(name, oracle):
    figure = made(name)
    inputs, outputs = matrices(figure, "input"), matrices(figure, "output")
    assert len(inputs) == len(outputs) == 3
    for k, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        np.testing.assert_array_equal(y, oracle(x, draw.sliding.KERNEL, k))


def spread(kernel, dilation):
    wide = np.zeros([dilation * (n - 1) + 1 for n in kernel.shape])
    wide[::dilation, ::dilation] = kernel
    return wide


def test_padding_is_drawn_where_it_is():
    for mesh in (matrices(made("padding"), "padding"))[1:]:
        ring = ~mesh.mask
        assert ring[[0, -1]].all()
        assert ring[:, [0, -1]].all()
        assert not mesh.compressed().any()


def test_channels_are_added_up():
    figure = made("channels")
    inputs, kernels = matrices(figure, "input"), matrices(figure, "kernel")
    found, outputs = matrices(figure, "found"), matrices(figure, "output")
    biases = [float(b[0, 0]) for b in matrices(figure, "bias")]
    for f, y in enumerate(outputs):
        parts = found[3 * f : 3 * f + 3]
        for c, part in enumerate(parts):
            np.testing.assert_array_equal(part, correlate2d(inputs[c], kernels[3 * f + c], "valid"))
        np.testing.assert_array_equal(y, sum(parts) + biases[f])


def test_groups_leave_out_what_a_filter_does_not_see():
    figure = made("groups")
    assert len(matrices(figure, "kernel")) == 16 + 8 + 4
    inputs, outputs = matrices(figure, "input"), matrices(figure, "output")
    kernels = matrices(figure, "kernel")[-4:]
    for c in range(4):  # depthwise
        np.testing.assert_array_equal(outputs[8 + c], correlate2d(inputs[c], kernels[c], "valid"))


def test_columns_are_the_patches():
    figure = made("im2col")
    x = matrix(figure, "input")
    for n, (patch, column) in enumerate(
        zip(matrices(figure, "patch"), matrices(figure, "column"), strict=True)
    ):
        i, j = divmod(n, 2)
        np.testing.assert_array_equal(patch, x[i : i + 3, j : j + 3])
        np.testing.assert_array_equal(column.ravel(), patch.ravel())


def test_columns_go_back_and_add_up():
    figure = made("col2im")
    dx = matrix(figure, "dx")
    np.testing.assert_array_equal(dx, sum(m.filled(0) for m in matrices(figure, "patch")))
    dy = np.array([[1.0, 2.0], [3.0, -1.0]])
    np.testing.assert_array_equal(dx, convolve2d(dy, draw.columns.KERNEL, "full"))


def test_the_matrix_product_is_the_convolution():
    figure = made("matrix-product")
    x, product = matrix(figure, "input"), matrix(figure, "product")
    np.testing.assert_array_equal(product, matrix(figure, "rows") @ matrix(figure, "columns"))
    for kernel, y in zip(matrices(figure, "kernel"), matrices(figure, "output"), strict=True):
        np.testing.assert_array_equal(y, correlate2d(x, kernel, "valid"))
    np.testing.assert_array_equal(product.reshape(2, 3, 3), matrices(figure, "output"))


def test_the_spectra_multiply_to_the_convolution():
    figure = made("fft")
    x, field, y = (matrix(figure, name) for name in ("input", "kernel", "output"))
    np.testing.assert_allclose(y, correlate2d(x, field[:3, :3], "valid"), atol=1e-9)
    one, other = matrices(figure, "spectrum")
    np.testing.assert_allclose(matrix(figure, "product"), one * other)  # |ab| = |a|·|b|
    np.testing.assert_allclose(matrix(figure, "field")[:4, :4], y, atol=1e-9)
    np.testing.assert_allclose((np.asarray(one) ** 2).sum(), 36 * (x**2).sum())  # Parseval


def test_winograd_gives_the_convolution_with_16_products():
    figure = made("winograd")
    d, w, y = (matrix(figure, name) for name in ("input", "kernel", "output"))
    np.testing.assert_allclose(y, correlate2d(d, w, "valid"))
    product = matrix(figure, "product")
    np.testing.assert_allclose(product, matrix(figure, "U") * matrix(figure, "V"))
    said = " ".join(extents(figure)[0])
    assert f"{product.size} multiplications" in said
    assert f"4 · 9 = {y.size * w.size}" in said


def test_both_gradients_are_convolutions():
    figure = made("rotation")
    x, w, dy = (np.asarray(matrices(figure, name)[0]) for name in ("input", "kernel", "dy"))
    np.testing.assert_array_equal(matrix(figure, "turned"), np.rot90(w, 2))
    np.testing.assert_array_equal(matrix(figure, "dx"), convolve2d(dy, w, "full"))
    np.testing.assert_array_equal(matrix(figure, "dw"), correlate2d(x, dy, "valid"))


def test_the_gradients_are_how_the_loss_changes():
    figure = made("gradient-flow")
    given = {name: matrix(figure, name).copy() for name in ("x", "w", "W")}

    def loss():
        a = correlate2d(given["x"], given["w"], "valid") - 0.5
        p = np.maximum(a, 0).reshape(2, 2, 2, 2).max(axis=(1, 3))
        return -np.log(softmax(given["W"] @ p.ravel())[1])

    assert f"loss {loss():.2f}" in extents(figure)[0]
    for name, values in given.items():
        numeric = np.zeros_like(values)
        for at in np.ndindex(values.shape):
            kept, sides = values[at], []
            for step in (1e-6, -1e-6):
                values[at] = kept + step
                sides.append(loss())
            values[at] = kept
            numeric[at] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(matrix(figure, f"d{name}"), numeric, atol=1e-6)
    stopped = (matrix(figure, "dr") != 0) & (matrix(figure, "da") == 0)
    assert stopped.any()  # by ReLU, where a is negative
    assert (matrix(figure, "a")[stopped] < 0).all()


def test_shapes_are_those_of_the_network():
    said = extents(made("shapes"))[0]
    shape = (1, 28, 28)
    for name, layer in models.build("lenet5", shape, 10).children().items():
        shape = layer.output_shape((1, *shape))[1:]
        assert "×".join(map(str, shape)) in said, name
    with pytest.raises(PellucidError, match="unknown model"):
        draw.shapes("lenet6")


def test_of_equal_maxima_the_first_gets_the_gradient():
    figure = made("max-pool")
    x, dx, dy = (matrix(figure, name) for name in ("input", "dx", "dy"))
    for i, j in np.ndindex(2, 2):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        expected = np.zeros((2, 2))
        expected.ravel()[window.argmax()] = dy[i, j]
        np.testing.assert_array_equal(dx[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], expected)
    ties = [(x[2:, :2] == x[2:, :2].max()).sum(), (x[:2, 2:] == x[:2, 2:].max()).sum()]
    assert min(ties) > 1


def test_an_average_shares_its_gradient():
    figure = made("average-pool")
    x, y, dx, dy = (matrix(figure, name) for name in ("input", "output", "dx", "dy"))
    np.testing.assert_array_equal(y, x.reshape(2, 2, 2, 2).mean(axis=(1, 3)))
    np.testing.assert_array_equal(dx, np.kron(dy, np.full((2, 2), 0.25)))


def test_a_spot_becomes_the_kernel_or_its_mirror_image():
    correlated, convolved = matrices(made("flip"), "output")
    kernel = np.asarray(matrices(made("flip"), "kernel")[0])
    np.testing.assert_array_equal(convolved[1:4, 1:4], kernel)
    np.testing.assert_array_equal(correlated[1:4, 1:4], np.rot90(kernel, 2))


def test_receptive_fields_grow_by_the_rule():
    widths = [mesh.shape[0] for mesh in matrices(made("receptive-field"), "paths")]
    # back from the output, with kernel K and stride S: wide -> (wide - 1)·S + K
    assert widths == [7, 5, 3, 1, 15, 7, 3, 1]


def test_means_are_of_the_numbers_of_one_colour():
    x = np.array(matrices(made("batch-norm"), "x")[:12]).reshape(3, 4, 2, 2)
    said = extents(made("batch-norm"))[0]
    groups = x.reshape(3, 2, 2, 2, 2).mean(axis=(2, 3, 4))
    for means in (x.mean(axis=(0, 2, 3)), x.mean(axis=(1, 2, 3)), groups, x.mean(axis=(2, 3))):
        for mean in means.ravel():
            assert f"{mean:.2f}".rstrip("0").rstrip(".") in said


def test_slopes_are_those_of_the_curves():
    for axes in made("activations").axes:
        value, slope = (line.get_ydata() for line in axes.lines[2:])
        x = axes.lines[2].get_xdata()
        middle = (slope[1:] + slope[:-1]) / 2
        jump = np.abs(np.diff(slope)) > 0.3
        np.testing.assert_allclose((np.diff(value) / np.diff(x))[~jump], middle[~jump], atol=2e-3)
        assert jump.sum() <= 2


def test_the_gradient_is_what_was_said_minus_what_is_true():
    figure = made("softmax-cross-entropy")
    z, p, t, gradient = (
        np.array(matrices(figure, name)).reshape(2, 4) for name in ("z", "p", "t", "gradient")
    )
    np.testing.assert_allclose(p, softmax(z, axis=1))
    np.testing.assert_allclose(gradient, p - t, atol=1e-12)


def test_arrays_of_ones_own_are_drawn():
    x, kernel = np.arange(16).reshape(4, 4) % 5, [[1, -2], [0, 3]]
    figure = draw.convolution(x, kernel, stride=2, padding=1)
    expected = correlate2d(np.pad(x, 1), kernel, "valid")[::2, ::2]
    np.testing.assert_array_equal(matrices(figure, "output")[-1], expected)
    assert not collisions(figure)
    long = draw.convolution([[1234.5, -0.123], [1e-9, 7]], [[-1000.0]])
    assert not collisions(long)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": np.zeros((40, 40))}, "an input of 40×40 is too large to be drawn"),
        ({"kernel": np.zeros((9, 9))}, "a kernel of 9×9 is too large"),
        ({"x": [1, 2, 3]}, r"an input is a matrix such as 5×5, not an array of shape \(3,\)"),
        ({"x": np.zeros((12, 12)), "padding": 4}, "20×20 with its padding is too large"),
        ({"x": [[1.0]]}, "too small for a kernel"),
        (
            {"x": [[1, 2], [3]]},
            r"an input is rows of equally many numbers, not \[\[1, 2\], \[3\]\]",
        ),
        ({"kernel": [[np.nan]]}, "a kernel has numbers that are not finite"),
    ],
)
def test_what_cannot_be_drawn_is_said(given, message):
    with pytest.raises(PellucidError, match=message):
        draw.convolution(**given)


def test_an_animation_that_would_never_end_is_refused():
    with pytest.raises(ShapeError, match="an animation of 100 steps is too long"):
        draw.convolution_animation(np.zeros((12, 12)))


def test_gifs_repeat_and_are_small(tmp_path):
    path = moving("convolution").save(tmp_path / "moving.gif")
    with Image.open(path) as image:
        assert image.n_frames == 9
        assert image.info["loop"] == 0
        assert image.info["duration"] == 1200
    assert "data:image/gif;base64," in moving("convolution")._repr_html_()
    with pytest.raises(FileError, match=r"saved as \.gif"):
        moving("convolution").save(tmp_path / "moving.svg")


def test_a_gif_keeps_the_colours(tmp_path):
    path = moving("stride").save(tmp_path / "stride.gif")
    for k, figure in enumerate(moving("stride").figures):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
        with Image.open(path) as image:
            image.seek(k)
            kept = np.asarray(image.convert("RGB")).astype(int)
        assert (np.abs(kept - drawn).max(axis=2) > 24).mean() < 0.002


def test_the_same_drawing_has_the_same_bytes(tmp_path):
    drawing, own = draw.find("convolution"), {"x": [[1, 2, 0], [0, 3, 1]], "kernel": [[1, -1]]}
    for suffix in (".svg", ".gif"):
        paths = [drawing.save(tmp_path / f"{k}{suffix}", **own) for k in (1, 2)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_settings_of_the_user_are_left_alone_and_do_not_matter():
    before = style.svg(draw.flip())
    with matplotlib.rc_context({"font.size": 30, "font.family": "serif", "axes.facecolor": "red"}):
        inside = dict(matplotlib.rcParams)
        assert style.svg(draw.flip()) == before
        assert dict(matplotlib.rcParams) == inside


def test_unknown_names_and_options_are_said():
    with pytest.raises(PellucidError, match="did you mean 'winograd'"):
        draw.find("vinograd")
    with pytest.raises(PellucidError, match="'flip' has no option stride; it takes none"):
        draw.find("flip").save("flip.svg", stride=2)
    with pytest.raises(PellucidError, match="moving drawing 'stride' has no option padding"):
        draw.find("stride").save("stride.gif", padding=2)
    with pytest.raises(FileError, match="does not move"):
        draw.find("flip").save("flip.gif")
    with pytest.raises(FileError, match=r"saved as \.svg, \.png or \.gif, not as 'a\.jpg'"):
        draw.find("stride").save("a.jpg")


def test_the_pictures_in_the_documentation_are_those_of_the_catalogue():
    expected = {f"{d.name}{suffix}" for d in draw.DRAWINGS for suffix in d.suffixes}
    files = list(PICTURES.iterdir())
    assert {path.name for path in files} == expected
    assert all(path.stat().st_size <= 500_000 for path in files)
    assert sum(path.stat().st_size for path in files) <= 3_000_000


def test_the_page_shows_every_drawing_and_says_what_is_on_it():
    page = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", page)
    assert {Path(file).stem for _, file in shown} == set(draw.names())
    assert all(len(alt) > 20 for alt, _ in shown)
