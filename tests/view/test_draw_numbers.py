"""The numbers in the drawings are those of the mathematics, by SciPy or by hand."""

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d
from scipy.special import softmax

from drawings import extents, made, matrices, matrix, meshes, moving
from pellucid import models
from pellucid.errors import PellucidError
from pellucid.view import draw

FRACTIONS = {"½": 0.5, "−½": -0.5}


@pytest.mark.parametrize("name", draw.names())
def test_each_number_stands_in_its_cell(name):
    figure = made(name)
    written = {
        (round(x, 3), round(y, 1)): text.get_text()
        for axes in figure.axes
        for text in axes.texts
        for x, y in [text.get_position()]
    }
    seen = 0
    for mesh in meshes(figure):
        corners = mesh.get_coordinates()
        middles = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        values = mesh.get_array()
        size = {text.get_fontsize() for text in figure.axes[0].texts}
        for at in np.ndindex(values.shape):
            found = [
                written.get((round(middles[at][0], 3), round(middles[at][1] + drop, 1)))
                for drop in {0.365 * s / 72 / draw.cells.INCHES for s in size}
            ]
            text = next((t for t in found if t), None)
            if values.mask is not np.ma.nomask and values.mask[at]:
                continue
            if text is not None:
                value = FRACTIONS.get(text) or float(text.replace("−", "-"))
                assert value == pytest.approx(float(values[at]), abs=0.051, rel=0.01)
                seen += 1
    assert seen or name in ("activations", "groups", "shapes")


def test_every_step_of_a_convolution_multiplies_and_adds():
    figure = made("convolution")
    x, kernel = np.asarray(matrices(figure, "input")[0]), np.asarray(matrices(figure, "kernel")[0])
    y = correlate2d(x, kernel, "valid")
    windows, products = matrices(figure, "window"), matrices(figure, "products")
    outputs = matrices(figure, "output")
    assert [output.count() for output in outputs] == [1, 2, 4, 9]
    for window, product, output in zip(windows, products, outputs, strict=True):
        np.testing.assert_array_equal(product, window * kernel)
        np.testing.assert_array_equal(output.compressed(), y.ravel()[: output.count()])
        assert product.sum() == output.compressed()[-1]


@pytest.mark.parametrize("name", ["stride", "padding", "dilation"])
def test_the_first_sum_can_be_checked_with_the_kernel_that_is_drawn(name):
    figure = made(name)
    kernels, outputs = matrices(figure, "kernel"), matrices(figure, "output")
    sums = [t.get_text() for axes in figure.axes for t in axes.texts if " = " in t.get_text()]
    sums = [text for text in sums if "frac" not in text]
    assert len(kernels) == len(outputs) == len(sums) == 3
    for kernel, output, text in zip(kernels, outputs, sums, strict=True):
        terms, _, total = text.replace("−", "-").replace("- ", "-").rpartition(" = ")
        assert len(terms.replace("+", " ").split()) == kernel.size
        assert sum(map(float, terms.replace("+", " ").split())) == float(total) == output[0, 0]


def test_an_animation_fills_the_output():
    figures = moving("convolution").figures
    counts = [matrices(figure, "output")[0].count() for figure in figures]
    assert counts == list(range(1, 10))
    for figure in figures:
        (output,), (product,) = matrices(figure, "output"), matrices(figure, "products")
        assert output.compressed()[-1] == product.sum()


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("padding", lambda x, w, k: correlate2d(x, w, ("valid", "same", "full")[k])),
        ("stride", lambda x, w, k: correlate2d(x, w, "valid")[:: k + 1, :: k + 1]),
        ("dilation", lambda x, w, k: correlate2d(x, spread(w, k + 1), "valid")),
    ],
)
def test_comparisons_agree_with_scipy(name, oracle):
    figure = made(name)
    inputs, outputs = matrices(figure, "input"), matrices(figure, "output")
    assert len(inputs) == len(outputs) == 3
    for k, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        np.testing.assert_array_equal(y, oracle(x, draw.sliding.KERNEL, k))


def spread(kernel, dilation):
    wide = np.zeros([dilation * (n - 1) + 1 for n in kernel.shape])
    wide[::dilation, ::dilation] = kernel
    return wide


def test_padding_is_drawn_where_it_is():
    for mesh in (matrices(made("padding"), "padding"))[1:]:
        ring = ~mesh.mask
        assert ring[[0, -1]].all()
        assert ring[:, [0, -1]].all()
        assert not mesh.compressed().any()


def test_channels_are_added_up():
    figure = made("channels")
    inputs, kernels = matrices(figure, "input"), matrices(figure, "kernel")
    found, outputs = matrices(figure, "found"), matrices(figure, "output")
    biases = [float(b[0, 0]) for b in matrices(figure, "bias")]
    for f, y in enumerate(outputs):
        parts = found[3 * f : 3 * f + 3]
        for c, part in enumerate(parts):
            np.testing.assert_array_equal(part, correlate2d(inputs[c], kernels[3 * f + c], "valid"))
        np.testing.assert_array_equal(y, sum(parts) + biases[f])


def test_groups_leave_out_what_a_filter_does_not_see():
    figure = made("groups")
    assert len(matrices(figure, "kernel")) == 16 + 8 + 4
    inputs, outputs = matrices(figure, "input"), matrices(figure, "output")
    kernels = matrices(figure, "kernel")[-4:]
    for c in range(4):  # depthwise
        np.testing.assert_array_equal(outputs[8 + c], correlate2d(inputs[c], kernels[c], "valid"))


def test_columns_are_the_patches():
    figure = made("im2col")
    x = matrix(figure, "input")
    for n, (patch, column) in enumerate(
        zip(matrices(figure, "patch"), matrices(figure, "column"), strict=True)
    ):
        i, j = divmod(n, 2)
        np.testing.assert_array_equal(patch, x[i : i + 3, j : j + 3])
        np.testing.assert_array_equal(column.ravel(), patch.ravel())


def test_columns_go_back_and_add_up():
    figure = made("col2im")
    dx = matrix(figure, "dx")
    np.testing.assert_array_equal(dx, sum(m.filled(0) for m in matrices(figure, "patch")))
    dy = np.array([[1.0, 2.0], [3.0, -1.0]])
    np.testing.assert_array_equal(dx, convolve2d(dy, draw.columns.KERNEL, "full"))


def test_the_matrix_product_is_the_convolution():
    figure = made("matrix-product")
    x, product = matrix(figure, "input"), matrix(figure, "product")
    np.testing.assert_array_equal(product, matrix(figure, "rows") @ matrix(figure, "columns"))
    for kernel, y in zip(matrices(figure, "kernel"), matrices(figure, "output"), strict=True):
        np.testing.assert_array_equal(y, correlate2d(x, kernel, "valid"))
    np.testing.assert_array_equal(product.reshape(2, 3, 3), matrices(figure, "output"))


def test_the_spectra_multiply_to_the_convolution():
    figure = made("fft")
    x, field, y = (matrix(figure, name) for name in ("input", "kernel", "output"))
    np.testing.assert_allclose(y, correlate2d(x, field[:3, :3], "valid"), atol=1e-9)
    one, other = matrices(figure, "spectrum")
    np.testing.assert_allclose(matrix(figure, "product"), one * other)  # |ab| = |a|·|b|
    np.testing.assert_allclose(matrix(figure, "field")[:4, :4], y, atol=1e-9)
    np.testing.assert_allclose((np.asarray(one) ** 2).sum(), 36 * (x**2).sum())  # Parseval


def test_winograd_gives_the_convolution_with_16_products():
    figure = made("winograd")
    d, w, y = (matrix(figure, name) for name in ("input", "kernel", "output"))
    np.testing.assert_allclose(y, correlate2d(d, w, "valid"))
    product = matrix(figure, "product")
    np.testing.assert_allclose(product, matrix(figure, "U") * matrix(figure, "V"))
    said = " ".join(extents(figure)[0])
    assert f"{product.size} multiplications" in said
    assert f"4 · 9 = {y.size * w.size}" in said


def test_both_gradients_are_convolutions():
    figure = made("rotation")
    x, w, dy = (np.asarray(matrices(figure, name)[0]) for name in ("input", "kernel", "dy"))
    np.testing.assert_array_equal(matrix(figure, "turned"), np.rot90(w, 2))
    np.testing.assert_array_equal(matrix(figure, "dx"), convolve2d(dy, w, "full"))
    np.testing.assert_array_equal(matrix(figure, "dw"), correlate2d(x, dy, "valid"))


def test_the_gradients_are_how_the_loss_changes():
    figure = made("gradient-flow")
    given = {name: matrix(figure, name).copy() for name in ("x", "w", "W")}

    def loss():
        a = correlate2d(given["x"], given["w"], "valid") - 0.5
        p = np.maximum(a, 0).reshape(2, 2, 2, 2).max(axis=(1, 3))
        return -np.log(softmax(given["W"] @ p.ravel())[1])

    assert f"loss {loss():.2f}" in extents(figure)[0]
    for name, values in given.items():
        numeric = np.zeros_like(values)
        for at in np.ndindex(values.shape):
            kept, sides = values[at], []
            for step in (1e-6, -1e-6):
                values[at] = kept + step
                sides.append(loss())
            values[at] = kept
            numeric[at] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(matrix(figure, f"d{name}"), numeric, atol=1e-6)
    stopped = (matrix(figure, "dr") != 0) & (matrix(figure, "da") == 0)
    assert stopped.any()  # by ReLU, where a is negative
    assert (matrix(figure, "a")[stopped] < 0).all()


def test_shapes_are_those_of_the_network():
    said = extents(made("shapes"))[0]
    shape = (1, 28, 28)
    for name, layer in models.build("lenet5", shape, 10).children().items():
        shape = layer.output_shape((1, *shape))[1:]
        assert "×".join(map(str, shape)) in said, name
    with pytest.raises(PellucidError, match="unknown model"):
        draw.shapes("lenet6")


def test_of_equal_maxima_the_first_gets_the_gradient():
    figure = made("max-pool")
    x, dx, dy = (matrix(figure, name) for name in ("input", "dx", "dy"))
    for i, j in np.ndindex(2, 2):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        expected = np.zeros((2, 2))
        expected.ravel()[window.argmax()] = dy[i, j]
        np.testing.assert_array_equal(dx[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], expected)
    ties = [(x[2:, :2] == x[2:, :2].max()).sum(), (x[:2, 2:] == x[:2, 2:].max()).sum()]
    assert min(ties) > 1


def test_an_average_shares_its_gradient():
    figure = made("average-pool")
    x, y, dx, dy = (matrix(figure, name) for name in ("input", "output", "dx", "dy"))
    np.testing.assert_array_equal(y, x.reshape(2, 2, 2, 2).mean(axis=(1, 3)))
    np.testing.assert_array_equal(dx, np.kron(dy, np.full((2, 2), 0.25)))


def test_a_spot_becomes_the_kernel_or_its_mirror_image():
    correlated, convolved = matrices(made("flip"), "output")
    kernel = np.asarray(matrices(made("flip"), "kernel")[0])
    np.testing.assert_array_equal(convolved[1:4, 1:4], kernel)
    np.testing.assert_array_equal(correlated[1:4, 1:4], np.rot90(kernel, 2))


def test_receptive_fields_grow_by_the_rule():
    widths = [mesh.shape[0] for mesh in matrices(made("receptive-field"), "paths")]
    # back from the output, with kernel K and stride S: wide -> (wide - 1)·S + K
    assert widths == [7, 5, 3, 1, 15, 7, 3, 1]


def test_means_are_of_the_numbers_of_one_colour():
    x = np.array(matrices(made("batch-norm"), "x")[:12]).reshape(3, 4, 2, 2)
    said = extents(made("batch-norm"))[0]
    groups = x.reshape(3, 2, 2, 2, 2).mean(axis=(2, 3, 4))
    for means in (x.mean(axis=(0, 2, 3)), x.mean(axis=(1, 2, 3)), groups, x.mean(axis=(2, 3))):
        for mean in means.ravel():
            assert f"{mean:.2f}".rstrip("0").rstrip(".") in said


def test_slopes_are_those_of_the_curves():
    for axes in made("activations").axes:
        value, slope = (line.get_ydata() for line in axes.lines[2:])
        x = axes.lines[2].get_xdata()
        middle = (slope[1:] + slope[:-1]) / 2
        jump = np.abs(np.diff(slope)) > 0.3
        np.testing.assert_allclose((np.diff(value) / np.diff(x))[~jump], middle[~jump], atol=2e-3)
        assert jump.sum() <= 2


def test_the_gradient_is_what_was_said_minus_what_is_true():
    figure = made("softmax-cross-entropy")
    z, p, t, gradient = (
        np.array(matrices(figure, name)).reshape(2, 4) for name in ("z", "p", "t", "gradient")
    )
    np.testing.assert_allclose(p, softmax(z, axis=1))
    np.testing.assert_allclose(gradient, p - t, atol=1e-12)
