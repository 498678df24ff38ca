"""SGD and gradient clipping."""

import numpy as np
import pytest

from tinygrad_mlp import Tensor, nn
from tinygrad_mlp.errors import GraphError, SettingError, TensorTypeError
from tinygrad_mlp.optim import SGD, clip_grad_norm


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
        ([], SettingError, "no parameters"),
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
