"""Warn about images that are unlike those that a network was trained on."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli import common, folders

if TYPE_CHECKING:
    from pellucid.evaluation.typical import Typical
    from pellucid.layers import Layer
    from pellucid.types import Array

_LOOKED_AT = 512  # number of images that are checked
_NAMED = 3
_MNIST = (1, 28, 28)


class Doubt:
    """Checks images during prediction, and finally reports which are unlike the training images."""

    def __init__(self, typical: "Typical", model: "Layer", drawn_digit: bool) -> None:
        self._typical, self._model, self._prepared = typical, model, drawn_digit
        self._found: dict[str, list[str]] = {}
        self._looked_at = 0

    @classmethod
    def of(cls, run: Path, model: "Layer", drawn_digit: bool) -> "Doubt | None":
        """Return the check for a run, or None if the run has no statistics of its images."""
        from pellucid.evaluation.typical import Typical

        path = run / folders.TYPICAL
        if not path.is_file():
            return None
        return cls(Typical.from_bytes(path.read_bytes()), model, drawn_digit)

    def look(self, names: list[str], images: "Array") -> None:
        """Check a batch of images."""
        left = _LOOKED_AT - self._looked_at
        part = images[: max(left, 0)]
        self._looked_at += len(part)
        if len(part):
            found = self._typical.remarks(self._model, part)
            self._found |= {n: remarks for n, remarks in zip(names, found, strict=False) if remarks}

    def tell(self) -> None:
        """Print which images are unlike the training images, and advice."""
        if not self._found:
            return
        if len(self._found) <= _NAMED:
            for name, remarks in self._found.items():
                common.note(f"{name} is unlike the training images: {'; '.join(remarks)}")
        else:
            every = (remark for each in self._found.values() for remark in each)
            kinds = Counter(remark.split(" is ")[0].split(" (")[0] for remark in every)
            most = ", ".join(f"{kind} ({count:,})" for kind, count in kinds.most_common(3))
            common.note(
                f"{len(self._found):,} of {self._looked_at:,} images are unlike the training "
                f"images: {most}"
            )
        common.note(f"Their classes may be wrong. {self._advice()}")

    def _advice(self) -> str:
        if not self._prepared and self._model.input_shape == _MNIST:
            return "For photos and scans of drawn digits try --drawn-digit"
        return (
            "Try images in which the object fills as much of the picture, on a similar ground and "
            "in similar light, as in training"
        )
