"""The optimisers, their common base, and gradient clipping."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mlp
from tinygrad_mlp import Tensor, gradients, nn, optim
from tinygrad_mlp.errors import GraphError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, blocks, clip_grad_norm


def parameter(value, grad=None, dtype=np.float64):
    p = nn.Parameter(np.asarray(value, dtype))
    p.grad = None if grad is None else np.asarray(grad, dtype)
    return p


def by_the_book(W, gradients, lrs, momentum, decay, nesterov):
    """The update rules of the docstring of SGD, one scalar formula a line."""
    v = np.zeros_like(W)
    for g, lr in zip(gradients, lrs, strict=True):
        g = g + decay * W
        v = momentum * v - lr * g
        W = W + momentum * v - lr * g if nesterov else W + v
    return W


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("decay", [0, 0.1])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0, False), (0.9, False), (0.9, True)])
def test_steps_follow_the_formulas(momentum, nesterov, decay, shape):
    rng = np.random.default_rng(0)
    start, gradients, lrs = rng.standard_normal(shape), rng.standard_normal((4, *shape)), [0.1, 0.1, 0.02, 0.5]
    p = parameter(start)
    optimizer = SGD([p], lr=1.0, momentum=momentum, weight_decay=decay, nesterov=nesterov)
    for g, lr in zip(gradients, lrs, strict=True):
        p.grad, optimizer.lr = np.asarray(g), lr
        optimizer.step()
        assert p.shape == shape
        assert type(p.array) is np.ndarray
    np.testing.assert_allclose(p.numpy(), by_the_book(start, gradients, lrs, momentum, decay, nesterov), rtol=1e-13)


def test_two_plain_steps_in_numbers():
    p = parameter([1.0, -2.0], [0.5, 1.0])
    optimizer = SGD([p], lr=0.1, momentum=0.5)
    optimizer.step()
    assert p.tolist() == pytest.approx([0.95, -2.1])
    optimizer.step()  # v = 0.5 · (−0.05, −0.1) − (0.05, 0.1)
    assert p.tolist() == pytest.approx([0.875, -2.25])


def test_the_gradient_is_not_changed_by_a_step():
    p = parameter([1.0], [2.0])
    g = p.grad
    SGD([p], lr=0.1, momentum=0.9, weight_decay=0.5, nesterov=True).step()
    assert p.grad is g
    assert g.tolist() == [2.0]


def test_parameters_without_a_gradient_are_left_alone():
    p, q = parameter([1.0]), parameter([1.0], [1.0])
    before = p.array
    SGD([p, q], lr=0.1, momentum=0.9, weight_decay=0.1).step()
    assert p.array is before
    assert before.tolist() == [1.0]
    assert q.tolist() != [1.0]


def test_a_parameter_given_twice_is_changed_once():
    p = parameter([1.0], [1.0])
    SGD([p, p], lr=0.1).step()
    assert p.tolist() == [0.9]


def test_zero_grad_forgets_the_gradients():
    p = parameter([1.0], [1.0])
    SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


def test_two_optimisers_share_no_velocity():
    p, q = parameter(0.0, 1.0), parameter(0.0, 1.0)
    first, second = SGD([p], lr=1, momentum=0.5), SGD([q], lr=1, momentum=0.5)
    first.step()
    first.step()
    second.step()
    assert (float(p), float(q)) == (-2.5, -1.0)


@pytest.mark.parametrize("number", [float, np.float64, np.float32])
@pytest.mark.parametrize("name", ["lr", "momentum", "weight_decay"])
def test_float32_stays_float32(name, number):
    p = parameter([1.0, 2.0], [0.5, 0.5], np.float32)
    optimizer = SGD([p], **({"lr": 0.1, "momentum": 0.5, "weight_decay": 0.01} | {name: number(0.25)}))
    for _ in range(3):
        optimizer.step()
        assert p.dtype == np.float32


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}])
def test_a_step_gives_new_arrays_and_leaves_old_ones_alone(settings):
    w = parameter([1.0, 2.0])
    optimizer = SGD([w], lr=0.1, **settings)
    seen = []
    for _ in range(3):
        seen.append((w.numpy(), w.numpy().copy()))
        w.grad = np.ones(2)
        optimizer.step()
    assert all(np.array_equal(view, kept) for view, kept in seen)
    assert not any(np.shares_memory(w.array, view) for view, _ in seen)


def test_a_graph_recorded_before_a_step_has_the_gradients_of_the_old_weights():
    w, x = parameter([3.0]), parameter([5.0])
    y = w * w * x
    w.grad = np.ones(1)
    SGD([w], lr=1.0).step()
    assert w.tolist() == [2.0]
    w.grad = None
    y.sum().backward()
    assert y.tolist() == [45.0]
    assert w.grad.tolist() == [30.0]  # 2 w x at w = 3
    assert x.grad.tolist() == [9.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -0.1}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": float("inf")}, "lr"),
        ({"lr": 0.1, "momentum": 1.0}, r"momentum must be in \[0, 1\)"),
        ({"lr": 0.1, "momentum": -0.1}, "momentum"),
        ({"lr": 0.1, "momentum": float("nan")}, "momentum"),
        ({"lr": 0.1, "weight_decay": -1}, "weight_decay"),
        ({"lr": 0.1, "weight_decay": float("nan")}, "weight_decay"),
        ({"lr": 0.1, "nesterov": True}, "nesterov needs a momentum"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        SGD([parameter(1.0)], **settings)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], SettingError, r"no parameters to change.*: write self\.weight = nn\.Parameter"),
        (parameter(1.0), TensorTypeError, r"give the optimiser a list"),
        ([np.ones(2)], TensorTypeError, "not ndarray"),
        (nn.MLP([1, 1]).state_dict(), TensorTypeError, "not str"),
        ([Tensor([1.0])], GraphError, "requires_grad=True"),
        ([Tensor([1.0], requires_grad=True) * 2], GraphError, "leaves"),
    ],
)
def test_what_cannot_be_changed_is_refused(parameters, error, message):
    with pytest.raises(error, match=message):
        SGD(parameters, lr=0.1)


# --- clipping -----------------------------------------------------------------------------------------------------------


def test_clipping_scales_all_gradients_together():
    a, b, none = parameter([0.0, 0.0], [3.0, 0.0]), parameter(0.0, 4.0), parameter(0.0)
    assert clip_grad_norm(iter([a, b, none]), 1.0) == pytest.approx(5.0)
    np.testing.assert_allclose(a.grad, [0.6, 0.0])
    np.testing.assert_allclose(b.grad, 0.8)
    assert b.grad.shape == ()
    assert none.grad is None


def test_clipping_one_parameter_leaves_the_others_alone():
    a, b = parameter([0.0, 0.0], [3.0, 4.0]), parameter(0.0, 100.0)
    assert clip_grad_norm([a], 2.5) == pytest.approx(5.0)
    np.testing.assert_allclose(a.grad, [1.5, 2.0])
    assert b.grad == 100


def test_a_small_norm_is_not_changed():
    a = parameter([0.0, 0.0], [3.0, 4.0])
    g = a.grad
    assert clip_grad_norm([a], 5.0) == 5.0
    assert clip_grad_norm([a], float("inf")) == 5.0
    assert a.grad is g
    assert g.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("size", [1e300, 1e-300, 5e-324])
def test_squares_that_leave_the_range_do_not_matter(size):
    a = parameter([0.0] * 4, [size] * 4)
    assert clip_grad_norm([a], 1.0) == pytest.approx(2 * size)
    np.testing.assert_allclose(a.grad, [min(size, 0.5)] * 4)


def test_float32_gradients_stay_float32_and_do_not_overflow():
    a = parameter([0.0, 0.0], [3e30, 4e30], np.float32)
    assert clip_grad_norm([a], np.float64(1.0)) == pytest.approx(5e30)
    assert a.grad.dtype == np.float32
    np.testing.assert_allclose(a.grad, [0.6, 0.8], rtol=1e-6)


def test_a_norm_that_overflows_is_clipped_all_the_same():
    a = parameter([0.0, 0.0], [1.5e308, 1.5e308])
    assert clip_grad_norm([a], 1.0) == np.inf
    np.testing.assert_allclose(a.grad, [0.5**0.5] * 2)


def test_a_factor_that_underflows_does_no_harm():
    a = Tensor(np.zeros(2, np.float32), requires_grad=True)
    a.grad = np.array([3e38, 0], np.float32)
    clip_grad_norm([a], 1e-8)
    np.testing.assert_allclose(a.grad, [1e-8, 0], rtol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_no_number_is_refused_before_anything_changes(bad):
    a, b = parameter([0.0], [10.0]), parameter([0.0, 0.0], [1.0, bad])
    with pytest.raises(SettingError, match="NaN or infinite"):
        clip_grad_norm([a, b], 1.0)
    assert a.grad.tolist() == [10.0]


@pytest.mark.parametrize("grads", [[], [0.0], [0.0, 0.0], [None]])
def test_no_gradients_and_zero_gradients_have_the_norm_zero(grads):
    assert clip_grad_norm([parameter(1.0, g) for g in grads], 1.0) == 0.0


def test_empty_parameters_do_not_matter():
    assert clip_grad_norm([parameter([], []), parameter([0.0], [2.0])], 1.0) == 2.0


@pytest.mark.parametrize("max_norm", [0, -1.0, float("nan")])
def test_a_bound_that_is_not_positive_is_refused(max_norm):
    with pytest.raises(SettingError, match="above 0"):
        clip_grad_norm([parameter(1.0, 1.0)], max_norm)


def test_a_tensor_instead_of_a_list_is_refused():
    with pytest.raises(TensorTypeError, match="list"):  # not silently taken for its rows, which have no gradients
        clip_grad_norm(parameter([0.0, 0.0], [3.0, 4.0]), 1.0)


def test_large_parameters_are_updated_in_blocks_to_the_same_bits():
    rng = np.random.default_rng(0)
    w, g = (rng.standard_normal((450, 700)).astype(np.float32) for _ in range(2))
    for values, gradient in ((w, g), (w.T, g.T)):
        p = Tensor(values, requires_grad=True)
        p.grad = gradient
        SGD([p], lr=0.1).step()
        np.testing.assert_array_equal(p.data, values + gradient * np.float32(-0.1))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_gradient_set_by_hand_is_checked(momentum):
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    p.grad = np.ones(3)
    SGD([p], 0.1, momentum).step()
    assert p.dtype == np.float32
    p.grad = np.ones((2, 3), np.float32)
    with pytest.raises(SettingError, match=r"\(2, 3\) was set for a parameter of shape \(3,\)"):
        SGD([p], 0.1, momentum).step()
    assert p.shape == (3,)


# --- all methods --------------------------------------------------------------------------------------------------------

# every method with every branch of its update: our class, PyTorch's name, settings
CASES = {
    "sgd": (SGD, "SGD", {"lr": 0.1}),
    "sgd momentum": (SGD, "SGD", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.1}),
    "sgd nesterov": (SGD, "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "adam": (Adam, "Adam", {}),
    "adam, settings": (Adam, "Adam", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 0.01, "weight_decay": 0.2}),
    "adamw": (AdamW, "AdamW", {}),
    "adamw, settings": (AdamW, "AdamW", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 0.01, "weight_decay": 0.2}),
    "adamw, no decay": (AdamW, "AdamW", {"lr": 0.05, "weight_decay": 0.0}),
    "rmsprop": (RMSprop, "RMSprop", {}),
    "rmsprop, settings": (RMSprop, "RMSprop", {"lr": 0.05, "alpha": 0.8, "eps": 0.01, "weight_decay": 0.2}),
    "rmsprop momentum": (RMSprop, "RMSprop", {"alpha": 0.8, "momentum": 0.7}),
    "rmsprop centered": (RMSprop, "RMSprop", {"alpha": 0.8, "centered": True, "eps": 0.01}),
    "rmsprop all": (RMSprop, "RMSprop", {"alpha": 0.8, "centered": True, "eps": 0.01, "momentum": 0.7, "weight_decay": 0.2}),
    "adagrad": (Adagrad, "Adagrad", {}),
    "adagrad, settings": (
        Adagrad,
        "Adagrad",
        {"lr": 0.05, "lr_decay": 0.1, "weight_decay": 0.2, "initial_accumulator_value": 0.5, "eps": 0.01},
    ),
}
cases = pytest.mark.parametrize("case", CASES)
SHAPES = [(), (3,), (4, 5), (70, 60)]  # the last is not small


def made(case, parameters, **changes):
    kind, _, settings = CASES[case]
    return kind(parameters, **(settings | changes))


def walk(optimizer, parameters, steps, seed=0, missing=()):
    """Steps with gradients of a seed, and other learning rates from the third on; (step, parameter) pairs have no gradient."""
    rng, lr = np.random.default_rng(seed), optimizer.lr
    for t in range(steps):
        for i, p in enumerate(parameters):
            g = rng.standard_normal(p.shape).astype(p.dtype)
            p.grad = None if (t, i) in missing else np.asarray(g)
        optimizer.lr = lr if t < 2 else lr * (t + 1) / 7
        optimizer.step()


def starts(dtype=np.float64, shapes=SHAPES):
    rng = np.random.default_rng(9)
    return [parameter(rng.standard_normal(shape), dtype=dtype) for shape in shapes]


def book(case, w, gradients_and_rates):
    """One number by the formulas of the papers, in Python's floats; nothing of the package is used."""
    _, name, given = CASES[case]
    s = {"momentum": 0.0, "weight_decay": 0.01 if name == "AdamW" else 0.0, "alpha": 0.99, "betas": (0.9, 0.999)}
    s |= {"eps": 1e-10 if name == "Adagrad" else 1e-8, "lr_decay": 0.0, "nesterov": False, "centered": False} | given
    decay, eps, mu, (beta1, beta2) = s["weight_decay"], s["eps"], s["momentum"], s["betas"]
    velocity = mean = square = buffer = 0.0
    total = s.get("initial_accumulator_value", 0.0)
    for t, (g, lr) in enumerate(gradients_and_rates, start=1):
        if name == "AdamW":
            w -= lr * decay * w
        else:
            g += decay * w
        if name == "SGD":
            velocity = mu * velocity - lr * g
            w += mu * velocity - lr * g if s["nesterov"] else velocity
        elif name in ("Adam", "AdamW"):
            mean = beta1 * mean + (1 - beta1) * g
            square = beta2 * square + (1 - beta2) * g**2
            w -= lr * (mean / (1 - beta1**t)) / (math.sqrt(square / (1 - beta2**t)) + eps)
        elif name == "RMSprop":
            square = s["alpha"] * square + (1 - s["alpha"]) * g**2
            mean = s["alpha"] * mean + (1 - s["alpha"]) * g
            buffer = mu * buffer + g / (math.sqrt(max(square - mean**2, 0) if s["centered"] else square) + eps)
            w -= lr * buffer
        else:
            total += g**2
            w -= lr / (1 + (t - 1) * s["lr_decay"]) * g / (math.sqrt(total) + eps)
    return w


@cases
def test_every_method_follows_the_formulas_of_its_paper(case):
    parameters = starts()
    before = [p.numpy().copy() for p in parameters]
    optimizer = made(case, parameters)
    lr = optimizer.lr
    walk(optimizer, parameters, 6)
    rng = np.random.default_rng(0)
    drawn = [[rng.standard_normal(p.shape) for p in parameters] for _ in range(6)]
    rates = [lr if t < 2 else lr * (t + 1) / 7 for t in range(6)]
    for i, p in enumerate(parameters):
        for index in list(np.ndindex(p.shape))[:20]:
            expected = book(case, float(before[i][index]), [(float(g[i][index]), r) for g, r in zip(drawn, rates, strict=True)])
            assert float(p.numpy()[index]) == pytest.approx(expected, rel=1e-11, abs=1e-13)


@cases
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_method_is_pytorchs(case, dtype):
    torch = pytest.importorskip("torch", reason="the optional oracle torch is not installed")
    _, name, settings = CASES[case]
    parameters = starts(dtype)
    theirs = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in parameters]
    ours, peer = made(case, parameters), getattr(torch.optim, name)(theirs, **settings)
    rng = np.random.default_rng(0)
    for t in range(6):
        for i, (p, q) in enumerate(zip(parameters, theirs, strict=True)):
            g = np.asarray(rng.standard_normal(p.shape).astype(dtype))
            p.grad, q.grad = (None, None) if i == 1 and t in (0, 1, 4) else (g, torch.tensor(g.copy()))  # its first comes late
        if t == 3 and name != "SGD":  # SGD's velocity is another one, see its docstring
            ours.lr = peer.param_groups[0]["lr"] = 0.02
        ours.step()
        peer.step()
    for p, q in zip(parameters, theirs, strict=True):
        tolerance = 1e-5 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_settings_and_defaults_have_pytorchs_names_and_values():
    import inspect

    torch = pytest.importorskip("torch", reason="the optional oracle torch is not installed")
    for kind in (Adam, AdamW, RMSprop, Adagrad):
        theirs = inspect.signature(getattr(torch.optim, kind.__name__)).parameters
        for name, p in list(inspect.signature(kind).parameters.items())[1:]:
            assert theirs[name].default == p.default, (kind, name)


@cases
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_parameters_and_state_keep_their_dtype_and_shape(case, dtype):
    parameters = starts(dtype)
    optimizer = made(case, parameters, **({} if dtype != np.float16 or "sgd" in case else {"eps": 1e-3}))
    optimizer.lr = np.float64(optimizer.lr)
    walk(optimizer, parameters, 3)
    for p, shape, state in zip(parameters, SHAPES, optimizer.state, strict=True):
        assert list(state) == list(optimizer.slots)
        for array in (p.array, *state.values()):
            assert type(array) is np.ndarray
            assert (array.dtype, array.shape) == (dtype, shape)


@cases
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_update_is_pure(case, dtype):
    optimizer = made(case, [parameter(np.ones(5), dtype=dtype)])
    rng = np.random.default_rng(0)
    w, g = (rng.standard_normal(5).astype(dtype) for _ in range(2))
    state = {slot: rng.random(5).astype(dtype) + 1 for slot in optimizer.slots}
    kept = [x.copy() for x in (w, g, *state.values())]
    for x in (w, g, *state.values()):
        x.flags.writeable = False
    settings = vars(optimizer).copy()
    first, second = (optimizer.update(w, g, state, **optimizer.scalars()) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip((w, g, *state.values()), kept, strict=True))
    assert list(state) == list(optimizer.slots) == list(first[1])
    assert vars(optimizer) == settings
    assert np.array_equal(first[0], second[0])
    assert all(type(value) is float for value in optimizer.scalars().values())
    new = [first[0], *first[1].values()]
    assert all(x.dtype == dtype and not any(np.shares_memory(x, y) for y in (w, g, *state.values())) for x in new)


@cases
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(1,), (7, 9), (63, 65), (100, 900), (450, 700)])
def test_blocks_give_the_bits_of_whole_arrays(case, shape, transposed):
    def run(planned):
        rng = np.random.default_rng(1)
        p = parameter(rng.standard_normal(shape), dtype=np.float32)
        optimizer = made(case, [p])
        if not planned:
            optimizer.planned = lambda scalars: {}
        for lr in (0.1, 0.1, 0.03):
            g = rng.standard_normal(shape[::-1] if transposed else shape).astype(np.float32)
            p.grad, optimizer.lr = g.T if transposed else g, lr
            optimizer.step()
        assert bool(optimizer.plans) == planned
        return [p.array, *optimizer.state[0].values()]

    for ours, whole in zip(run(planned=True), run(planned=False), strict=True):
        assert ours.flags.c_contiguous
        assert ours.tobytes() == whole.tobytes()


@given(st.data())
def test_blocks_of_any_length_give_the_same_bits(data):
    case = data.draw(st.sampled_from(list(CASES)))
    size, block = data.draw(st.integers(0, 50)), data.draw(st.integers(1, 12))
    rng = np.random.default_rng(size)
    w, g = rng.standard_normal(size), rng.standard_normal(size)
    optimizer = made(case, [parameter(w)])
    state = {slot: rng.random(size) + 1 for slot in optimizer.slots}
    new, after = optimizer.update(w, g, state, **optimizer.scalars())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SMALL", data.draw(st.sampled_from([-1, 100])))
        patch.setattr(blocks, "BLOCK", block)
        plan = blocks.Plan(optimizer.update, optimizer.slots, optimizer.scalars(), optimizer.moving or (), w.dtype)
        ours, theirs = plan(w, g, state)
    assert ours.tobytes() == new.tobytes()
    assert all(theirs[slot].tobytes() == after[slot].tobytes() for slot in optimizer.slots)


@cases
def test_an_update_of_tensors_is_the_same_and_differentiable(case):
    optimizer = made(case, [parameter(np.ones(3))])
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal(3), rng.standard_normal(3)
    state = {slot: rng.random(3) + (9 if slot == "square" else 1) for slot in optimizer.slots}  # no kink: square > mean²
    scalars = optimizer.scalars()
    plain, _ = optimizer.update(w, g, state, **scalars)
    t = Tensor(g, requires_grad=True)
    new, _ = optimizer.update(Tensor(w), t, {slot: Tensor(a) for slot, a in state.items()}, **scalars)
    assert np.array_equal(new.numpy(), plain)
    h = 1e-6
    up, down = (optimizer.update(w, g + d, state, **scalars)[0] for d in (h, -h))
    np.testing.assert_allclose(gradients(new.sum(), t), (up - down) / (2 * h), rtol=1e-6, atol=1e-9)


@cases
def test_a_parameter_whose_first_gradient_comes_late_starts_as_the_others_did(case):
    late, early = parameter([1.0, -2.0]), parameter([1.0, -2.0])
    both, alone = made(case, [parameter([5.0]), late]), made(case, [early])
    rng = np.random.default_rng(0)
    for t in range(30):
        both.parameters[0].grad = rng.standard_normal(1)
        g = rng.standard_normal(2) if t > 20 and t != 25 else None
        late.grad = early.grad = g
        both.step()
        if t > 20:
            alone.step()
    assert np.array_equal(late.numpy(), early.numpy())
    assert (both.steps, both.missed) == (30, [0, 22])


@cases
def test_a_parameter_without_a_gradient_and_its_state_are_left_alone(case):
    parameters = starts()
    optimizer = made(case, parameters)
    walk(optimizer, parameters, 2)
    arrays = [(p.array, dict(s)) for p, s in zip(parameters, optimizer.state, strict=True)]
    walk(optimizer, parameters, 1, missing={(0, 1)})
    assert parameters[1].array is arrays[1][0]
    assert all(optimizer.state[1][slot] is a for slot, a in arrays[1][1].items())
    assert all(p.array is not old for i, (p, (old, _)) in enumerate(zip(parameters, arrays, strict=True)) if i != 1)


@cases
def test_steps_give_new_arrays_for_parameters_and_state(case):
    parameters = starts()
    optimizer = made(case, parameters)
    walk(optimizer, parameters, 1)
    seen = [(a, a.copy()) for p, s in zip(parameters, optimizer.state, strict=True) for a in (p.array, *s.values())]
    walk(optimizer, parameters, 2, seed=1)
    assert all(np.array_equal(a, kept) for a, kept in seen)


@cases
@pytest.mark.parametrize("way", ["dict", "npz", "deepcopy", "pickle"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_optimiser_goes_on_in_the_same_bits(case, way, dtype, tmp_path):
    def run(interrupted):
        parameters = starts(dtype)
        optimizer = made(case, parameters)
        walk(optimizer, parameters, 3, missing={(0, 2), (1, 2)})
        if interrupted and way in ("deepcopy", "pickle"):
            optimizer = copy.deepcopy(optimizer) if way == "deepcopy" else pickle.loads(pickle.dumps(optimizer))  # noqa: S301  # ours
            parameters = optimizer.parameters
        elif interrupted:
            state = optimizer.state_dict()
            values = [p.numpy().copy() for p in parameters]
            walk(optimizer, parameters, 1)  # the state is a copy: this does not change it
            parameters = [Tensor(v, requires_grad=True) for v in values]
            optimizer = made(case, parameters, lr=0.77)
            if way == "npz":
                np.savez(tmp_path / "state.npz", **state)
                with np.load(tmp_path / "state.npz") as loaded:
                    optimizer.load_state_dict(loaded)
            else:
                optimizer.load_state_dict(state)
        walk(optimizer, parameters, 3, seed=5)
        return parameters, optimizer

    (ours, a), (theirs, b) = run(True), run(False)
    assert all(p.array.tobytes() == q.array.tobytes() for p, q in zip(ours, theirs, strict=True))
    assert (a.lr, a.steps, a.missed) == (b.lr, b.steps, b.missed)
    assert type(a.lr) is float


def adam_and_state():
    p = parameter(np.ones((2, 3)), np.ones((2, 3)), np.float32)
    optimizer = Adam([p], lr=0.1)
    optimizer.step()
    return optimizer, optimizer.state_dict()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lr": None}, ShapeError, "the state has no lr"),
        ({"0.mean": None}, ShapeError, r"the state has no 0\.mean"),
        ({"0.maen": np.ones((2, 3))}, UnknownNameError, r"did you mean '0\.mean'"),
        ({"1.mean": np.ones((2, 3))}, UnknownNameError, "entry of the state of Adam"),
        ({"0.mean": np.ones(3)}, ShapeError, r"0\.mean belongs to a parameter of shape \(2, 3\).*\(3,\)"),
        ({"0.mean": np.full((2, 3), "x")}, TensorTypeError, r"0\.mean of dtype"),
        ({"0.mean": np.full((2, 3), 1j)}, TensorTypeError, "complex128"),
        ({"missed": np.zeros(2, int)}, ShapeError, "2 parameters, but this Adam has 1"),
        ({"missed": np.array([5])}, SettingError, "1 steps, of which 5 were missed"),
        ({"decoupled": True}, SettingError, "decoupled=True, this Adam has decoupled=False"),
        ({"beta1": 1.0}, SettingError, r"beta1 must be in \[0, 1\)"),
        ({"eps": "small"}, TensorTypeError, "eps must be a number"),
        ({"lr": np.array(np.nan)}, SettingError, "lr must be a number from 0 up"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_before_anything_changes(change, error, message):
    optimizer, state = adam_and_state()
    optimizer.lr = 0.3
    before = {name: np.copy(value) for name, value in optimizer.state_dict().items()}
    other = {"0.square": np.full((2, 3), 9.0), "steps": 1, "beta2": 0.5}
    given = {name: value for name, value in (state | other | change).items() if value is not None}
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(given)
    after = optimizer.state_dict()
    assert list(after) == list(before)
    assert all(np.array_equal(after[name], value) for name, value in before.items())


def test_a_state_is_a_copy_in_both_directions():
    optimizer, state = adam_and_state()
    other = Adam(optimizer.parameters)
    other.load_state_dict(state)
    state["0.mean"][:] = 99
    assert not (optimizer.state[0]["mean"] == 99).any()
    assert not (other.state[0]["mean"] == 99).any()


@pytest.mark.parametrize("shape", [(4, 5), (70, 60), (450, 700)])
def test_parameters_in_fortrans_order_become_arrays_in_cs(shape):
    rng = np.random.default_rng(0)
    p = parameter(np.asfortranarray(rng.standard_normal(shape)))
    assert not p.array.flags.c_contiguous
    g, before = np.asfortranarray(rng.standard_normal(shape)), p.array.copy()
    p.grad = g
    SGD([p], lr=0.1).step()
    assert p.array.flags.c_contiguous
    assert np.array_equal(p.array, before + g * -0.1)


def test_the_state_of_another_method_or_setting_is_refused():
    optimizer, state = adam_and_state()
    with pytest.raises(SettingError, match="decoupled=False, this AdamW has decoupled=True"):
        AdamW(optimizer.parameters).load_state_dict(state)
    with pytest.raises(ShapeError, match="not one of RMSprop"):
        RMSprop(optimizer.parameters).load_state_dict(state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: Adam(p, lr=-1), "Adam: lr must be a number from 0 up"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), r"Adam: beta2 must be in \[0, 1\)"),
        (lambda p: Adam(p, betas=(-0.1, 0.9)), r"Adam: beta1 must be in \[0, 1\)"),
        (lambda p: Adam(p, betas=0.9), r"Adam: betas must be two numbers, as betas=\(0\.9, 0\.999\) \(got 0\.9\)"),
        (lambda p: AdamW(p, betas=(0.9,)), "AdamW: betas must be two numbers"),
        (lambda p: AdamW(p, weight_decay=float("nan")), "AdamW: weight_decay"),
        (lambda p: Adam(p, eps=-1e-8), "Adam: eps"),
        (lambda p: RMSprop(p, alpha=1.0), r"RMSprop: alpha must be in \[0, 1\)"),
        (lambda p: RMSprop(p, momentum=1.5), "RMSprop: momentum"),
        (lambda p: RMSprop(p, eps=float("inf")), "RMSprop: eps"),
        (lambda p: Adagrad(p, lr_decay=-0.1), "Adagrad: lr_decay"),
        (lambda p: Adagrad(p, initial_accumulator_value=-1), "Adagrad: initial_accumulator_value"),
        (lambda p: Adam(p, lr="fast"), "Adam: lr must be a number"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises((SettingError, TensorTypeError), match=message):
        make([parameter(1.0)])


@pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop, Adagrad])
def test_complex_parameters_are_for_sgd(kind):
    z = Tensor(np.array([1 + 2j]), requires_grad=True)
    with pytest.raises(TensorTypeError, match="takes real parameters: make the real and the imaginary part two"):
        kind([z])
    z.grad = np.array([1 - 1j])
    SGD([z], lr=0.5, momentum=0.5).step()
    assert z.tolist() == [0.5 + 2.5j]


def test_a_bad_gradient_is_refused_before_anything_changes():
    p, q, none = parameter([1.0], [1.0]), parameter([1.0, 2.0], [1.0, 1.0, 1.0]), parameter([1.0])
    optimizer = Adam([none, p, q])
    with pytest.raises(SettingError, match=r"shape \(3,\) was set for a parameter of shape \(2,\)"):
        optimizer.step()
    assert p.tolist() == [1.0]
    assert (optimizer.steps, optimizer.missed) == (0, [0, 0, 0])


def test_the_first_step_is_in_the_same_bits_with_a_momentum_and_without():
    for w, g in ((-0.0, 0.0), (0.0, 0.0), (-0.0, -0.0)):
        p, q = parameter([w], [g]), parameter([w], [g])
        SGD([p], lr=0.1).step()
        SGD([q], lr=0.1, momentum=0.9).step()
        assert p.array.tobytes() == q.array.tobytes()


def test_settings_may_change_between_steps():
    p, q = starts(shapes=[(70, 60)]) + starts(shapes=[(70, 60)])
    a, b = SGD([p], lr=0.1), SGD([q], lr=0.1)
    b.planned = lambda scalars: {}
    rng = np.random.default_rng(0)
    for settings in ({}, {"momentum": 0.9}, {"weight_decay": 0.1}, {"nesterov": True}, {"lr": 0.3}, {"momentum": 0.0}):
        p.grad = q.grad = rng.standard_normal((70, 60))
        for optimizer in (a, b):
            for name, value in settings.items():
                setattr(optimizer, name, value)
            optimizer.step()
        assert p.array.tobytes() == q.array.tobytes()


def test_rmsprop_is_finite_where_rounding_makes_a_variance_negative():
    p = parameter(np.full(50, 1.0), dtype=np.float32)
    optimizer = RMSprop([p], alpha=0.5, centered=True, eps=1e-3)
    for _ in range(60):
        p.grad = np.full(50, 0.1, np.float32)
        optimizer.step()
    assert np.isfinite(p.array).all()


class Clipped(Optimizer):
    """A method of a user's own, with what no plan can hold: np.where, a comparison, a dtype."""

    def update(self, w, g, state, *, lr):
        return np.where(np.abs(g) > 1, w - lr * np.sign(g), w - lr * g).astype(w.dtype), {}


class Remembering(Optimizer):
    """A result is an input as it is."""

    slots = ("before",)

    def update(self, w, g, state, *, lr):
        return w - lr * g, {"before": w}


class Twice(Optimizer):
    """One value is two results: two arrays all the same, or block by block one of them would be empty."""

    slots = ("again",)

    def update(self, w, g, state, *, lr):
        new = w - lr * g
        return new, {"again": new}


@pytest.mark.parametrize("shape", SHAPES)
def test_methods_of_ones_own_that_are_no_plan_are_computed_whole(shape):
    p = parameter(np.ones(shape), np.full(shape, 3.0), np.float32)
    Clipped([p], lr=0.5).step()
    assert np.array_equal(p.numpy(), np.full(shape, 0.5, np.float32))
    for kind, slot, value in ((Remembering, "before", 0.5), (Twice, "again", -2.5)):
        optimizer = kind([p], lr=0.5)
        optimizer.step()
        assert type(p.array) is np.ndarray
        assert optimizer.plans == {}
        np.testing.assert_array_equal(optimizer.state[0][slot], np.full(shape, value, np.float32))
    np.testing.assert_array_equal(p.numpy(), np.full(shape, -2.5, np.float32))


class Warm(AdamW):
    """A learning rate that grows by itself, which AdamW uses in a number; ``moving`` is AdamW's and does not say so."""

    def scalars(self, missed=0):
        given = super().scalars(missed)
        rate = given["lr"] * min(1, (self.steps - missed + 1) / 4)
        return given | {"lr": rate, "size": given["size"] * rate / given["lr"]}


class Rooted(Optimizer):
    """Numbers that are made of a number that changes; a branch on it."""

    def scalars(self, missed=0):
        return {"t": self.steps - missed + 1.0, "lr": self.lr}

    def update(self, w, g, state, *, t, lr):
        return (w - lr / math.sqrt(t) * g if t > 1 else w - lr * g), {}


@pytest.mark.parametrize("kind", [Warm, Rooted])
@pytest.mark.parametrize("shape", [(3,), (70, 60)])
def test_numbers_that_change_by_themselves_are_those_of_the_step(kind, shape):
    def run(planned):
        rng = np.random.default_rng(0)
        parameters = [parameter(rng.standard_normal(shape)) for _ in range(3)]
        optimizer = kind(parameters, lr=0.5)
        if not planned:
            optimizer.planned = lambda scalars: {}
        walk(optimizer, parameters, 8, missing={(0, 1), (1, 1), (2, 2), (5, 0)})
        return [p.array.tobytes() for p in parameters]

    assert run(planned=True) == run(planned=False)


def test_a_mistake_in_a_method_of_ones_own_is_told():
    class Wrong(Optimizer):
        def update(self, w, g, state, *, lr):
            return w - lr * g.gradient, {}

    with pytest.raises(AttributeError, match="gradient"):
        Wrong([parameter([1.0], [1.0])], lr=0.1).step()
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        Optimizer([parameter([1.0], [1.0])], lr=0.1).step()


def test_all_methods_are_exported_and_tested():
    methods = {kind for kind in vars(optim).values() if isinstance(kind, type) and issubclass(kind, Optimizer)}
    assert methods - {Optimizer} == {kind for kind, _, _ in CASES.values()}
    assert {kind.__name__ for kind in methods} < set(optim.__all__)


@cases
def test_every_method_trains(case):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 2)).astype(np.float32)
    labels = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = nn.MLP([2, 8, 2], "tanh", rng=0)
    optimizer = made(case, model.parameters(), lr=0.05)
    first = float(nn.cross_entropy(model(X), labels))
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), labels)
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.8 * first


# --- a method without settings ----------------------------------------------------------------------------------------


class Halving(Optimizer):
    """w − g / 2."""

    def update(self, w, g, state):
        return w - g / 2, {}


def test_a_method_needs_no_settings():
    p = parameter([1.0, -2.0], [0.5, 1.0])
    optimizer = Halving([p])
    optimizer.step()
    assert p.numpy().tolist() == [0.75, -2.5]
    twin = Halving([parameter([0.0, 0.0])])
    twin.load_state_dict(optimizer.state_dict())
    assert twin.steps == 1
    assert pickle.loads(pickle.dumps(optimizer)).steps == 1  # noqa: S301  # our own


def test_a_method_without_settings_is_compiled_too():
    p, q = parameter([1.0, -2.0]), parameter([1.0, -2.0])
    step = tinygrad_mlp.compile(lambda x: (p * x).sum() ** 2, Halving([p]))
    by_hand = Halving([q])
    for x in ([0.5, 0.25], [0.125, 0.5]):
        step(np.array(x))
        by_hand.zero_grad()
        ((q * np.array(x)).sum() ** 2).backward()
        by_hand.step()
    np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-14)


def test_a_misspelt_optimiser_comes_with_the_nearest():
    with pytest.raises(AttributeError, match=r"tinygrad_mlp\.optim 'Adm': did you mean 'Adam'"):
        optim.Adm  # noqa: B018
