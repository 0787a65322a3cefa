"""A run recognises its data: every value counts, however large the set."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_run
from pellucid.errors import FileError
from pellucid.training import fingerprint as module
from pellucid.training import records, resume, save_checkpoint
from pellucid.training.fingerprint import fingerprint
from pellucid.types import Array

IMAGES = np.random.default_rng(0).integers(0, 256, (1000, 1, 5, 5), np.uint8)
LABELS = np.arange(1000) % 7


@pytest.mark.parametrize("image", [1, 500, 501, 502, 503, 999])
def test_a_single_pixel_of_any_image_counts(image: int) -> None:
    before = fingerprint((IMAGES, LABELS), None)
    changed = IMAGES.copy()
    changed[image, 0, 4, 4] ^= 1
    assert fingerprint((changed, LABELS), None) != before
    assert fingerprint((IMAGES.copy(), LABELS.copy()), None) == before


def test_what_is_hashed_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fingerprint((IMAGES, LABELS), None)
    monkeypatch.setattr(module, "_BLOCK", 77)
    assert fingerprint((IMAGES, LABELS), None) == whole


@pytest.mark.parametrize("turned", [IMAGES[::-1][::-1], np.asfortranarray(IMAGES)])
def test_how_an_array_lies_in_memory_does_not_matter(turned: Array) -> None:
    assert fingerprint((turned, LABELS), None) == fingerprint((IMAGES, LABELS), None)


def test_shape_and_type_count() -> None:
    found = [
        fingerprint((x, LABELS), None)
        for x in (IMAGES, IMAGES.reshape(1000, 25), IMAGES.view(np.int8))
    ]
    assert found[0] != found[1] != found[2] != found[0]


def test_targets_weights_and_the_validation_data_count() -> None:
    weights = np.linspace(1, 2, 1000)
    other, heavier = LABELS.copy(), weights.copy()
    other[999], heavier[999] = 0, 3
    data: list[Any] = [(IMAGES, LABELS), (IMAGES, other)]
    data += [(IMAGES, LABELS, weights), (IMAGES, LABELS, heavier)]
    found = [fingerprint(one, validation) for one in data for validation in (None, data[0])]
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


def test_of_batches_only_their_number_is_known() -> None:
    class Batches:
        def batches(self, epoch: int, seed: int) -> Any:
            raise AssertionError

        def __len__(self) -> int:
            return 17

    assert fingerprint(Batches(), None) == {"training": {"batches": 17}, "validation": None}


def test_a_run_of_an_earlier_version_is_still_resumed(tmp_path: Path) -> None:
    """Earlier versions hashed some of the inputs, under another name."""
    state = small_run.new_state()
    next(iter(records(state, small_run.DATA, small_run.VALIDATION)))
    earlier: dict[str, Any] = copy.deepcopy(state.data) or {}
    for part in earlier.values():
        del part["all_inputs"]
        part["inputs"] = "a hash of some"
    state.data = earlier
    save_checkpoint(state, tmp_path)
    given = (tmp_path, small_run.DATA, small_run.VALIDATION)
    assert resume(*given, augment=small_run.AUGMENT).step == 1
    other = small_run.DATA.subset(np.arange(len(small_run.DATA))[::-1])
    with pytest.raises(FileError, match="other training data"):
        resume(tmp_path, other, small_run.VALIDATION, augment=small_run.AUGMENT)
