"""How images lie in memory, and how a step's memory is used again."""

import numpy as np
import pytest

import pellucid as pl
from kernels import numbers
from pellucid import engine
from pellucid import layers as nn
from pellucid.compiled import epilogue, fused, layout
from pellucid.geometry import Window
from pellucid.layers import StepContext
from pellucid.runtime.workspace import Workspace, empty
from small_network import a_step, small_network


def test_images_lie_position_by_position_and_nothing_is_converted_between_layers(monkeypatch):
    model, x = pl.fuse(small_network()), numbers((64, 2, 10, 10))
    with engine.using("compiled"):
        lying = layout.images(layout.memory(x))
        model(lying)  # made once, so that everything is compiled
        copies = []
        kernel = layout._turn
        monkeypatch.setattr(layout, "_turn", lambda *args: (copies.append(args), kernel(*args)))
        np.testing.assert_array_equal(model(lying), model(x))
    assert len(copies) == 1  # x itself, the second time


def test_few_images_lie_channels_last_and_nothing_is_converted_between_layers(monkeypatch):
    convolutions = nn.Conv2d(2, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)
    model = pl.fuse(nn.Sequential(*convolutions, nn.Conv2d(16, 16, 1), nn.GlobalAvgPool2d()))
    x = layout.images(layout.memory(numbers((8, 2, 10, 10))))
    copies = []
    for name in ("_channels_last", "_channels_before_images", "_turn", "copy"):
        kernel = getattr(layout, name)
        monkeypatch.setattr(
            layout, name, lambda *args, kernel=kernel: (copies.append(args), kernel(*args))
        )
    with engine.using("compiled"):
        y, cache = model.forward(x, StepContext())
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous
        assert len(copies) == 1  # x alone, which has two channels
        copies.clear()
        model.backward(y, cache, input_gradient=False)
    assert len(copies) == 1  # x alone again, for the weights' gradient


def test_images_before_a_pooling_are_kept_only_for_a_normalisation():
    z = layout.images(layout.memory(numbers((32, 2, 8, 8))))
    window = Window((8, 8), (2, 2), stride=(2, 2))
    _, cache = fused.epilogue(z, None, None, True, window)
    assert cache.z is None
    assert cache.winning is None
    *_, cache = fused.norm_epilogue(z, None, None, 1e-5, None, True, window)
    assert cache.z is z
    assert cache.winning is not None


@pytest.mark.parametrize("images", [2, 32])
def test_a_convolution_computes_the_relu_after_it_itself(images, monkeypatch):
    model = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
    nn.initialize(model, 0)
    x = numbers((images, 16, 8, 8))
    expected = np.maximum(model["0"](x), 0)
    monkeypatch.setattr(epilogue, "epilogue_kernel", None)  # a pass over memory of its own
    with engine.using("compiled"):
        y, _ = pl.fuse(model).forward(x, StepContext())
    np.testing.assert_allclose(y, expected, atol=1e-4)


def test_a_step_takes_its_memory_from_the_step_before():
    model, x, targets = small_network(), numbers((64, 2, 10, 10)), np.arange(64) % 3
    run, workspace, sizes = pl.fuse(model), Workspace(), []
    with engine.using("compiled"), workspace.used():
        for _ in range(4):
            a_step(model, run, x, targets)
            sizes.append(workspace.nbytes)
    assert sizes[1] == sizes[2] == sizes[3]


def test_memory_is_handed_out_again_only_when_nobody_refers_to_it():
    workspace = Workspace()
    with workspace.used():
        first = empty((100, 100), np.float32)
        view = first[:50].T
        second = empty((100, 100), np.float32)
        assert not np.shares_memory(first, second)
        del first
        assert not np.shares_memory(view, empty((100, 100), np.float32))
        address = view.ctypes.data
        del view
        assert empty((100, 100), np.float32).ctypes.data == address
    assert not np.shares_memory(second, empty((100, 100), np.float32))


def test_large_arrays_do_not_all_use_the_same_lines_of_the_caches():
    """Addresses that differ by a multiple of 4096 bytes share the lines of the first cache."""
    workspace = Workspace()
    with workspace.used():
        arrays = [empty((1 << 14,), np.float32) for _ in range(4)]
    first, *others = [array.ctypes.data for array in arrays]
    assert all((other - first) % 4096 for other in others)


def test_arrays_of_all_sizes_share_memory_that_is_larger_than_caches(monkeypatch):
    monkeypatch.setattr("pellucid.runtime.workspace._CACHES", 0)
    workspace = Workspace()
    with workspace.used():
        first, second = (empty((512, 100), np.float32) for _ in range(2))
        del first, second
        whole = empty((1024, 100), np.float32)  # where both were
        del whole
        parts = [empty((64, 100), np.float32) for _ in range(12)]
        assert 1024 * 100 * 4 <= workspace.nbytes < 1.1 * 1024 * 100 * 4
        addresses = sorted(part.ctypes.data for part in parts)
        size = 64 * 100 * 4
        assert all(size <= apart < 1.1 * size for apart in np.diff(addresses))
        assert not any(address % 64 for address in addresses)


def test_the_halves_of_an_array_lie_in_the_halves_of_the_array_that_was_there_before():
    """Then each thread writes memory that it has used itself, which is several times faster."""
    workspace = Workspace()
    with workspace.used():
        large, other = empty((256, 100), np.float32), empty((300, 100), np.float32)
        middle = large.ctypes.data + large.nbytes // 2
        del large
        small = empty((128, 100), np.float32)
        assert abs(small.ctypes.data + small.nbytes // 2 - middle) <= 64
        del small
        again = empty((256, 100), np.float32)
        assert again.ctypes.data + again.nbytes // 2 == middle
    del other


def test_as_long_as_memory_fits_into_caches_no_half_lies_in_the_other_half_of_another_array():
    workspace = Workspace()
    with workspace.used():
        pair = [empty((100, 100), np.float32) for _ in range(2)]
        end = pair[1].ctypes.data + pair[1].nbytes
        del pair
        assert empty((150, 100), np.float32).ctypes.data > end


def test_memory_between_others_is_used_again(monkeypatch):
    monkeypatch.setattr("pellucid.runtime.workspace._CACHES", 0)
    workspace = Workspace()
    with workspace.used():
        arrays = [empty((100, 100), np.float32) for _ in range(5)]
        arrays[1] = arrays[3] = None
        arrays[2] = None  # joins both sides
        middle = empty((300, 100), np.float32)
        assert arrays[0].ctypes.data < middle.ctypes.data < arrays[4].ctypes.data


def test_what_a_workspace_hands_over_it_does_not_use_again():
    workspace = Workspace()
    with workspace.used():
        first = empty((100, 100), np.float32)
        place, first = workspace.place(first), None
        memory = workspace.hand_over()
        again = empty((100, 100), np.float32)
    assert not np.shares_memory(memory.at(place), again)
    assert memory.at(place).shape == (100, 100)
