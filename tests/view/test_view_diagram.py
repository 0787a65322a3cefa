"""A diagram shows what a network consists of and what reads what."""

import math
import re

import numpy as np
import pytest

from drawn import assert_readable
from pellucid import layers as nn
from pellucid import models, view
from pellucid.errors import PellucidError, ShapeError
from pellucid.view import layout
from pellucid.view.network import Box, Branches, count, folded, read

IMAGES = {"mlp": (2,), "lenet5": (1, 28, 28), "vgg11_bn": (3, 224, 224)}
IMAGES |= dict.fromkeys(("alexnet", "vgg16_bn", "resnet18", "resnet50"), (3, 224, 224))


def build(name):
    shape = IMAGES.get(name, (3, 32, 32))
    return models.build(name, shape, 10), shape


def parameters(chain):
    """Return the sum of what the boxes of a chain say, each as often as it stands."""
    total = 0
    for part in chain:
        if isinstance(part, Box):
            total += part.times * part.parameters * (not part.shared)
        elif isinstance(part, Branches):
            total += part.times * sum(map(parameters, part.chains))
        else:
            total += part.times * parameters(part.chain)
    return total


def total(model):
    return sum(math.prod(parameter.shape) for parameter in model.parameters())


@pytest.fixture(params=models.names())
def named(request):
    return build(request.param)


def test_every_model_has_a_diagram_whose_words_can_be_read(named):
    drawn = view.diagram(*named)
    assert_readable(drawn)
    width, height = drawn.get_size_inches()
    assert width < 25
    assert height < 25


def test_words_stand_inside_their_boxes(named):
    drawn = view.diagram(*named)
    drawn.draw_without_rendering()
    boxes = [patch.get_window_extent().padded(0.5) for patch in drawn.axes[0].patches]
    for text in drawn.axes[0].texts:
        words = text.get_window_extent()
        around = [box for box in boxes if box.contains(*words.min) and box.contains(*words.max)]
        assert around, text.get_text()


def test_boxes_tell_all_parameters_of_a_model(named):
    model, shape = named
    chain = read(model, (1, *shape))
    assert parameters(chain) == total(model)
    assert parameters(folded(chain)) == total(model)


def test_folding_makes_large_networks_small():
    model, shape = build("resnet56")
    chain = read(model, (1, *shape))
    assert count(chain) == 87
    assert count(folded(chain)) == 21


def test_the_shapes_of_every_model_can_be_read(named):
    assert_readable(view.shapes(*named))


def test_a_box_says_name_layer_shape_and_parameters():
    model = nn.Sequential(
        conv=nn.Conv2d(1, 8, 3, stride=2), bn=nn.BatchNorm2d(8), relu=nn.ReLU(), flat=nn.Flatten()
    )
    said = [text.get_text() for text in view.diagram(model, (1, 9, 9)).axes[0].texts]
    assert said == [
        "input: 1×9×9",
        "conv: Conv2d 3×3, stride 2",
        "BatchNorm2d, ReLU",
        "8×4×4, 96 parameters",
        "flat: Flatten",
        "128",
    ]


def test_a_layer_that_is_used_again_says_so():
    linear = nn.Linear(4, 4)
    said = [t.get_text() for t in view.diagram(nn.Sequential(linear, linear), (4,)).axes[0].texts]
    assert said[-3:] == ["4, 20 parameters", "1: Linear", "4, 20 parameters, shared"]


def drawn_of(model, shape):
    """Return the boxes and lines of a diagram."""
    return layout.in_columns([layout.placed(part) for part in read(model, shape)], 100)


def test_branches_stand_side_by_side_between_where_they_part_and_meet():
    module = nn.Concat(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 8, 3, padding=1))
    left, right, cat = drawn_of(module, (1, 3, 8, 8)).boxes
    assert left.x + left.width < right.x
    assert left.y + left.height < cat.y
    assert right.y + right.height < cat.y
    assert cat.box.joins
    assert cat.box.shape == (12, 8, 8)


def test_a_way_around_passes_beside_the_body_and_not_through_it():
    body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1))
    sketch = drawn_of(nn.Residual(body), (1, 4, 8, 8))
    *boxes, add = sketch.boxes
    right = max(box.x + box.width for box in boxes)
    beside = [y for line in sketch.lines for x, y in line.points if x > right]
    assert min(beside) <= boxes[0].y
    assert max(beside) >= boxes[-1].y + boxes[-1].height
    assert add.y > boxes[-1].y


def crosses(line, box):
    """Return whether a line, which runs upright, at an angle or around corners, cuts a box."""
    for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
        x, y = np.linspace(x0, x1, 50), np.linspace(y0, y1, 50)
        edge = 1e-6
        inside = (x > box.x + edge) & (x < box.x + box.width - edge)
        inside &= (y > box.y + edge) & (y < box.y + box.height - edge)
        if inside.any():
            return True
    return False


def apart(a, b):
    return (
        a.x + a.width <= b.x
        or b.x + b.width <= a.x
        or a.y + a.height <= b.y
        or b.y + b.height <= a.y
    )


GRAPH = nn.Graph(
    {
        "a": (nn.Conv2d(3, 4, 3, padding=1), "x"),
        "b": (nn.Conv2d(4, 4, 3, padding=1), "a"),
        "c": (nn.Tanh(), "b"),
        "d": (nn.Conv2d(4, 4, 5, padding=2), "c"),
        "sum": (nn.Add(), ("a", "d", "b")),
        "all": (nn.Cat(), ("x", "sum", "a")),
        "end": (nn.Flatten(), "all"),
    }
)


@pytest.mark.parametrize("name", ["graph", *models.names()])
def test_no_line_crosses_a_box_and_no_box_lies_over_another(name):
    model, shape = (GRAPH, (3, 8, 8)) if name == "graph" else build(name)
    chain = folded(read(model, (1, *shape)), loosely=True)
    sketch = layout.in_columns([layout.placed(part) for part in chain], 9.0)
    for i, box in enumerate(sketch.boxes):
        assert not any(crosses(line, box) for line in sketch.lines)
        assert all(apart(box, other) for other in sketch.boxes[:i])
        assert box.x >= 0
        assert box.x + box.width <= sketch.width
        assert box.y + box.height <= sketch.height


def test_any_graph_is_drawn_and_its_edges_arrive():
    drawn = view.diagram(GRAPH, (3, 8, 8))
    assert_readable(drawn)
    (branches,) = read(GRAPH, (1, 3, 8, 8))
    labels = [[part.label for part in chain] for chain in branches.chains]
    assert labels == [
        ["Conv2d 3×3"],
        ["Conv2d 3×3"],
        ["Tanh", "Conv2d 5×5"],
        ["Add"],
        ["Cat", "Flatten"],
    ]
    assert branches.reads == ((0,), (1,), (2,), (1, 3, 2), (0, 4, 1))
    assert branches.outputs == (5,)


def test_a_network_with_several_inputs_has_a_diagram_but_no_row_of_shapes():
    graph = nn.Graph({"sum": (nn.Add(), ("a", "b"))}, inputs=("a", "b"))
    drawn = view.diagram(graph, ((3, 4, 4), (3, 4, 4)))
    assert drawn.axes[0].texts[0].get_text() == "input: 3×4×4, 3×4×4"
    with pytest.raises(PellucidError, match="one input and one output"):
        view.shapes(graph, ((3, 4, 4), (3, 4, 4)))


def test_what_is_repeated_says_how_often_and_from_where_to_where():
    said = [text.get_text() for text in view.diagram(*build("resnet56")).axes[0].texts]
    assert "layer1.0 … 8" in said
    assert "9 times" in said
    loosely = [text.get_text() for text in view.diagram(*build("densenet")).axes[0].texts]
    assert "6 times, the last gives 96×32×32" in loosely


def test_small_networks_are_not_folded():
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(5)))
    said = [text.get_text() for text in view.diagram(model, (3,)).axes[0].texts]
    assert not any(re.search("times|…", text) for text in said)


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError):
        view.diagram(build("lenet5")[0], (3, 28, 28))


def sizes_of(model, shape):
    """Return the corners of the fronts of the solids, as (width, height)."""
    fronts = view.shapes(model, shape).axes[0].patches[::3]
    return [np.ptp(front.get_xy(), axis=0) for front in fronts]


def test_solids_grow_with_channels_and_with_the_image():
    model = nn.Sequential(nn.Conv2d(4, 16, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 4))
    given, more, smaller, long, short = sizes_of(model, (4, 8, 8))
    assert given[0] < more[0]
    assert given[1] == more[1]
    assert smaller[0] == more[0]
    assert smaller[1] == pytest.approx(more[1] / math.sqrt(2))
    assert short[1] < long[1]


def test_layers_that_keep_the_shape_are_counted():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    said = [text.get_text() for text in view.shapes(model, (2,)).axes[0].texts]
    assert said == ["2", "input", "3", "Linear", "and 2 more"]


def test_no_line_leads_to_nothing():
    block = nn.Residual(nn.Concat(nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 3, padding=1)))
    sketch = layout.placed(read(nn.initialize(block), (1, 4, 8, 8))[0])
    whole = sketch.without_loose_ends()
    foot = max(box.y + box.height for box in sketch.boxes)
    assert max(y for line in sketch.lines for _, y in line.points) == sketch.height > foot
    assert max(y for line in whole.lines for _, y in line.points) < foot
    starts = {(round(x, 6), round(y, 6)) for (x, y), *_ in (line.points for line in whole.lines)}
    ends = [line.points[-1] for line in whole.lines if not line.arrow]
    assert all((round(x, 6), round(y, 6)) in starts for x, y in ends)
