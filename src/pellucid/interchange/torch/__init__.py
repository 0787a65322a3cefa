"""Convert models to PyTorch (`to_torch`) and from PyTorch (`from_torch`).

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
    """Convert a Pellucid model to a PyTorch module with the same weights.

    Layers become the equivalent layers of ``torch.nn``, or small modules that call PyTorch's
    functions where ``torch.nn`` has none. ``state_dict()`` has the same keys in both. The values
    are copied. The module is in evaluation mode; call ``.train()`` to train it.

    Parameters
    ----------
    model
        The model to convert.

    Returns
    -------
    torch.nn.Module
        The equivalent module, in evaluation mode.

    Raises
    ------
    PellucidError
        Some layers have no equivalent in PyTorch; the message names all of them.
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
    """Convert a PyTorch module to a Pellucid model with the same weights.

    Layers of ``torch.nn`` and ``Sequential`` are converted directly. The `forward` of any other
    module is traced by ``torch.fx`` and becomes a `Graph`, whose layers keep the names that they
    have in the module. Control flow that depends on values (an ``if``) cannot be converted.
    The module is read as it predicts, in evaluation mode: ``F.dropout(x, training=self.training)``
    becomes a `Dropout`, and without this argument it is refused, since it is never off.
    The model takes the same arrays as the module: images (N, H, W, C) if `forward` begins with
    ``x.permute(0, 3, 1, 2)``.

    Parameters
    ----------
    module
        The module to convert; it keeps its mode. A module that is used several times becomes one
        layer. A parameter of several modules (``decoder.weight = encoder.weight``), or that
        `forward` uses several times, becomes several, and a `UserWarning` names them.
    input_shape
        Shape (C, H, W) of one image, in the module's order. Required if the module computes with
        sizes, as in ``x.view(x.size(0), x.size(1) // 2, …)``.

    Returns
    -------
    Layer
        The equivalent model, with copies of the values.

    Raises
    ------
    PellucidError
        Part of the module cannot be converted; the message lists every problem with the path of
        the module where it occurs.
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
