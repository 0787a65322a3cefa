"""PyTorch modules for layers and combinators that ``torch.nn`` does not have.

Each `forward` expresses the Pellucid layer with PyTorch's functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # PyTorch's usual name

from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.geometry import Sides, pair, resolve_padding
from pellucid.layers import Layer


class Joined(torch.nn.Module):
    """Modules by name; the modules and values of the one named "" keep their own names.

    Pellucid's combinators name layers like this. PyTorch cannot, so the contents of that module
    are registered here directly.
    """

    def __init__(self, inside: Mapping[str, torch.nn.Module]) -> None:
        super().__init__()
        self.inside = dict(inside)  # a plain dictionary, which registers nothing
        lent = inside.get("")
        if lent is not None:
            self._parameters, self._buffers = lent._parameters, lent._buffers
            register(self, lent._modules)
        register(self, {name: module for name, module in inside.items() if name})

    def train(self, mode: bool = True) -> Joined:
        super().train(mode)
        if "" in self.inside:
            self.inside[""].train(mode)
        return self


class Chain(Joined):
    """Run modules one after the other, like ``Sequential``, of which one may be named ""."""

    def forward(self, x: Any) -> Any:
        for module in self.inside.values():
            x = module(x)
        return x


class Residual(Joined):
    """Compute ``activation(body(x) + downsample(x))``."""

    def forward(self, x: Tensor) -> Any:
        around = self.inside["downsample"](x) if "downsample" in self.inside else x
        y = self.inside[""](x) + around
        return self.inside["activation"](y) if "activation" in self.inside else y


class Concat(Joined):
    """Concatenate the outputs of all modules for the same input along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([module(x) for module in self.inside.values()], dim=1)


class LayerGraph(Joined):
    """Run modules as a graph.

    Parameters
    ----------
    nodes
        ``{name: (module, names of its inputs)}``, in the order in which the modules run.
    inputs, outputs
        Names of the graph's inputs and outputs.
    single_output
        Whether to return the only output itself rather than a tuple.
    """

    def __init__(
        self,
        nodes: Mapping[str, tuple[torch.nn.Module, Sequence[str]]],
        inputs: Sequence[str],
        outputs: Sequence[str],
        single_output: bool,
    ) -> None:
        super().__init__({name: module for name, (module, _) in nodes.items()})
        self.reads = {name: tuple(read) for name, (_, read) in nodes.items()}
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.single_output = single_output

    def forward(self, *x: Any) -> Any:
        values = dict(zip(self.inputs, _several(x), strict=True))
        for name, read in self.reads.items():
            given = tuple(values[source] for source in read)
            values[name] = self.inside[name](given if len(given) > 1 else given[0])
        found = tuple(values[name] for name in self.outputs)
        return found[0] if self.single_output else found


class Function(torch.nn.Module):
    """A layer that ``torch.nn`` does not have.

    Parameters
    ----------
    layer
        The Pellucid layer, of which only the arguments are used.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = nn.build(layer.describe())
        for name, item in layer.named_state():
            self.register_parameter(name, torch.nn.Parameter(torch.empty(item.shape)))

    def forward(self, *x: Any) -> Any:
        return FUNCTIONS[type(self.layer)](self, self.layer, *_several(x))

    def extra_repr(self) -> str:
        return repr(self.layer)


def register(parent: torch.nn.Module, modules: Mapping[str, torch.nn.Module | None]) -> None:
    """Register modules by name, and refuse names that PyTorch cannot use."""
    for name, module in modules.items():
        try:
            parent.add_module(name, module)
        except KeyError as error:
            raise PellucidError(
                f"a PyTorch module cannot be named '{name}', because modules have that attribute; "
                "rename the layer"
            ) from error


def _several(x: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the inputs, whether given one by one or as one tuple."""
    return tuple(x[0]) if len(x) == 1 and isinstance(x[0], tuple | list) else x


# The functions of these layers: f(module, layer, *inputs), where `module` holds the values.


def _conv2d(module: Any, layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Pad first, because PyTorch's layers pad both sides equally."""
    kernel, stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation")
    sides = resolve_padding(layer.padding, _size(x), kernel, stride, dilation)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    weight = module.weight.flip(2, 3) if layer.flip_kernel else module.weight
    x = F.pad(x, around(sides), mode)
    return F.conv2d(x, weight, getattr(module, "bias", None), stride, 0, dilation, layer.groups)


def _conv_transpose2d(module: Any, layer: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """Crop afterwards, because PyTorch's layers crop both sides equally."""
    kernel, stride = pair(layer.kernel_size, "kernel_size"), pair(layer.stride, "stride")
    dilation = pair(layer.dilation, "dilation")
    extra = pair(layer.output_padding, "output_padding", minimum=0)
    weight = module.weight.flip(2, 3) if layer.flip_kernel else module.weight
    bias = getattr(module, "bias", None)
    y = F.conv_transpose2d(x, weight, bias, stride, 0, extra, layer.groups, dilation)
    sides = resolve_padding(layer.padding, _size(x), kernel, stride, dilation)
    return F.pad(y, [-side for side in around(sides)])


def _max_pool2d(module: Any, layer: nn.MaxPool2d, x: Tensor) -> Tensor:
    window = layer.window(tuple(x.shape))
    padded = F.pad(x, around(window.padding, window.extra), value=-torch.inf)
    return F.max_pool2d(padded, window.kernel, window.stride, 0, window.dilation)


def _avg_pool2d(module: Any, layer: nn.AvgPool2d, x: Tensor) -> Tensor:
    """Divide the sum over each window by the number of values that count."""
    window = layer.window(tuple(x.shape))
    pad_counts = float(layer.count_include_pad)
    counts = F.pad(torch.ones_like(x[:1, :1]), around(window.padding), value=pad_counts)

    def sums(values: Tensor) -> Tensor:
        ones = values.new_ones(values.shape[1], 1, *window.kernel)
        return F.conv2d(values, ones, None, window.stride, 0, window.dilation, values.shape[1])

    padded = F.pad(x, around(window.padding, window.extra))
    return sums(padded) / sums(F.pad(counts, around(((0, 0), (0, 0)), window.extra)))


def around(sides: Sides, extra: tuple[int, int] = (0, 0)) -> list[int]:
    """Convert ((top, bottom), (left, right)) to PyTorch's order, last axis first."""
    (top, bottom), (left, right) = sides
    return [left, right + extra[1], top, bottom + extra[0]]


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]


def _hard_sigmoid(module: Any, layer: nn.HardSigmoid, x: Tensor) -> Tensor:
    return (x * layer.alpha + layer.beta).clamp(0, 1)


def _reshape(module: Any, layer: nn.Reshape, x: Tensor) -> Tensor:
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(layer.shape)])


def _resize(module: Any, layer: nn.Resize, x: Tensor) -> Tensor:
    V, U = (torch.as_tensor(matrix).to(x) for matrix in layer.matrices(tuple(x.shape)))
    return V @ x @ U.T


def _slice(module: Any, layer: nn.Slice, x: Tensor) -> Tensor:
    """Select by index, because PyTorch has no negative steps."""
    numbers = range(x.shape[layer.axis])[layer.start : layer.stop : layer.step]
    return x.index_select(layer.axis, torch.tensor(numbers, device=x.device))


def _take(module: Any, layer: nn.Take, x: Tensor) -> Tensor:
    size = x.shape[layer.axis]
    numbers = [index % size for index in layer.indices]
    return x.index_select(layer.axis, torch.tensor(numbers, device=x.device))


def _pad(module: Any, layer: nn.Pad, x: Tensor) -> Tensor:
    sides = [side for pair in reversed(layer.padding) for side in pair]
    return F.pad(x, sides, value=layer.value)


FUNCTIONS: Mapping[type[Layer], Callable[..., Any]] = {
    nn.Conv2d: _conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.MaxPool2d: _max_pool2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.Affine: lambda module, layer, x: x * layer.scale + layer.shift,
    nn.Power: lambda module, layer, x: x**layer.exponent,
    nn.Exp: lambda module, layer, x: x.exp(),
    nn.Log: lambda module, layer, x: x.log(),
    nn.Heaviside: lambda module, layer, x: (x > 0).to(x),
    nn.Where: lambda module, layer, c, a, b: torch.where(c > 0, a, b),
    nn.ArgMax: lambda module, layer, x: x.argmax(layer.axis, layer.keepdims).to(x),
    nn.Erf: lambda module, layer, x: x.erf(),
    nn.Abs: lambda module, layer, x: x.abs(),
    nn.HardSigmoid: _hard_sigmoid,
    nn.Scale: lambda module, layer, x: x * module.weight,
    nn.Shift: lambda module, layer, x: x + module.bias,
    nn.Reshape: _reshape,
    nn.Permute: lambda module, layer, x: x.permute(layer.dims),
    nn.Resize: _resize,
    nn.Slice: _slice,
    nn.Take: _take,
    nn.Expand: lambda module, layer, x: x.expand(layer.shape),
    nn.Pad: _pad,
    nn.ReduceSum: lambda module, layer, x: x.sum(layer.axes, layer.keepdims),
    nn.ReduceMean: lambda module, layer, x: x.mean(layer.axes, layer.keepdims),
    nn.ReduceMax: lambda module, layer, x: x.amax(layer.axes, layer.keepdims),
    nn.Add: lambda module, layer, *x: sum(x[1:], start=x[0]),
    nn.BroadcastAdd: lambda module, layer, a, b: a + b,
    nn.Subtract: lambda module, layer, a, b: a - b,
    nn.Multiply: lambda module, layer, a, b: a * b,
    nn.Divide: lambda module, layer, a, b: a / b,
    nn.Maximum: lambda module, layer, a, b: torch.maximum(a, b),
    nn.Minimum: lambda module, layer, a, b: torch.minimum(a, b),
    nn.MatMul: lambda module, layer, a, b: a @ b,
    nn.Cat: lambda module, layer, *x: torch.cat(x, layer.axis),
}
