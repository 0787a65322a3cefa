"""The ONNX project's own tests of single operators, as far as there is a layer for them.

Each test is a file with one node, inputs and what should come out. A node is read in two ways: as a
network, where what a network has as weights is written into the file, and as a constant, where all
inputs are, for operators that are computed when the file is read. What does not apply is listed
with its reason, and has to be refused when the file is read: never a wrong result, never a crash.
"""

import re
import warnings
from collections import defaultdict
from itertools import chain

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from pellucid import errors
from pellucid.interchange.onnx import load
from pellucid.interchange.onnx.reader.file import read
from pellucid.interchange.onnx.reader.fold import FOLDS
from pellucid.interchange.onnx.reader.importer import Importer, Plan
from pellucid.interchange.onnx.reader.operators import CONVERTERS

SEVERAL = {
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Sum",
    "Max",
    "Min",
    "Mean",
    "Concat",
    "MatMul",
    "Greater",
    "Less",
    "GreaterOrEqual",
    "LessOrEqual",
    "Equal",
    "Einsum",
}
"""Operators of which all inputs may be computed; of the others the first is, the rest weights."""

NO_NETWORK = (
    (r"test_(add|sub|mul|div|min|max|pow|pow_types|clip_default)_u?int\w*", "whole numbers"),
    (r"test_clip_default_int8_\w+|test_div_int32_trunc|test_pow_types_int\w+", "whole numbers"),
    (r"test_maxpool_2d_uint8", "whole numbers"),
    (r"test_(greater|less|greater_equal|less_equal)_u?int\d+", "whole numbers"),
    (r"test_(equal|and|or|not)\w*|test_where\w*", "whole numbers and truth values"),
    (r"test_einsum_(batch_diagonal|inner_prod)", "a diagonal, or a result without an axis"),
    (r"test_(edge|reflect|wrap)_pad|test_reduce_(min|max)_bool_inputs", "whole numbers"),
    (r"test_cast(like)?_.*(FLOAT8|FLOAT4|U?INT\d).*", "whole numbers, or eight bits and fewer"),
    (r"test_(cast(like)?_FLOAT_to_BFLOAT16|celu_bfloat16)", "rounded to half precision: computed "
     "in single precision here"),
    (r"test_reduce_\w+_empty_set\w*|test_split_zero_size_splits\w+", "arrays without values"),
    (r"test_slice_start_out_of_bounds|test_reshape_allowzero_reordered", "arrays without values"),
    (r"test_(averagepool|maxpool|convtranspose)_(1d|3d)\w*", "one or three directions"),
    (r"test_(batchnorm_\w+_training_mode|training_dropout\w*)", "made for training"),
    (r"test_(dropout_default_mask\w*|maxpool_with_argmax\w+)", "a second output, no number of "
     "which is computed from the image"),
    (r"test_layer_normalization_\w+_axis(0|_negative_4)\w*", "normalises over the batch"),
    (r"test_layer_normalization_(2d_axis_negative_2|3d_axis_negative_3_epsilon)", "over the batch"),
    (r"test_mvn", "normalises over the batch"),
    (r"test_resize_tf_crop_and_resize\w*", "cuts a part out of the image"),
    (r"test_matmul_(1d_3d|4d_1d|1d_1d)", "vectors without a batch"),
    (r"test_pow(_example|_bcast_array|_types_float32_u?int\d\d)?", "an array of exponents"),
)  # fmt: skip
"""What is refused as a network, and why."""

NO_CONSTANT = (
    (r"test_cast(like)?_.*(FLOAT8|FLOAT4|U?INT4|U?INT2).*", "eight bits and fewer"),
    (
        r"test_cast(like)?_FLOAT_to_BFLOAT16|test_celu_bfloat16",
        "rounded to half precision: computed in single here",
    ),
    (r"test_reduce_(min|max)_empty_set\w*", "the extreme of no values"),
    (r"test_(training_dropout\w*|dropout_default_mask\w*)", "made for training, or a mask"),
    (r"test_batchnorm_\w+_training_mode", "made for training"),
    (r"test_equal_string\w*", "texts"),
    (r"test_(averagepool|maxpool|convtranspose)_(1d|3d)\w*", "one or three directions"),
    (r"test_layer_normalization_\w+_axis(0|_negative_4)\w*|test_mvn", "over the first axis"),
    (r"test_layer_normalization_(2d_axis_negative_2|3d_axis_negative_3_epsilon)", "the same"),
    (r"test_maxpool_with_argmax\w+", "indices"),
    (r"test_resize_tf_crop_and_resize\w*", "cuts a part out of the image"),
    (r"test_split_zero_size_splits\w+", "arrays without values"),
    (r"test_einsum_(batch_diagonal|inner_prod)", "a diagonal, or a result without an axis"),
    (r"test_einsum_batch_matmul\w*", "of two constants, a product of many matrices"),
)
"""What is refused as a constant, and why."""

INACCURATE = r"test_(cast(like)?_FLOAT_to_BFLOAT16|celu_bfloat16)"
"""Of these, what is read all the same, as its result is only more exact."""


def cases():
    """Return the tests of one node each, by operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the project's own code, as it makes its data
        found = defaultdict(list)
        for case in load_model_tests(kind="node"):
            node, *others = case.model.graph.node
            if not others and not node.domain and not case.name.endswith("_expanded"):
                found[node.op_type].append(case)
    return found


CASES = cases()


def listed(operators, exceptions):
    """Return (tests that apply, tests that do not), for pytest's parameters."""
    found = [case for op in sorted(operators) for case in CASES[op] if of_arrays(case)]
    names = {case.name: case for case in found}
    excepted = [name for name in names if any(re.fullmatch(e, name) for e, _ in exceptions)]
    return [c for n, c in names.items() if n not in excepted], [names[n] for n in excepted]


def of_arrays(case):
    """Return whether all inputs are arrays, and none a list of them."""
    return all(value.type.HasField("tensor_type") for value in case.model.graph.input)


NETWORKS, OTHER_NETWORKS = listed(CONVERTERS.keys() - {"Shape", "Size"}, NO_NETWORK)
CONSTANTS, OTHER_CONSTANTS = listed(FOLDS.keys() | CONVERTERS.keys(), NO_CONSTANT)


def written(case, path, computed):
    """Write the test's model, with all inputs but the computed ones as constants."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for value, array in zip(list(model.graph.input), case.data_sets[0][0], strict=True):
        if value.name not in computed:
            model.graph.input.remove(value)
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(array if is_tensor(array) else numpy_helper.from_array(array))
            tensor.name = value.name
    path.write_bytes(model.SerializeToString())
    return path


def is_tensor(array):
    return isinstance(array, onnx.TensorProto)


def as_array(value):
    """Return numbers; types that NumPy does not have come as tensors."""
    return numpy_helper.to_array(value).astype(np.float64) if is_tensor(value) else value


def of_network(case, path):
    names = [value.name for value in case.model.graph.input]
    computed = names if case.model.graph.node[0].op_type in SEVERAL else names[:1]
    graph = load(written(case, path, computed), layout="NCHW")
    inputs = [
        as_array(array)
        for name, array in zip(names, case.data_sets[0][0], strict=True)
        if name in computed
    ]
    y = graph(tuple(inputs) if len(inputs) > 1 else inputs[0])
    return y if isinstance(y, tuple) else (y,)


def of_constants(case, path):
    model = read(written(case, path, ()))
    importer = Importer(model.opset, Plan({}, None))
    importer.take(model.graph)
    if importer.problems:
        raise errors.FileError(importer.problems[0])
    return [importer.known[name].array for name in model.graph.outputs]


def compare(found, case):
    for ours, theirs in zip(found, map(as_array, case.data_sets[0][1]), strict=True):
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=case.rtol, atol=max(case.atol, 1e-6))


def name(case):
    return case.name.removeprefix("test_")


@pytest.mark.parametrize("case", NETWORKS, ids=name)
def test_a_network_of_one_node_gives_what_the_format_says(case, tmp_path):
    compare(of_network(case, tmp_path / "model.onnx"), case)


@pytest.mark.parametrize("case", CONSTANTS, ids=name)
def test_a_node_of_constants_gives_what_the_format_says(case, tmp_path):
    compare(of_constants(case, tmp_path / "model.onnx"), case)


@pytest.mark.parametrize("case", OTHER_NETWORKS, ids=name)
def test_a_network_that_does_not_apply_is_refused(case, tmp_path):
    if not re.fullmatch(INACCURATE, case.name):
        with pytest.raises(errors.FileError):
            of_network(case, tmp_path / "model.onnx")


@pytest.mark.parametrize("case", OTHER_CONSTANTS, ids=name)
def test_a_constant_that_does_not_apply_is_refused(case, tmp_path):
    if not re.fullmatch(INACCURATE, case.name):
        with pytest.raises(errors.PellucidError):
            of_constants(case, tmp_path / "model.onnx")


def test_every_exception_is_of_a_test():
    names = {case.name for case in chain(OTHER_NETWORKS, OTHER_CONSTANTS)}
    for pattern, _ in (*NO_NETWORK, *NO_CONSTANT):
        assert any(re.fullmatch(pattern, name) for name in names), pattern
