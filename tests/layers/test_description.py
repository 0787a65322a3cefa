"""Descriptions: any network as plain data, and back."""

import json
import string

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pellucid import layers as nn
from pellucid.errors import FileError, PellucidError
from pellucid.layers.base import registry
from saved_model import small_model


def there_and_back(model):
    return nn.build(json.loads(json.dumps(model.describe())))


def same_values(model, other):
    a, b = model.state_dict(), other.state_dict()
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


# What a description holds


def test_a_description_holds_what_differs_from_the_defaults():
    assert nn.Linear(3, 2).describe() == {"type": "Linear", "in_features": 3, "out_features": 2}
    assert nn.Linear(3, 2, bias=False).describe()["bias"] is False
    assert nn.ReLU().describe() == {"type": "ReLU"}


def test_a_list_of_layers_gives_names_only_where_they_are_not_the_position():
    model = nn.Sequential(nn.ReLU(), act=nn.Tanh())
    assert model.describe() == {
        "type": "Sequential",
        "layers": [{"type": "ReLU"}, {"name": "act", "type": "Tanh"}],
    }


def test_a_layer_shows_itself_as_it_is_written():
    model = nn.Sequential(fc=nn.Linear(4, 2), drop=nn.Dropout(0.2))
    assert repr(model) == (
        "Sequential(\n  fc: Linear(in_features=4, out_features=2)\n  drop: Dropout(p=0.2)\n)"
    )


# Any network comes back

names = st.text(string.ascii_lowercase, min_size=1, max_size=3)
leaves = st.sampled_from(
    [
        lambda: nn.Linear(4, 4),
        lambda: nn.Linear(4, 4, bias=False, initializer="normal:0.5"),
        lambda: nn.PReLU(4),
        lambda: nn.LayerNorm(4),
        lambda: nn.BatchNorm1d(4),
        lambda: nn.Tanh(),
        lambda: nn.Identity(),
    ]
).map(lambda make: make())


@st.composite
def networks(draw, depth=3):
    """Networks on (N, 4) → (N, 4), some of whose layers are used more than once."""
    used = []

    def layer(depth):
        if used and draw(st.integers(0, 4)) == 0:
            return draw(st.sampled_from(used))
        kind = draw(st.integers(0, 3)) if depth else -1
        if kind == 0:
            made = nn.Sequential(
                {draw(names): layer(depth - 1)}, *(layer(depth - 1) for _ in range(draw(sizes)))
            )
        elif kind == 1:
            shortcut = layer(depth - 1) if draw(st.booleans()) else None
            activation = layer(depth - 1) if draw(st.booleans()) else None
            made = nn.Residual(layer(depth - 1), shortcut, activation)
        elif kind == 2:
            wide = nn.Concat(layer(depth - 1), layer(depth - 1))
            made = nn.Sequential(wide, nn.Linear(8, 4))
        elif kind == 3:
            nodes, values = {}, ["x"]
            for i in range(draw(st.integers(1, 3))):
                nodes[f"n{i}"] = (layer(depth - 1), draw(st.sampled_from(values)))
                values.append(f"n{i}")
            reads = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
            made = nn.Graph({**nodes, "sum": (nn.Add(), reads)})
        else:
            made = draw(leaves)
        used.append(made)
        return made

    sizes = st.integers(0, 2)
    try:
        return nn.Sequential(layer(depth), nn.Tanh())
    except PellucidError as error:
        if "two values have the name" not in str(error):
            raise
        reject()  # a residual that is the body of another can lend it a name that it has itself


@settings(max_examples=150, deadline=None)
@given(networks())
def test_any_network_comes_back_from_its_description(model):
    again = there_and_back(model)
    assert again.describe() == model.describe()
    assert repr(again) == repr(model)
    assert same_values(nn.initialize(again, seed=1), nn.initialize(model, seed=1))
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    assert np.array_equal(again(x), model(x))
    assert again.output_shape((3, 4)) == (3, 4)


def test_a_shared_layer_is_shared_again():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(a=shared, b=nn.Residual(shared), c=nn.Concat(shared))
    again = there_and_back(model)
    assert again["a"] is again["b"].body is again["c"].branches["0"]


def test_the_body_of_a_residual_is_told_from_the_residual():
    body = nn.Linear(4, 4)
    block = nn.Residual(body)
    model = nn.Sequential(block=block, body=body, block_again=block)
    again = there_and_back(model)
    assert again["body"] is again["block"].body
    assert again["block_again"] is again["block"]


def test_an_unnamed_layer_is_told_from_what_holds_it():
    inner = nn.Sequential(nn.Linear(4, 4))
    model = nn.Sequential(outer=nn.Sequential({"": inner, "again": inner}))
    again = there_and_back(model)["outer"]
    assert again["again"] is again[""]
    assert again[""] is not again


def test_what_is_told_of_shapes_can_be_left_out():
    model = nn.build(
        [
            {"type": "Linear", "out_features": 8},
            {"type": "BatchNorm1d"},
            {
                "type": "Residual",
                "body": [{"type": "Linear", "out_features": 5}],
                "shortcut": {"type": "Linear", "out_features": 5},
            },
            {
                "type": "Graph",
                "nodes": [
                    {"name": "a", "read": "x", "layer": {"type": "Linear", "out_features": 2}},
                    {"name": "both", "read": ["a", "x"], "layer": {"type": "Cat"}},
                    {"name": "end", "read": "both", "layer": {"type": "Linear", "out_features": 3}},
                ],
            },
        ],
        input_shape=(1, 4),
    )
    assert model.output_shape((6, 4)) == (6, 3)
    assert there_and_back(model).describe() == model.describe()


# What cannot be built is told with its place


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ({"type": "Conv3d"}, r"model \(Conv3d\): unknown layer 'Conv3d'"),
        ({"type": "Liner"}, "did you mean 'Linear'"),
        ("Linear", "a layer must be a table with a type: 'Linear"),
        ({}, "a layer must be a table with a type"),
        ({"type": ["Linear"]}, "a layer must be a table with a type"),
        ({"type": "Linear", "in_features": 3}, "Linear needs out_features"),
        ({"type": "Linear", "in_features": 3, "out_feature": 3}, "did you mean 'out_features'"),
        ({"type": "Linear", "in_features": "3", "out_features": 3}, r"model \(Linear\)"),
        ({"type": "Dropout", "p": 2}, "p must be a number from 0 to 1"),
        ({"type": "Sequential"}, "'layers' is missing"),
        ({"type": "Sequential", "layers": {}}, "list of tables"),
        ({"type": "Sequential", "layers": [1]}, "list of tables|table with a type"),
        ({"type": "Sequential", "layers": [], "body": {}}, "unknown argument of Sequential 'body'"),
        ({"type": "Residual", "body": [], "shortcutt": []}, "did you mean 'shortcut'"),
        (
            [{"name": "a", "type": "ReLU"}, {"name": "a", "type": "ReLU"}],
            "two layers .* have the same name|two layers have the name 'a'",
        ),
        (
            [{"name": "fc", "type": "Sequential", "layers": [{"type": "Linear"}]}],
            r"fc\.0 \(Linear\): Linear needs in_features, out_features",
        ),
        (
            {"type": "Residual", "body": [{"type": "Nothing"}]},
            r"body\.0 \(Nothing\): unknown layer",
        ),
        ([{"type": "Shared", "path": "later"}], r"0 \(Shared\): 'later' is missing"),
        ([{"type": "Shared"}], r"0 \(Shared\): 'path' is missing"),
        ([{"type": "Shared", "path": []}], r"0 \(Shared\)"),
        ({"type": "Graph", "nodes": [{"name": "a", "read": "x"}]}, "'layer' is missing"),
        (
            {
                "type": "Graph",
                "nodes": [{"name": "a", "read": "x", "layer": {"type": "ReLU"}}] * 2,
            },
            "two nodes have the name 'a'",
        ),
        (
            {"type": "Graph", "nodes": [{"name": "a", "read": "y", "layer": {"type": "ReLU"}}]},
            "reads 'y', which does not exist",
        ),
        ({"type": "Combinator"}, "unknown layer"),
        ({"type": "Layer"}, "unknown layer"),
    ],
)
def test_what_cannot_be_built_is_told_with_its_place(description, said):
    with pytest.raises(FileError, match=said):
        nn.build(description)


def test_what_does_not_fit_the_input_is_told_with_its_place():
    layers = [{"type": "Linear", "out_features": 3}, {"type": "Linear", "in_features": 4}]
    layers[1]["out_features"] = 2
    with pytest.raises(FileError, match=r"1 \(Linear\): Linear expects"):
        nn.build(layers, input_shape=(1, 5))


def test_nothing_is_imported_or_run_for_a_description(monkeypatch):
    imported = []
    monkeypatch.setattr("builtins.__import__", lambda *a, **k: imported.append(a))
    for name in ("os", "os.system", "pellucid.cli", "__import__", "builtins.eval"):
        with pytest.raises(FileError, match="unknown layer"):
            nn.build({"type": name})
    assert not imported


def test_every_registered_layer_can_be_made():
    assert not [name for name, layer in registry.items() if layer.__abstractmethods__]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**10), 10**10)
    | st.floats()
    | st.sampled_from(["same", "zeros", "constant:1", "x", "", "Sequential", "Linear"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "layers", "name", "read", "path"]), inner)
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_description_with_anything_anywhere_is_refused_or_builds(data):
    described = json.loads(json.dumps(small_model().describe()))
    places = []

    def visit(value):
        for key in value if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                visit(value[key])

    visit(described)
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(plain)
    try:
        built = nn.build(described)
    except FileError:
        return
    assert isinstance(built, nn.Layer)
