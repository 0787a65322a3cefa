"""Optimisers against their definitions; step by step against PyTorch in `peers`."""

from inspect import signature

import numpy as np
import pytest

from pellucid import engine, optim
from pellucid.errors import FileError, PellucidError
from pellucid.parameter import Buffer, Parameter

OPTIONS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adagrad", {"lr_decay": 0.1, "clip_norm": 1.0}),
    ("Muon", {}),
    ("Muon", {"unit_filters": True, "adam_for": ("w",), "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "lr_factors": (("bias", 4.0), ("w*", 0.5))}),
    ("Adam", {"lookahead": 3, "lookahead_rate": 0.25}),
]
each = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)


def parameter(value, name="w", kind="weight", dtype="float64"):
    made = Parameter(name, np.shape(value), "zeros", kind=kind)
    made.astype(dtype)
    made.value = np.asarray(value)
    return made


def two():
    return [parameter(np.arange(6.0).reshape(2, 3) - 2), parameter([1.0, -1.0], "b", "bias")]


def make(name, options, parameters):
    return optim.build({"type": name} | options, parameters)


def take_steps(optimizer, count, first=0):
    """Steps whose gradients follow from their number."""
    for number in range(first, first + count):
        optimizer.zero_grad()
        for parameter in optimizer.parameters:
            drawn = np.random.default_rng(number).normal(size=parameter.shape)
            parameter.add_gradient(drawn.astype(parameter.dtype))
        optimizer.step()


def slope(optimizer, *, steps):
    """Steps down the parabola w²/2, whose gradient is w."""
    for _ in range(steps):
        optimizer.zero_grad()
        for parameter in optimizer.parameters:
            parameter.add_gradient(parameter.value.copy())
        optimizer.step()


@each
def test_a_step_goes_down(name, options):
    parameters = two()
    before = sum((p.value**2).sum() for p in parameters)
    slope(make(name, {"lr": 0.01} | options, parameters), steps=20)
    assert sum((p.value**2).sum() for p in parameters) < before


def test_sgd_subtracts_the_gradient_times_the_rate():
    w = parameter([1.0, 2.0])
    w.add_gradient(np.array([10.0, -10.0]))
    optim.SGD([w], lr=0.1).step()
    np.testing.assert_allclose(w.value, [0, 3])


def test_momentum_adds_up_to_a_step_ten_times_as_long():
    w = parameter([0.0])
    w.add_gradient(np.ones(1))
    optimizer = optim.SGD([w], lr=1.0, momentum=0.9)
    for _ in range(300):
        before = w.value.copy()
        optimizer.step()
    np.testing.assert_allclose(before - w.value, 10)


def test_adam_corrects_its_bias_so_that_the_first_step_is_as_long_as_the_rate():
    w = parameter([0.0, 0.0, 0.0])
    w.add_gradient(np.array([1e-3, -1.0, 1e3]))
    optim.Adam([w], lr=0.01).step()
    np.testing.assert_allclose(w.value, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_adam_keeps_its_state_from_batch_to_batch():
    w, m, s = parameter([0.5]), 0.0, 0.0
    expected, optimizer = 0.5, optim.Adam([w], lr=0.1)
    for t, g in enumerate([1.0, -3.0, 2.0, 0.5], start=1):
        w.zero_grad()
        w.add_gradient(np.array([g]))
        optimizer.step()
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
        expected -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
        assert w.value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", engine.NAMES)
def test_a_variance_that_rounding_made_negative_counts_as_zero(name):
    """Centred RMSprop divides by √(s − m²) + ε, and here s < m² from the beginning."""
    w = parameter([1.0, 1.0], dtype="float32")
    optimizer = optim.RMSprop([w], lr=0.1, alpha=1 - 1e-7, eps=0.5, centered=True)
    state = optimizer.state_dict()
    for key in state:
        if key.endswith("_avg"):
            state[key] = np.full(2, 0.9 if "square" in key else 1.0, np.float32)
    optimizer.load_state_dict(state)
    w.add_gradient(np.ones(2, np.float32))
    with engine.using(name):
        optimizer.step()
    np.testing.assert_allclose(w.value, 1 - 0.1 / 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", engine.NAMES)
@pytest.mark.parametrize("size", [1, 100, 40_000])
def test_numbers_are_finite_even_where_their_sum_is_not(name, size):
    with engine.using(name):
        are_finite = engine.current().are_finite
        large = np.full(size, 3e38, np.float32)
        assert are_finite([large, np.full(size, 1.7e308)])
        for strange in (np.inf, -np.inf, np.nan):
            large[-1] = strange
            assert not are_finite([np.zeros(3, np.float32), large])


def test_adamw_decays_by_the_rate_times_the_decay_whatever_the_gradient():
    calm, steep = parameter([1.0]), parameter([1.0], "steep")
    steep.add_gradient(np.array([1e6]))
    optim.AdamW([calm, steep], lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose([calm.value.item(), steep.value.item()], [0.95, 0.95 - 0.1])


@each
def test_without_a_gradient_and_decay_nothing_moves(name, options):
    parameters = two()
    make(name, options | {"weight_decay": 0.0}, parameters).step()
    for moved, still in zip(parameters, two(), strict=True):
        np.testing.assert_array_equal(moved.value, still.value)


@each
def test_weight_decay_can_leave_out_biases_and_norms(name, options):
    kinds = ("weight", "bias", "norm")
    parameters = [parameter([1.0], kind, kind) for kind in kinds]
    make(name, options | {"weight_decay": 0.5, "decay_kinds": ("weight",)}, parameters).step()
    assert [p.value.item() == 1 for p in parameters] == [False, True, True]


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_state_and_gradients_keep_their_type_and_place(name, options, dtype):
    w = parameter(np.ones((3, 2)), dtype=dtype)
    value, grad = w.value, w.grad
    optimizer = make(name, options, [w])
    slope(optimizer, steps=2)
    assert w.value is value
    assert w.grad is grad
    state = optimizer.state_dict()
    assert {a.dtype for n, a in state.items() if n != "step"} <= {np.dtype(dtype)}


@each
def test_gradients_stay_as_they_were(name, options):
    parameters = two()
    for p in parameters:
        p.add_gradient(np.full(p.shape, 1e-3))
    make(name, options, parameters).step()
    assert all((p.grad == 1e-3).all() for p in parameters)


@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in OPTIONS if case[0] != "Muon" and "lr_factors" not in case[1]],
    ids=str,
)
def test_arrays_longer_than_a_piece_are_changed_to_the_end(name, options):
    long, short = parameter(np.ones((300, 301))), parameter(np.ones(1), "short")
    slope(make(name, options | {"clip_norm": None}, [long, short]), steps=3)
    np.testing.assert_array_equal(long.value, np.full((300, 301), short.value.item()))


@each
def test_a_run_goes_on_from_a_saved_state_bit_for_bit(name, options):
    whole, first = two(), two()
    take_steps(make(name, options, whole), 7)
    optimizer = make(name, options, first)
    take_steps(optimizer, 4)
    state = optimizer.state_dict()
    second = two()
    for new, old in zip(second, first, strict=True):
        new.value = old.value
    resumed = make(name, options, second)
    resumed.load_state_dict(state)
    assert resumed.steps == 4
    take_steps(resumed, 3, first=4)
    for expected, result in zip(whole, second, strict=True):
        np.testing.assert_array_equal(result.value, expected.value)


@each
def test_it_is_built_from_its_description_with_the_base_rate(name, options):
    optimizer = make(name, options | {"lr": 0.25}, two())
    optimizer.lr *= 0.1
    again = optim.build(optimizer.describe(), two())
    assert again.lr == again.base_lr == 0.25
    assert again.describe() == optimizer.describe() == {"type": name, "lr": 0.25} | options


def test_the_rate_of_a_step_is_that_of_the_moment():
    w = parameter([0.0])
    w.add_gradient(np.ones(1))
    optimizer = optim.SGD([w], lr=1.0)
    optimizer.lr = 0.5 * optimizer.base_lr
    optimizer.step()
    assert w.value.item() == -0.5


def test_the_rate_of_a_parameter_has_the_factor_of_the_first_pattern_that_matches():
    kinds = {"head.weight": "weight", "head.bias": "bias", "conv.bias": "bias", "norm.w": "norm"}
    parameters = [parameter([0.0], name, kind) for name, kind in kinds.items()]
    for each in parameters:
        each.add_gradient(np.ones(1))
    optim.SGD(parameters, lr=0.5, lr_factors={"head.*": 0.25, "bias": 8.0}).step()
    assert [p.value.item() for p in parameters] == [-0.125, -0.125, -4.0, -0.5]


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0])
def test_lookahead_goes_back_part_of_the_way_after_some_steps(rate):
    w, fast, slow = parameter([1.0, -2.0]), np.array([1.0, -2.0]), np.array([1.0, -2.0])
    optimizer = optim.SGD([w], lr=0.1, lookahead=3, lookahead_rate=rate)
    for step in range(1, 8):
        w.zero_grad()
        w.add_gradient(w.value**2)
        optimizer.step()
        fast = fast - 0.1 * fast**2
        if step % 3 == 0:
            slow = slow + rate * (fast - slow)
            fast = slow
        np.testing.assert_allclose(w.value, fast, rtol=1e-12)


def test_slow_weights_begin_where_the_first_step_does():
    w = parameter([1.0])
    optimizer = optim.SGD([w], lr=1.0, lookahead=1)
    optimizer.state_dict()  # as a checkpoint before the first step
    w.value = np.array([5.0])
    w.add_gradient(np.array([2.0]))
    optimizer.step()
    assert w.value.item() == 4


@pytest.mark.parametrize("wrong", [{"lookahead": 0}, {"lookahead_rate": 0.0}], ids=str)
def test_a_lookahead_without_steps_or_without_a_way_is_refused(wrong):
    with pytest.raises(PellucidError, match=next(iter(wrong))):
        optim.SGD(two(), **wrong)


def test_a_factor_below_zero_is_refused():
    with pytest.raises(PellucidError, match="'bias' must not be negative, but is -1"):
        optim.SGD(two(), lr_factors={"bias": -1.0})


def test_values_drawn_after_the_optimiser_was_made_are_the_ones_that_change():
    w = Parameter("w", (4,), "normal:1")
    optimizer = optim.Adam([w])
    w.initialize(seed=5)
    before = w.value.copy()
    w.add_gradient(np.ones(4, np.float32))
    optimizer.step()
    assert (w.value != before).all()


def test_a_parameter_given_twice_counts_once():
    w = parameter([1.0])
    w.add_gradient(np.ones(1))
    optim.SGD([w, w], lr=0.1).step()
    np.testing.assert_allclose(w.value, 0.9)


class TestClipNorm:
    def test_scales_all_gradients_to_one_common_norm(self):
        parameters = two()
        for p in parameters:
            p.add_gradient(np.full(p.shape, 3.0))
        optim.SGD(parameters, clip_norm=0.5).step()
        norm = np.sqrt(sum((p.grad**2).sum() for p in parameters))
        assert norm == pytest.approx(0.5, rel=1e-5)
        assert len({p.grad.flat[0] for p in parameters}) == 1

    def test_leaves_small_gradients_alone(self):
        w = parameter([0.0, 0.0])
        w.add_gradient(np.array([0.3, 0.4]))
        optim.SGD([w], clip_norm=0.6).step()
        np.testing.assert_array_equal(w.grad, [0.3, 0.4])

    def test_does_not_overflow_in_float32(self):
        w = parameter([0.0, 0.0], dtype="float32")
        w.add_gradient(np.array([3e30, 4e30], np.float32))
        optim.SGD([w], clip_norm=1.0).step()
        np.testing.assert_allclose(w.grad, [0.6, 0.8], rtol=1e-6)


class TestState:
    def test_is_named_by_parameter(self):
        state = optim.SGD(two(), momentum=0.9).state_dict()
        assert {name: array.shape for name, array in state.items()} == {
            "step": (),
            "w/momentum": (2, 3),
            "b/momentum": (2,),
        }

    def test_is_a_copy(self):
        optimizer = optim.Adam(two())
        state = optimizer.state_dict()
        take_steps(optimizer, 1)
        assert not state["w/exp_avg"].any()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda s: s.pop("b/exp_avg"), "missing: b/exp_avg"),
            (lambda s: s.update({"c/exp_avg": s["b/exp_avg"]}), "unknown: c/exp_avg"),
            (lambda s: s.update({"b/exp_avg": np.zeros(5)}), r"b/exp_avg: shape \(5,\), expected"),
        ],
    )
    def test_that_does_not_fit_is_refused_and_nothing_changes(self, change, said):
        optimizer = optim.Adam(two())
        take_steps(optimizer, 2)
        before, other = optimizer.state_dict(), optimizer.state_dict()
        other["w/exp_avg"] += 1
        change(other)
        with pytest.raises(FileError, match=f"does not fit Adam .*{said}"):
            optimizer.load_state_dict(other)
        for name, array in optimizer.state_dict().items():
            np.testing.assert_array_equal(array, before[name])

    def test_of_parameters_with_one_name_cannot_be_saved(self):
        optimizer = optim.Adam([parameter([1.0]), parameter([2.0]), parameter([3.0], "b")])
        optimizer.step()
        with pytest.raises(PellucidError, match="several parameters are named w, so"):
            optimizer.state_dict()
        with pytest.raises(PellucidError, match="several parameters are named w"):
            optimizer.load_state_dict({})


ALLOWED = {
    optim.SGD: {"momentum": (0.0, 0.99)},
    optim.Adam: {"betas": ((0.0, 0.0), (0.99, 0.999)), "eps": (0.0,)},
    optim.AdamW: {"betas": ((0.0, 0.0), (0.99, 0.999)), "eps": (0.0,)},
    optim.RMSprop: {"alpha": (0.0, 0.99), "momentum": (0.0, 0.99), "eps": (0.0,)},
    optim.Adagrad: {"lr_decay": (0.0, 9.0), "eps": (0.0,)},
    optim.Muon: {"momentum": (0.0, 0.99), "adam_betas": ((0.0, 0.0), (0.99, 0.999))},
}
REFUSED = {
    "momentum": (-0.1, 1.0),
    "alpha": (-0.1, 1.0),
    "betas": ((-0.1, 0.9), (1.0, 0.9), (0.9, -0.1), (0.9, 1.0)),
    "adam_betas": ((-0.1, 0.9), (1.0, 0.9), (0.9, -0.1), (0.9, 1.0)),
    "eps": (-1e-8,),
    "lr_decay": (-1e-8,),
    "lr": (0.0, -0.1),
    "weight_decay": (-1e-8,),
    "clip_norm": (0.0, -1.0),
}
EVERYWHERE = {"lr": (1e-9, 10.0), "weight_decay": (0.0, 9.0), "clip_norm": (None, 1e-9)}


@pytest.mark.parametrize("Rule", ALLOWED)
def test_numbers_are_taken_up_to_their_limits_and_no_further(Rule):
    for argument, values in (ALLOWED[Rule] | EVERYWHERE).items():
        for value in values:
            assert getattr(Rule(two(), **{argument: value}), argument) == value
        for value in REFUSED[argument]:
            with pytest.raises(PellucidError, match=argument):
                Rule(two(), **{argument: value})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: optim.SGD([]), "SGD got no parameters"),
        (lambda: optim.SGD([np.ones(2)]), "that contains a ndarray"),
        (lambda: optim.SGD(two(), lr=0.0), "SGD: lr must be positive, not 0.0"),
        (lambda: optim.Adam(two(), lr=float("nan")), "Adam: lr must be a finite number, not nan"),
        (lambda: optim.SGD(two(), momentum=1.0), "momentum must be from 0 to below 1"),
        (lambda: optim.SGD(two(), nesterov=True), "nesterov=True needs a momentum"),
        (lambda: optim.SGD(two(), weight_decay=-1), "weight_decay must be not negative"),
        (lambda: optim.SGD(two(), clip_norm=0), "clip_norm must be positive"),
        (
            lambda: optim.SGD(two(), decay_kinds=("weights",)),
            "each 'weight', 'bias' or 'norm'",
        ),
        (lambda: optim.Adam(two(), betas=(0.9, 1.0)), "betas "),
        (lambda: optim.Adam(two(), betas=(0.9,)), "betas "),
        (lambda: optim.RMSprop(two(), alpha=1.0), "alpha must be from 0 to below 1"),
        (lambda: optim.Adagrad(two(), lr_decay=-1), "lr_decay must be not negative"),
        (lambda: optim.build({"type": "Adan"}, two()), "unknown optimizer 'Adan'; did you mean"),
        (lambda: optim.build({"type": "SGD", "beta": 1}, two()), "unknown argument of SGD 'beta'"),
        (lambda: optim.build({"type": "SGD", "lr": "x"}, two()), "optimizer SGD"),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(PellucidError, match=said):
        call()


class TestAverage:
    def make(self, **options):
        w, count = parameter([1.0, 2.0]), Buffer("count", (), 0, np.int64)
        mean = Buffer("mean", (1,), 4.0)
        items = {"w": w, "count": count, "mean": mean}
        return w, count, mean, optim.ExponentialMovingAverage(items, **options)

    def test_moves_towards_the_values_of_now(self):
        w, count, mean, average = self.make(decay=0.75)
        average.update()
        np.testing.assert_array_equal(average.values["w"], [1, 2])
        w.value, mean.value, count.value = w.value + 4, mean.value * 2, np.array(7)
        average.update()
        np.testing.assert_array_equal(average.values["w"], [2, 3])
        np.testing.assert_array_equal(average.values["mean"], [5])
        assert average.values["mean"].dtype == np.float32
        assert average.values["count"] == 7

    def test_begins_with_the_values_of_the_first_update(self):
        w, _, _, average = self.make(decay=0.999)
        average.state_dict()
        w.value = np.array([5.0, 6.0])
        average.update()
        np.testing.assert_array_equal(average.values["w"], [5, 6])

    def test_warms_up_with_a_short_memory(self):
        w, _, _, average = self.make(decay=0.5, warm_up=True)
        expected = w.value.copy()
        average.update()
        for t in range(1, 20):
            w.value = np.array([t, -t])
            average.update()
            decay = min(0.5, (1 + t) / (10 + t))
            expected = decay * expected + (1 - decay) * w.value
            np.testing.assert_allclose(average.values["w"], expected)

    def test_is_in_the_model_for_a_while_and_then_the_own_values_are_back_bit_for_bit(self):
        w, count, mean, average = self.make(decay=0.9)
        average.update()
        w.value, count.value = np.array([0.1, 1 / 3]), np.array(3)
        kept, place = w.value.copy(), w.value
        with average.swapped():
            np.testing.assert_array_equal(w.value, [1, 2])
            assert count.value == 0
        assert w.value is place
        np.testing.assert_array_equal(w.value, kept)
        assert count.value == 3
        assert mean.value == 4

    def test_leaves_the_model_even_if_evaluation_fails(self):
        w, _, _, average = self.make()
        average.update()
        w.value = np.array([7.0, 8.0])
        with pytest.raises(ZeroDivisionError), average.swapped():
            _ = 1 // 0
        np.testing.assert_array_equal(w.value, [7, 8])

    def test_goes_on_from_a_saved_state_bit_for_bit(self):
        w, _, _, whole = self.make(decay=0.9, warm_up=True)
        _, _, _, resumed = self.make(decay=0.9, warm_up=True)
        for t in range(6):
            w.value = np.random.default_rng(t).normal(size=2)
            whole.update()
            if t == 3:
                resumed.items["w"] = w
                resumed.load_state_dict(whole.state_dict())
            elif t > 3:
                resumed.update()
        np.testing.assert_array_equal(resumed.values["w"], whole.values["w"])

    @pytest.mark.parametrize("name", ["w/average", "updates"])
    def test_refuses_a_state_of_another_model(self, name):
        _, _, _, average = self.make()
        state = average.state_dict()
        del state[name]
        with pytest.raises(FileError, match=f"another model: see {name}"):
            average.load_state_dict(state)

    def test_needs_something_and_a_decay_below_one(self):
        with pytest.raises(PellucidError, match="no parameters to average"):
            optim.ExponentialMovingAverage({})
        with pytest.raises(PellucidError, match="at least 0 and below 1, not 1"):
            self.make(decay=1.0)


@pytest.mark.parametrize("kind", optim.OPTIMIZERS)
def test_what_all_optimisers_have_is_given_by_name(kind):
    parameters = signature(getattr(optim, kind)).parameters
    named = [name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    assert {"weight_decay", "decay_kinds", "clip_norm", "lr_factors", "lookahead"} <= set(named)
    assert "lr" not in named


def test_sgd_keeps_nothing_without_momentum():
    plain, with_momentum = (optim.SGD(two(), 0.1, momentum=m) for m in (0.0, 0.5))
    assert plain.state_dict().keys() == {"step"}
    assert with_momentum.state_dict().keys() == {"step", "w/momentum", "b/momentum"}


def test_parameters_may_be_given_by_name():
    named = {"first": parameter([1.0]), "second": parameter([2.0])}
    optimizer = optim.Adam(named)
    assert optimizer.learned == list(named.values())
    optimizer.step()
    assert {"first/exp_avg", "second/exp_avg"} <= optimizer.state_dict().keys()


@pytest.mark.parametrize(("momentum", "slots"), [(0.0, 1), (0.5, 2), (1e-9, 2)])
def test_rmsprop_keeps_a_momentum_if_it_has_one(momentum, slots):
    optimizer = optim.RMSprop([parameter([1.0])], momentum=momentum)
    assert len(optimizer.slots(optimizer.learned[0])) == slots


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("updates"),
        lambda state: state.pop("w/average"),
        lambda state: state.update(other=np.zeros(1)),
        lambda state: state.update({"w/average": np.zeros(3)}),
        lambda state: state.update(updates=np.array(1.5)),
    ],
)
def test_averages_of_another_model_are_refused(change):
    average = optim.ExponentialMovingAverage({"w": parameter([1.0, 2.0])}, decay=0.5)
    average.update()
    state = average.state_dict()
    average.load_state_dict(state)
    change(state)
    with pytest.raises(FileError, match="averages are of another model"):
        average.load_state_dict(state)
    assert average.updates == 1
