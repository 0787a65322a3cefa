"""The numbers that `pellucid.explain.Tracer` shows, with the library and with PyTorch."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from pellucid import explain
from pellucid import layers as nn
from pellucid.explain.trace import Node, Objective, nodes
from random_networks.drawing import Case
from random_networks.node import make
from random_networks.runs import Arrays, Data, Diverges, Way, gradient, model_of
from random_networks.torch_twin import Noise, Twin


def targets(case: Case, data: Data) -> list[int]:
    found = np.random.default_rng(case.seed).integers(0, data.dy.shape[1], case.shape[0])
    return [int(target) for target in found]


def objective(case: Case) -> Objective:
    return "loss" if case.seed % 3 else "score"


def own_nodes(model: nn.Layer) -> list[tuple[int, Node]]:
    """Return the nodes of a trace, numbered from 1, without the sums and joins of combinators."""
    own = {id(layer) for _, layer in model.walk()}
    return [(i, node) for i, node in enumerate(nodes(model), 1) if id(node.layer) in own]


def traced(case: Case, data: Data, dtype: str) -> Arrays:
    """Return all values and gradients of a trace."""
    model = model_of(case, data, dtype)
    tracer = explain.Tracer(model)
    trace = tracer.run(data.x.astype(dtype), targets(case, data), objective(case))
    assert trace.gradients is not None
    found = {"objective": np.array(trace.objective), "gradient of input": trace.gradients[0]}
    for i, node in own_nodes(model):
        found[f"value of {node.name}"] = trace.values[i]
        found[f"gradient of value of {node.name}"] = trace.gradients[i]
    return found | {f"gradient of {n}": v for n, v in trace.parameter_gradients.items()}


def traced_by_torch(
    case: Case, data: Data, dtype: torch.dtype, noise: Noise | None = None
) -> Arrays:
    """Return the same computed by PyTorch."""
    model = make(case.node, case.shape)
    twin = Twin(model, data.state, dtype, noise)
    twin.seen = {}
    x = torch.tensor(data.x, dtype=dtype, requires_grad=True)
    scores, classes = twin(x), torch.tensor(targets(case, data))
    chosen = scores[torch.arange(len(scores)), classes]
    value = F.cross_entropy(scores, classes) if objective(case) == "loss" else chosen.sum()
    if not value.isfinite():
        raise Diverges
    value.backward()
    found = {"objective": value, "gradient of input": gradient(x)}
    uses: Counter[int] = Counter()
    for _, node in own_nodes(model):
        y = twin.seen[id(node.layer)][uses[id(node.layer)]]
        uses[id(node.layer)] += 1
        found |= {f"value of {node.name}": y, f"gradient of value of {node.name}": gradient(y)}
    found |= {f"gradient of {n}": gradient(value) for n, value in twin.parameters().items()}
    return {name: value.detach().numpy() for name, value in found.items()}


def tracing_ways() -> Iterator[Way]:
    """Yield all ways to trace a network."""
    for dtype in ("float64", "float32"):
        yield Way(f"traced in {dtype}", partial(traced, dtype=dtype), dtype, "traced")
