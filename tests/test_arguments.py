"""Arguments of layers: what each may be is checked when the layer is made, in the user's terms."""

import contextlib
import dataclasses
import re
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from layer_table import ROWS
from pellucid import layers as nn
from pellucid.arguments import Extended, Integer, Positive, Probability, Range, Size, check_fields
from pellucid.errors import PellucidError
from pellucid.types import Padding, Pair

DIGITS = 10**4999
JUNK = (
    *("x", b"x", [], {}, (), None, object(), [None], ((1, 2), 3), {"type": "ReLU"}, [[[[1]]]]),
    *(float("nan"), float("inf"), 1e300, 1.5, 10**400, DIGITS, -DIGITS, 2**31, -(2**31), -1, 0),
    *(True, np.True_, np.array([1.5, 2]), np.array(["a"]), np.float32(0.5), "same", "constant:1"),
)
"""What an argument seldom may be."""


def made(annotation, value):
    """Return what becomes of `value` as an argument with this annotation."""

    @dataclasses.dataclass(frozen=True)
    class Layer:
        argument: annotation
        __post_init__ = check_fields

    return Layer(value).argument


@pytest.mark.parametrize(
    ("annotation", "value", "plain"),
    [
        (int, np.int64(3), 3),
        (Size, np.uint8(200), 200),
        (Integer, np.array(-3), -3),
        (float, np.float32(0.5), 0.5),
        (float, 2, 2.0),
        (Extended, float("inf"), float("inf")),
        (bool, np.True_, True),
        (tuple[int, ...], [np.int8(1), 2], (1, 2)),
        (tuple[float, ...], np.array([0.5, 2.0]), (0.5, 2.0)),
        (Pair, [np.int32(3), 4], (3, 4)),
        (Padding, [[1, 2], [np.int64(3), 4]], ((1, 2), (3, 4))),
        (Padding, "same", "same"),
        (float | None, None, None),
        (Any, 3, 3),
        (dict[str, Any], {"size": [8, 8]}, {"size": [8, 8]}),
    ],
)
def test_whatever_can_be_read_as_one_plain_value_is_taken_as_that(annotation, value, plain):
    taken = made(annotation, value)
    assert taken == plain
    assert type(taken) is type(plain)
    assert repr(taken) == repr(plain)


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, True, "must be an integer, not True"),
        (int, 1.5, "must be an integer, not 1.5"),
        (int, 2**63, "must be an integer of at most 9,223,372,036,854,775,807"),
        (Size, 0, "must be an integer of at least 1, not 0"),
        (Size, 2**31, "must be an integer of at most 2,147,483,647, not 2147483648"),
        pytest.param(
            Size,
            DIGITS,
            "must be an integer of at most 2,147,483,647, not a very long int",
            id="digits",
        ),
        (float, "1", "must be a number, not '1'"),
        (float, False, "must be a number, not False"),
        (float, float("nan"), "must be a finite number, not nan"),
        (float, 10**400, "must be a number below 1e308"),
        (Positive, 0, "must be a number above 0, not 0"),
        (Probability, 1.5, "must be a number from 0 to 1, not 1.5"),
        (Extended, float("nan"), "must be a number, not nan"),
        (bool, 1, "must be True or False, not 1"),
        (str, 1, "must be a string, not 1"),
        (Literal["a", "b"], "c", "must be 'a' or 'b', not 'c'"),
        (Pair, "x", "must be one int or two, not 'x'"),
        (Pair, (1, 2, 3), "must be one int or two"),
        (int | None, "x", "must be an integer or None, not 'x'"),
        (tuple[Annotated[int, Range(-1)], ...], (1, -2), "a tuple, each an integer of at least -1"),
        (tuple[int, int], (1,), "must be a tuple of 2, not (1,)"),
        (int, "x" * 10**6, "must be an integer, not 'xxxxx"),
    ],
)
def test_anything_else_is_told_with_what_was_expected(annotation, value, said):
    with pytest.raises(PellucidError, match=re.escape(said)) as told:
        made(annotation, value)
    assert str(told.value).startswith("Layer: argument must be ")
    assert len(str(told.value)) < 200


def cases():
    for name, row in ROWS.items():
        layer = row.make()
        if dataclasses.is_dataclass(layer):
            for argument in dataclasses.fields(layer):
                if argument.init:
                    yield pytest.param(row, argument.name, id=f"{name}-{argument.name}")


@pytest.mark.parametrize(("row", "argument"), list(cases()))
def test_no_argument_of_a_layer_fails_in_any_other_way(row, argument):
    arguments = {k: v for k, v in row.make().describe().items() if k != "type"}
    for junk in JUNK:
        with contextlib.suppress(PellucidError), np.errstate(all="ignore"):
            layer = type(row.make())(**arguments | {argument: junk})
            several = isinstance(row.shape[0], tuple)
            x = [np.ones(shape) for shape in (row.shape if several else (row.shape,))]
            nn.build(layer.describe())
            layer.output_shape(row.shape)
            layer(tuple(x) if several else x[0])
