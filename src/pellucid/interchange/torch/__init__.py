"""The same network in PyTorch: `to_torch` builds it, `from_torch` reads one.

Needs ``pip install "pellucid[torch]"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.errors import missing_extra
from pellucid.layers import Layer
from pellucid.types import Shape

if TYPE_CHECKING:
    import torch

__all__ = [
    "from_torch",
    "to_torch",
]


def __dir__() -> list[str]:
    return __all__


def to_torch(model: Layer) -> torch.nn.Module:
    """Return the equal network in PyTorch, with the same values under the same names.

    It is made of ``torch.nn``'s layers; what these do not have is a small module whose `forward`
    says it with PyTorch's functions. ``state_dict()`` of the two has the same keys. The module has
    copies of the values and is in evaluation mode, as ``model(x)`` is inference: call ``.train()``
    to train it.

    Raises
    ------
    PellucidError
        A layer has no form in PyTorch: all of them are named.
    MissingExtraError
        PyTorch is not installed.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> to_torch(nn.Sequential(conv1=nn.Conv2d(1, 8, 3), relu1=nn.ReLU()))
    Sequential(
      (conv1): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
      (relu1): ReLU()
    )
    """
    _check("to_torch")
    from pellucid.interchange.torch.write import written

    return written(model)


def from_torch(module: torch.nn.Module, input_shape: Shape | None = None) -> Layer:
    """Return the equal network of ours, with the module's values.

    Layers of ``torch.nn`` and ``Sequential`` are read directly. Any other module is traced by
    ``torch.fx``, which writes down what its `forward` does, and becomes a `Graph` of layers with
    the names that they have in the module. So what depends on an image's values (an ``if``) cannot
    be read. ``F.dropout`` becomes a `Dropout`, whatever its argument `training` was.

    Parameters
    ----------
    module
        Any module; its mode, training or evaluation, is that in which it is traced.
    input_shape
        (C, H, W) of one image. Needed where the module asks for sizes, such as
        ``x.view(x.size(0), x.size(1) // 2, …)``.

    Raises
    ------
    PellucidError
        Something cannot be read: all of it is named, each with the path of its module.
    MissingExtraError
        PyTorch is not installed.

    Examples
    --------
    >>> from torch import nn
    >>> from_torch(nn.Sequential(nn.Conv2d(1, 8, 3, padding="same"), nn.ReLU()))
    Sequential(
      0: Conv2d(in_channels=1, out_channels=8, kernel_size=3, padding='same')
      1: ReLU()
    )
    """
    _check("from_torch")
    from pellucid.interchange.torch.read import read

    return read(module, input_shape)


def _check(purpose: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_extra(purpose, "PyTorch", "torch") from error
    return torch
