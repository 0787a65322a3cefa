"""Optimisers follow PyTorch's step by step, with every option."""

import numpy as np
import pytest
import torch

from pellucid import optim
from pellucid.parameter import Parameter

STEPS = 20
CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
    ("AdamW", {"amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.2, "eps": 1e-3, "weight_decay": 0.1}),
]


def starting_values():
    generator = np.random.default_rng(0)
    return {"w": generator.normal(size=(3, 4)), "b": generator.normal(size=4)}


def make_parameters(values, dtype):
    made = []
    for name, value in values.items():
        parameter = Parameter(name, value.shape, "zeros")
        parameter.astype(dtype)
        parameter.value = value
        made.append(parameter)
    return made


def make_tensors(values, dtype):
    kind = getattr(torch, dtype)
    return [torch.nn.Parameter(torch.tensor(value, dtype=kind)) for value in values.values()]


def give_gradients(step, parameters, tensors):
    generator = np.random.default_rng(step + 1)
    for parameter, tensor in zip(parameters, tensors, strict=True):
        gradient = generator.normal(size=parameter.shape) * 10.0 ** generator.integers(-2, 3)
        parameter.zero_grad()
        parameter.add_gradient(gradient.astype(parameter.dtype))
        tensor.grad = torch.tensor(parameter.grad)


def agree(parameters, tensors, dtype, step):
    within = 1e-12 if dtype == "float64" else 3e-5
    for parameter, tensor in zip(parameters, tensors, strict=True):
        np.testing.assert_allclose(
            parameter.value,
            tensor.detach().numpy(),
            rtol=within,
            atol=within,
            err_msg=f"step {step}, {parameter.name}",
        )


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_twenty_steps_are_the_same(name, options, dtype):
    values = starting_values()
    parameters, tensors = make_parameters(values, dtype), make_tensors(values, dtype)
    ours = getattr(optim, name)(parameters, **options)
    theirs = getattr(torch.optim, name)(tensors, **options)
    assert ours.lr == theirs.param_groups[0]["lr"] or name == "SGD"  # ours is 0.01, not 0.001
    for step in range(STEPS):
        give_gradients(step, parameters, tensors)
        ours.lr = theirs.param_groups[0]["lr"] = ours.base_lr * (1 - step / STEPS)
        ours.step()
        theirs.step()
        agree(parameters, tensors, dtype, step)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_clipping_is_that_of_clip_grad_norm(name):
    values = starting_values()
    parameters, tensors = make_parameters(values, "float64"), make_tensors(values, "float64")
    ours = getattr(optim, name)(parameters, lr=0.1, clip_norm=2.0)
    theirs = getattr(torch.optim, name)(tensors, lr=0.1)
    for step in range(STEPS):
        give_gradients(step, parameters, tensors)
        ours.step()
        torch.nn.utils.clip_grad_norm_(tensors, 2.0)
        theirs.step()
        agree(parameters, tensors, "float64", step)


def test_decay_of_weights_alone_is_that_of_two_parameter_groups():
    values = starting_values()
    parameters, tensors = make_parameters(values, "float64"), make_tensors(values, "float64")
    parameters[1].kind = "bias"
    ours = optim.AdamW(parameters, lr=0.1, weight_decay=0.2, decay_kinds=("weight",))
    groups = [{"params": tensors[:1], "weight_decay": 0.2}, {"params": tensors[1:]}]
    theirs = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.0)
    for step in range(STEPS):
        give_gradients(step, parameters, tensors)
        ours.step()
        theirs.step()
        agree(parameters, tensors, "float64", step)


def test_factors_on_the_rate_are_those_of_parameter_groups():
    values = starting_values()
    parameters, tensors = make_parameters(values, "float64"), make_tensors(values, "float64")
    ours = optim.Adam(parameters, lr=0.1, lr_factors={"b": 3.0})
    theirs = torch.optim.Adam([{"params": tensors[:1]}, {"params": tensors[1:], "lr": 0.3}], lr=0.1)
    for step in range(STEPS):
        give_gradients(step, parameters, tensors)
        ours.step()
        theirs.step()
        agree(parameters, tensors, "float64", step)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.6, "nesterov": False}], ids=str)
@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_muon_takes_pytorchs_steps(options, shape, monkeypatch):
    """PyTorch orthogonalises in bfloat16; here both do it in float64."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    values = {"w": np.random.default_rng(0).normal(size=shape)}
    parameters, tensors = make_parameters(values, "float64"), make_tensors(values, "float64")
    ours = optim.Muon(parameters, lr=0.1, weight_decay=0.2, **options)
    theirs = torch.optim.Muon(tensors, lr=0.1, weight_decay=0.2, **options)
    for step in range(STEPS):
        give_gradients(step, parameters, tensors)
        ours.step()
        theirs.step()
        np.testing.assert_allclose(parameters[0].value, tensors[0].detach().numpy(), atol=1e-5)


def test_the_moving_average_is_that_of_an_averaged_model():
    values = starting_values()
    parameters = make_parameters(values, "float64")
    model = torch.nn.ParameterList(make_tensors(values, "float64"))
    theirs = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )
    ours = optim.ExponentialMovingAverage({p.name: p for p in parameters}, decay=0.9)
    for step in range(STEPS):
        for parameter, tensor in zip(parameters, model, strict=True):
            parameter.value = np.random.default_rng(step).normal(size=parameter.shape)
            tensor.data = torch.tensor(parameter.value.copy())
        ours.update()
        theirs.update_parameters(model)
        for average, other in zip(ours.values.values(), theirs.module, strict=True):
            np.testing.assert_allclose(average, other.detach().numpy(), rtol=1e-12)
