"""Layers, models, initialisers and losses."""

import copy
import math

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, manual, nn
from tinygrad_mlp.errors import DataError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.kernels.random import keep_mask
from tinygrad_mlp.nn import init
from tinygrad_mlp.nn.dropout import draw
from tinygrad_mlp.nn.layers import ACTIVATIONS
from tinygrad_mlp.nn.losses import loss_named


def slopes(f, x):
    """∂f/∂x by central differences, every entry."""
    found = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        h = np.zeros(x.shape)
        h[i] = 1e-6 * max(1, abs(x[i]))
        found[i] = (f(x + h) - f(x - h)) / (2 * h[i])
    return found


# --- Module -----------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """Parameters in attributes, in a list, a tuple and a dict; one shared; two modules deep."""

    def __init__(self):
        self.scale = nn.Parameter(np.float32(2))
        self.blocks = [nn.Linear(2, 3, rng=0), (nn.Linear(3, 1, bias=False, rng=1),)]
        self.heads = {"a": nn.Parameter([1.0]), "b": nn.Sequential(nn.Linear(1, 1, rng=2))}
        self.tied = self.scale
        self.twin = self.blocks[0]
        self.plain = Tensor([1.0], requires_grad=True)  # no Parameter
        self.number = 3


NAMES = ["scale", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight", "heads.a", "heads.b.0.weight", "heads.b.0.bias"]


def test_parameters_are_found_in_definition_order_and_once():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert net.parameters() == [p for _, p in net.named_parameters()]
    assert len({id(p) for p in net.parameters()}) == len(NAMES)
    assert net.count_parameters() == 1 + 6 + 3 + 3 + 1 + 1 + 1


def test_the_model_itself_and_all_modules_inside_are_listed_once():
    assert [name for name, _ in Net().named_modules()] == ["", "blocks.0", "blocks.1.0", "heads.b", "heads.b.0"]


def test_modules_that_hold_each_other_are_walked_once():
    parent, child = nn.Module(), nn.Module()
    parent.child, child.parent, child.w = child, parent, nn.Parameter(1.0)
    assert [name for name, _ in parent.named_parameters()] == ["child.w"]


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Net has no forward"):
        Net()(1.0)


def test_state_dict_is_a_copy_and_loads_back():
    net, other = Net(), Net()
    state = net.state_dict()
    assert list(state) == NAMES
    other.scale.data = np.float32(7)
    other.load_state_dict(state)
    assert all(np.array_equal(other.state_dict()[name], value) for name, value in state.items())
    state["blocks.0.weight"][:] = 99
    assert not (net.blocks[0].weight.numpy() == 99).any()
    assert not (other.blocks[0].weight.numpy() == 99).any()


def test_state_goes_through_an_npz_file(tmp_path):
    net = nn.MLP([3, 2], rng=0)
    np.savez(tmp_path / "state.npz", **net.state_dict())
    other = nn.MLP([3, 2], rng=1)
    with np.load(tmp_path / "state.npz") as state:
        other.load_state_dict(state)
    assert np.array_equal(other.linear1.weight.numpy(), net.linear1.weight.numpy())


def test_loading_keeps_the_dtype_of_the_parameters():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": [[2]], "bias": np.array([0.5])})
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert layer.weight.tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"bias": None}, ShapeError, "no bias: 1 of 2"),
        ({"bais": np.ones(2)}, UnknownNameError, "did you mean 'bias'"),
        ({"bias": np.ones(3)}, ShapeError, r"bias has shape \(2,\), but the state holds shape \(3,\)"),
        ({"bias": np.ones((2, 1))}, ShapeError, "bias has shape"),
        ({"bias": np.array(["1", "2"])}, TensorTypeError, "bias holds float32"),
        ({"bias": np.array([1j, 2])}, TensorTypeError, "complex128"),
        ({"bias": np.array([None, None])}, TensorTypeError, "object"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_before_anything_changes(change, error, message):
    layer = nn.Linear(3, 2, rng=0)
    before = layer.state_dict()
    state = {"weight": np.zeros((3, 2)), "bias": np.ones(2)} | change
    with pytest.raises(error, match=message):
        layer.load_state_dict({name: value for name, value in state.items() if value is not None})
    assert all(np.array_equal(layer.state_dict()[name], before[name]) for name in before)


def test_train_and_eval_reach_every_module_and_return_the_model():
    net = Net()
    inside = [m for _, m in net.named_modules()]
    assert all(m.training for m in inside)
    assert net.eval() is net
    assert not any(m.training for m in inside)
    assert net.train() is net
    assert all(m.training for m in inside)
    assert nn.ReLU().training  # other models are not touched


def test_zero_grad_forgets_every_gradient():
    model = nn.MLP([2, 3, 1], rng=0)
    model(np.ones((4, 2), np.float32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_repr_shows_settings_and_parameter_counts():
    lines = repr(nn.Sequential(nn.Linear(4, 300, bias=False), nn.LeakyReLU(0.2), nn.Softmax(), nn.Linear(300, 2))).split("\n")
    assert [" ".join(line.split()) for line in lines] == [
        "Sequential() 1,802 parameters",
        "(0): Linear(4, 300, bias=False) 1,200 parameters",
        "(1): LeakyReLU(negative_slope=0.2)",
        "(2): Softmax(axis=-1)",
        "(3): Linear(300, 2) 602 parameters",
    ]


def test_a_deepcopy_is_independent_and_keeps_what_is_shared_shared():
    net = Net()
    twin = copy.deepcopy(net)
    assert [name for name, _ in twin.named_parameters()] == NAMES
    assert twin.tied is twin.scale
    assert twin.twin is twin.blocks[0]
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in net.parameters()}
    twin.scale.data = np.float32(9)
    twin.blocks[0].weight.array[:] = 0
    assert float(net.scale) == 2
    assert net.blocks[0].weight.numpy().any()


# --- Linear, MLP, Sequential, Flatten -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (5, 3), (0, 3), (2, 5, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_x_w_plus_b_on_rows_of_any_array(shape, bias):
    rng = np.random.default_rng(0)
    layer = nn.Linear(3, 2, bias=bias, dtype=np.float64, rng=1)
    x, seed = rng.standard_normal(shape), rng.standard_normal((*shape[:-1], 2))
    b = np.zeros(2)
    if bias:
        layer.bias.data = b = rng.standard_normal(2)
    assert (layer.bias is None) == (not bias)
    W = layer.weight.numpy()
    xt = Tensor(x, requires_grad=True)
    z = layer(xt)
    np.testing.assert_allclose(z.numpy(), np.einsum("...j,jk->...k", x, W) + b, rtol=1e-13)
    z.backward(seed)
    rows, seeds = x.reshape(-1, 3), seed.reshape(-1, 2)
    np.testing.assert_allclose(layer.weight.grad, np.einsum("ij,ik->jk", rows, seeds), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(xt.grad, np.einsum("...k,jk->...j", seed, W), rtol=1e-12)
    if bias:
        np.testing.assert_allclose(layer.bias.grad, seeds.sum(axis=0), rtol=1e-12, atol=1e-14)


def test_linear_starts_with_zero_biases_and_float32():
    layer = nn.Linear(3, 2, rng=0)
    assert layer.bias.tolist() == [0, 0]
    assert layer.weight.dtype == layer.bias.dtype == np.float32
    assert layer(np.ones((1, 3), np.float32)).dtype == np.float32


@pytest.mark.parametrize(("fan_in", "fan_out"), [(0, 2), (2, 0), (-1, 2), (2.5, 2), ("3", 2), (None, 2)])
def test_linear_refuses_sizes_that_are_no_positive_integers(fan_in, fan_out):
    with pytest.raises(ShapeError, match="must be a whole number from 1 up"):
        nn.Linear(fan_in, fan_out)


def test_linear_refuses_an_initialiser_of_another_shape():
    with pytest.raises(ShapeError, match=r"weights of shape \(2, 3\), not \(3, 2\)"):
        nn.Linear(3, 2, init=lambda shape, rng, dtype: np.zeros(shape[::-1], dtype))


def test_linear_names_the_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="4 columns meet 3 rows"):
        nn.Linear(3, 2)(np.ones((5, 4), np.float32))


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (lambda: nn.Linear(784, 512, bias=False), 401_408),
        (lambda: nn.MLP([784, 512, 10]), 407_050),
        (lambda: nn.MLP([784, 128, 10]), 101_770),
        (lambda: nn.MLP([3072, 512, 256, 10]), 1_707_274),
        (lambda: nn.MLP([784, 128, 10], bias=False), 101_770 - 138),
    ],
)
def test_parameter_counts(model, count):
    assert model().count_parameters() == count


def test_mlp_puts_the_activation_between_its_layers_and_not_after_the_last():
    model, x = nn.MLP([4, 5, 6, 3], "tanh", dtype=np.float64, rng=0), np.random.default_rng(0).standard_normal((7, 4))
    (W1, b1), (W2, b2), (W3, b3) = [(layer.weight.numpy(), layer.bias.numpy()) for layer in model.linears]
    np.testing.assert_allclose(model(x).numpy(), np.tanh(np.tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3, rtol=1e-13)
    names = [f"linear{l}.{kind}" for l in (1, 2, 3) for kind in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == names


def test_mlp_takes_a_module_as_activation():
    model = nn.MLP([2, 3, 1], nn.LeakyReLU(0.5), dtype=np.float64, rng=0)
    x = np.array([[1.0, -1.0]])
    z = x @ model.linear1.weight.numpy()
    np.testing.assert_allclose(model(x).numpy(), np.where(z > 0, z, z / 2) @ model.linear2.weight.numpy(), rtol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_default_initialiser_fits_the_activation(activation):
    he = {"relu", "leaky_relu", "softplus"}
    fitting = init.he_normal if activation in he else init.lecun_normal if activation == "identity" else init.glorot_normal
    rng = np.random.default_rng(3)
    model = nn.MLP([5, 4, 3], activation, rng=3)
    for layer in model.linears:  # one generator, layer by layer
        assert np.array_equal(layer.weight.numpy(), fitting(layer.weight.shape, rng))


def test_a_seed_fixes_the_weights():
    def weights(seed):
        return nn.MLP([6, 5, 4], rng=seed).linear2.weight.numpy()

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))
    assert not np.array_equal(nn.MLP([4, 4, 4], rng=1).linear1.weight.numpy(), nn.MLP([4, 4, 4], rng=1).linear2.weight.numpy())


def test_a_generator_is_used_up_not_copied():
    rng = np.random.default_rng(0)
    first, second = nn.Linear(3, 3, rng=rng), nn.Linear(3, 3, rng=rng)
    assert not np.array_equal(first.weight.numpy(), second.weight.numpy())


@pytest.mark.parametrize("name", init.INITIALISERS)
def test_float32_weights_are_the_rounded_float64_weights_of_the_same_seed(name):
    narrow, wide = (nn.MLP([6, 5, 4], init=name, dtype=dtype, rng=7).parameters() for dtype in (np.float32, np.float64))
    for a, b in zip(narrow, wide, strict=True):
        assert (a.dtype, b.dtype) == (np.float32, np.float64)
        assert np.array_equal(a.numpy(), b.numpy().astype(np.float32))


@pytest.mark.parametrize("sizes", [[], [4], [4, 0], [0, 4], [4, -1, 2], [2.7, 3], ["4", 3], "43"])
def test_mlp_refuses_sizes_that_are_no_positive_integers(sizes):
    with pytest.raises(ShapeError):
        nn.MLP(sizes)


@pytest.mark.parametrize(
    ("make", "nearest"),
    [
        (lambda: nn.MLP([2, 2], "rleu"), "relu"),
        (lambda: nn.MLP([2, 2], "Tanh"), "tanh"),
        (lambda: nn.MLP([2, 2], init="he_norml"), "he_normal"),
        (lambda: nn.Linear(2, 2, init="glorot"), "glorot_normal"),
        (lambda: loss_named("cross_entrpy"), "cross_entropy"),
        (lambda: loss_named("MSELoss"), "mse_loss"),
        (lambda: nn.MSELoss("men"), "mean"),
        (lambda: nn.mse_loss(Tensor([1.0]), [1.0], reduction="summ"), "sum"),
    ],
)
def test_unknown_names_come_with_the_nearest_known_one(make, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean .*'{nearest}'"):
        make()


def test_sequential_applies_its_modules_in_turn():
    a, b = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)
    model, x = nn.Sequential(a, nn.Tanh(), b), np.ones((5, 3), np.float32)
    assert np.array_equal(model(x).numpy(), b(nn.Tanh()(a(x))).numpy())
    assert (len(model), model[0], model[-1], list(model)) == (3, a, b, [model[0], model[1], model[2]])
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_sequential_without_modules_is_the_identity():
    assert nn.Sequential()(3.0) == 3.0


@pytest.mark.parametrize("i", [2, -3])
def test_sequential_refuses_an_index_out_of_range(i):
    with pytest.raises(IndexError, match="has 2 modules"):
        nn.Sequential(nn.ReLU(), nn.ReLU())[i]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="item 1 must be a module"):
        nn.Sequential(nn.ReLU(), [nn.ReLU()])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (tg.relu, r"\(got relu\): write nn\.ReLU\(\)"),
        (np.tanh, r"\(got tanh\): write nn\.Tanh\(\)"),
        ("gelu", r"\(got 'gelu'\): write nn\.GELU\(\)"),
        (nn.Softmax, r"\(got the class Softmax\): write nn\.Softmax\(\)"),
        (np.sort, r"\(got sort\): call the function in the forward"),
        (np.ones((40, 40)), r"\(got an array of shape \(40, 40\)\)"),
    ],
)
def test_what_is_no_module_comes_with_what_to_write(item, words):
    with pytest.raises(TensorTypeError, match=words):
        nn.Sequential(nn.Linear(2, 2), item)
    if not isinstance(item, str):
        with pytest.raises(TensorTypeError, match=words):
            nn.MLP([2, 2], activation=item)


def test_sequential_names_the_item_whose_forward_returns_nothing():
    class Silent(nn.Module):
        def forward(self, x):
            x + 1

    with pytest.raises(TensorTypeError, match=r"item 1 of this Sequential gives None: Silent\.forward returns None"):
        nn.Sequential(nn.ReLU(), Silent(), nn.ReLU())(np.ones(2))


@pytest.mark.parametrize(
    ("name", "words"), [("Liner", "did you mean 'Linear'"), ("Dense", r"write nn\.Linear"), ("Conv4d", "Conv")]
)
def test_a_misspelt_layer_comes_with_the_nearest(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(nn, name)
    assert not hasattr(nn, "__wrapped__")


@pytest.mark.parametrize(
    ("outputs", "targets", "words"),
    [
        ((4, 1), (4,), r"differ: write y\.reshape\(\(4, 1\)\)$"),
        ((4,), (4, 1), r"differ: write y\.reshape\(\(4,\)\)$"),
        ((4, 3), (4,), r"for class labels write np\.eye\(3\)\[y\]; for one target a row the model must have one output$"),
        ((4, 3), (4, 2), "differ: each prediction needs its own target$"),
    ],
)
def test_targets_that_do_not_fit_come_with_what_does(outputs, targets, words):
    with pytest.raises(ShapeError, match=words):
        nn.mse_loss(Tensor(np.zeros(outputs)), np.zeros(targets))


def test_flatten_keeps_the_planes_in_turn():
    x = np.arange(2 * 3 * 32 * 32.0).reshape(2, 3, 32, 32)
    flat = nn.Flatten()(Tensor(x, requires_grad=True))
    assert flat.shape == (2, 3072)
    planes = [x[1, colour].ravel() for colour in range(3)]
    assert np.array_equal(flat.numpy()[1], np.concatenate(planes))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (0, 3, 2), (4, 2, 3)])
def test_flatten_sends_the_gradient_back_in_place(shape):
    x = Tensor(np.zeros(shape), requires_grad=True)
    flat = nn.Flatten()(x)
    assert flat.shape == (shape[0], math.prod(shape[1:]))
    seed = np.arange(flat.size * 1.0).reshape(flat.shape)
    flat.backward(seed)
    assert np.array_equal(x.grad, seed.reshape(shape))


def test_flatten_refuses_a_single_number():
    with pytest.raises(ShapeError, match="an axis of samples"):
        nn.Flatten()(Tensor(1.0))


# --- activations --------------------------------------------------------------------------------------------------------

FORMULAS = {
    "relu": (nn.ReLU(), lambda x: np.where(x > 0, x, 0)),
    "leaky_relu": (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu(0.3)": (nn.LeakyReLU(0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "sigmoid": (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (nn.Tanh(), lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
    "softplus": (nn.Softplus(), lambda x: np.log(1 + np.exp(x))),
    "softmax": (nn.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)),
    "softmax(axis=0)": (nn.Softmax(axis=0), lambda x: np.exp(x) / np.exp(x).sum(axis=0)),
    "identity": (nn.Identity(), lambda x: x),
    "silu": (nn.SiLU(), lambda x: x / (1 + np.exp(-x))),
    "log_sigmoid": (nn.LogSigmoid(), lambda x: -np.log(1 + np.exp(-x))),
    "softsign": (nn.Softsign(), lambda x: x / (1 + np.abs(x))),
    "gelu": (nn.GELU(), lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    "gelu(tanh)": (nn.GELU("tanh"), lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    "elu": (nn.ELU(), lambda x: np.where(x > 0, x, np.expm1(x))),
    "elu(0.5)": (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "hardtanh": (nn.Hardtanh(), lambda x: np.clip(x, -1, 1)),
    "hardtanh(-2, 3)": (nn.Hardtanh(-2, 3), lambda x: np.clip(x, -2, 3)),
}


def test_every_activation_is_tested():
    modules = {value for value in vars(nn).values() if isinstance(value, type) and issubclass(value, nn.Activation)}
    assert {type(module) for module, _ in FORMULAS.values()} == modules - {nn.Activation, nn.GLU}
    assert {module.name for module, _ in FORMULAS.values()} > set(ACTIVATIONS)


def test_glu_halves_the_features():
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(nn.GLU()(x), x[:, :2] / (1 + np.exp(-x[:, 2:])), rtol=1e-14)
    model = nn.Sequential(nn.Linear(2, 8), nn.GLU(), nn.Linear(4, 1))
    model(np.ones((3, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert repr(nn.GLU(axis=0)) == "GLU(axis=0)"
    with pytest.raises(ValueError, match="did you mean 'tanh'"):
        nn.GELU("tahn")


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_have_the_values_and_slopes_of_their_formulas(name):
    module, formula = FORMULAS[name]
    rng = np.random.default_rng(0)
    x, seed = rng.uniform(-4, 4, (3, 5)), rng.standard_normal((3, 5))
    t = Tensor(x, requires_grad=True)
    z = module(t)
    np.testing.assert_allclose(z.numpy(), formula(x), rtol=1e-13, atol=1e-15)
    (z * seed).sum().backward()
    np.testing.assert_allclose(t.grad, slopes(lambda v: float((formula(v) * seed).sum()), x), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_survive_large_inputs_and_keep_float32(name):
    x = Tensor(np.array([[-1000.0, 0.0, 1000.0]], np.float32), requires_grad=True)
    z = FORMULAS[name][0](x)
    z.sum().backward()
    assert z.dtype == x.grad.dtype == np.float32
    assert np.isfinite(z.numpy()).all()
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize(("module", "slope"), [(nn.ReLU(), 0.0), (nn.LeakyReLU(0.25), 0.25)])
def test_the_slope_at_the_kink_is_the_one_on_the_left(module, slope):
    x = Tensor([0.0], requires_grad=True)
    module(x).sum().backward()
    assert x.grad.tolist() == [slope]


# --- initialisers -------------------------------------------------------------------------------------------------------

FAN_IN, FAN_OUT = 400, 250
VARIANCES = {
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,
    "normal": 1e-4,
}


@pytest.mark.parametrize("name", VARIANCES)
def test_initialisers_draw_from_their_distributions(name):
    x, variance = getattr(init, name)((FAN_IN, FAN_OUT), rng=0, dtype=np.float64), VARIANCES[name]
    assert abs(x.mean()) < 5 * math.sqrt(variance / x.size)
    assert x.var() == pytest.approx(variance, rel=0.03)
    if "uniform" in name:
        bound = math.sqrt(3 * variance)
        assert 0.999 * bound < x.max() <= bound
        assert -bound <= x.min() < -0.999 * bound
    assert (x**4).mean() / variance**2 == pytest.approx(1.8 if "uniform" in name else 3, rel=0.05)


def test_zeros_draws_nothing():
    rng = np.random.default_rng(0)
    assert not init.zeros((2, 3), rng).any()
    assert rng.random() == np.random.default_rng(0).random()


def test_normal_takes_a_standard_deviation():
    assert np.allclose(init.normal((3, 2), 0, std=0.5), 50 * init.normal((3, 2), 0))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_synonyms_are_the_same_functions(kind):
    assert getattr(init, f"kaiming_{kind}") is getattr(init, f"he_{kind}")
    assert getattr(init, f"xavier_{kind}") is getattr(init, f"glorot_{kind}")
    for name, function in init.INITIALISERS.items():
        assert init.by_name(name) is function is getattr(init, name)


@pytest.mark.parametrize("shape", [(784, 128), (64, 32), (7, 5), (3, 10), (1, 1), (3072, 11)])
@pytest.mark.parametrize("name", [*VARIANCES, "zeros"])
def test_initialisers_equal_those_of_the_manual_backprop(name, shape):
    ours = getattr(init, name)(shape, rng=np.random.default_rng(5), dtype=np.float64)
    by_hand = getattr(manual, name)(*shape, *([] if name == "zeros" else [np.random.default_rng(5)]))
    assert np.array_equal(ours, by_hand)


# --- losses -------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(1)
LOGITS, P = RNG.standard_normal((4, 3)), RNG.dirichlet(np.ones(3), 4)
LABELS, SOFT = np.array([2, 0, 1, 1]), RNG.uniform(0, 1, (4, 3))
ROWS = np.arange(4)


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# function, module, predictions, targets, the terms of the sum
LOSSES = {
    "cross_entropy": (nn.cross_entropy, nn.CrossEntropyLoss, LOGITS, LABELS, lambda z: -log_softmax(z)[ROWS, LABELS]),
    "bce": (
        nn.binary_cross_entropy_with_logits,
        nn.BCEWithLogitsLoss,
        LOGITS,
        SOFT,
        lambda z: -SOFT * np.log(sigmoid(z)) - (1 - SOFT) * np.log(1 - sigmoid(z)),
    ),
    "mse": (nn.mse_loss, nn.MSELoss, LOGITS, SOFT, lambda a: (a - SOFT) ** 2),
    "cross_entropy_probabilities": (
        nn.cross_entropy_probabilities,
        nn.CrossEntropyProbabilitiesLoss,
        P,
        LABELS,
        lambda p: -np.log(p[ROWS, LABELS] + 1e-7),
    ),
    "bce_probabilities": (
        nn.binary_cross_entropy,
        nn.BCELoss,
        P,
        SOFT,
        lambda p: -SOFT * np.log(p + 1e-7) - (1 - SOFT) * np.log(1 - p + 1e-7),
    ),
}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_the_values_and_gradients_of_their_formulas(name, reduction):
    function, module, predictions, targets, terms = LOSSES[name]
    reduce = getattr(np, reduction)
    x = Tensor(predictions, requires_grad=True)
    loss = function(x, targets, reduction=reduction)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(reduce(terms(predictions)), rel=1e-13)
    assert float(module(reduction)(x, targets)) == float(loss)
    loss.backward()
    np.testing.assert_allclose(x.grad, slopes(lambda v: reduce(terms(v)), predictions), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_mean_by_default_and_keep_float32(name):
    function, module, predictions, targets, terms = LOSSES[name]
    x = Tensor(predictions.astype(np.float32), requires_grad=True)
    loss = function(x, targets)  # float64 or integer targets do not widen it
    loss.backward()
    assert loss.dtype == x.grad.dtype == np.float32
    assert float(loss) == pytest.approx(terms(predictions).mean(), rel=1e-5)
    assert module().reduction == "mean"
    assert isinstance(loss_named(name), module)
    assert isinstance(loss_named(function.__name__), module)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_take_tensors_as_targets(name):
    function, _, predictions, targets, _ = LOSSES[name]
    assert float(function(Tensor(predictions), Tensor(targets))) == float(function(predictions, targets))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_take_plain_lists(name):
    function, module, predictions, targets, _ = LOSSES[name]
    value = float(function(predictions, targets))
    assert float(function(predictions.tolist(), targets.tolist())) == value
    assert float(function(Tensor(predictions), targets.tolist())) == value
    assert float(function(predictions.tolist(), Tensor(targets))) == value
    assert float(module()(predictions.tolist(), targets.tolist())) == value


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy, nn.binary_cross_entropy_with_logits])
def test_targets_of_a_binary_cross_entropy_are_shares(loss):
    assert np.isfinite(loss([0.5, 0.5], [0.0, 1.0]))
    assert loss(np.zeros((0,)), np.zeros((0,)), reduction="sum") == 0
    for y, given in ([-0.25, 1.0], "from -0.25 to 1.0"), ([0.0, 1.25], "from 0.0 to 1.25"), ([0.5, math.nan], "from nan to nan"):
        with pytest.raises(DataError, match=f"lie in \\[0, 1\\], these {given}"):
            loss(Tensor([0.5, 0.5], requires_grad=True), y)


@pytest.mark.parametrize(
    ("predictions", "targets", "cure"),
    [
        ((4, 1), (4,), r"write y.reshape\(\(4, 1\)\)"),
        ((4, 3), (4,), r"for class labels write np.eye\(3\)\[y\]; for one target a row the model must have one output"),
        ((4, 3), (3,), "each prediction needs its own target"),
        ((), (3,), "each prediction needs its own target"),
    ],
)
def test_targets_of_another_shape_come_with_what_to_write(predictions, targets, cure):
    for loss in (nn.mse_loss, nn.binary_cross_entropy, nn.binary_cross_entropy_with_logits):
        with pytest.raises(ShapeError, match=cure):
            loss(np.full(predictions, 0.5), np.ones(targets))


@pytest.mark.parametrize("size", [1000.0, -1000.0])
@pytest.mark.parametrize(
    ("loss", "targets", "worst"),
    [
        (nn.cross_entropy, np.array([0, 1]), 500.0),
        (nn.binary_cross_entropy_with_logits, np.array([[1.0, 0.0], [1.0, 0.0]]), 500.0),
    ],
)
def test_fused_losses_are_finite_for_huge_logits(loss, targets, worst, size):
    z = Tensor(size * np.array([[1.0, 0.0], [1.0, 0.0]]), requires_grad=True)
    value = loss(z, targets)
    value.backward()
    assert np.isfinite(z.grad).all()
    # cross-entropy: one row of the two is wrong by 1000; BCE: the zeros cost log 2, the rest nothing or 1000 each
    expected = worst if loss is nn.cross_entropy else (2 * math.log(2) + (2000 if size < 0 else 0)) / 4
    assert float(value) == pytest.approx(expected)


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.cross_entropy_probabilities])
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 3], DataError, "label 3 is out of range: 3 classes are numbered 0 to 2"),
        ([-1, 0], DataError, "label -1 is out of range"),
        ([0.0, 1.0], DataError, "must be integers.*float64"),
        ([True, False], DataError, "must be integers.*bool"),
        (["a", "b"], DataError, "must be integers"),
        ([0, 1, 2], ShapeError, r"labels of shape \(3,\) do not fit predictions of shape \(2, 3\)"),
        ([[0], [1]], ShapeError, r"write y.reshape\(-1\) for a column"),
        ([[0, 1, 0], [1, 0, 0]], ShapeError, r"y.argmax\(-1\) for one-hot rows"),
        (0, ShapeError, r"labels of shape \(\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loss, labels, error, message):
    with pytest.raises(error, match=message):
        loss(Tensor(np.full((2, 3), 1 / 3), requires_grad=True), labels)


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy_with_logits, nn.binary_cross_entropy, nn.mse_loss])
@pytest.mark.parametrize(("predictions", "targets"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 2), (2,)), ((4,), ())])
def test_targets_of_another_shape_are_refused_instead_of_broadcast(loss, predictions, targets):
    with pytest.raises(ShapeError, match=r"predictions of shape .* and targets of shape .* differ"):
        loss(Tensor(np.full(predictions, 0.5), requires_grad=True), np.ones(targets))


@pytest.mark.parametrize(
    ("loss", "predictions", "expected"),
    [
        (nn.mse_loss, [1, 2], (0.75**2 + 1.25**2) / 2),
        (nn.binary_cross_entropy, [1, 0], -0.75 * math.log(1e-7)),
    ],
)
def test_integer_predictions_do_not_round_the_targets(loss, predictions, expected):
    assert float(loss(np.array(predictions), np.array([0.25, 0.75]))) == pytest.approx(expected)


def test_eps_is_part_of_the_function_that_is_differentiated():
    p, y, eps = np.array([[0.1, 0.9], [0.4, 0.6]]), np.array([0, 1]), 0.25
    t = Tensor(p, requires_grad=True)
    nn.cross_entropy_probabilities(t, y, eps=eps).backward()
    np.testing.assert_allclose(t.grad, [[-1 / (2 * 0.35), 0], [0, -1 / (2 * 0.85)]], rtol=1e-14)
    t.zero_grad()
    nn.BCELoss(eps=eps)(t, np.eye(2)).backward()
    expected = np.where(np.eye(2) == 1, -1 / (4 * (p + eps)), 1 / (4 * (1 - p + eps)))
    np.testing.assert_allclose(t.grad, expected, rtol=1e-14)


def test_eps_keeps_probabilities_of_zero_finite():
    p = Tensor([[0.0, 1.0]], requires_grad=True)
    loss = nn.cross_entropy_probabilities(p, [0])
    loss.backward()
    assert float(loss) == pytest.approx(-math.log(1e-7))
    np.testing.assert_allclose(p.grad, [[-1e7, 0]])


def test_l2_penalty_is_half_the_sum_of_squares():
    W = [Tensor(np.array([[1.0, -2.0]]), requires_grad=True), Tensor(np.array([3.0]), requires_grad=True)]
    penalty = nn.l2_penalty(iter(W), 0.1)
    penalty.backward()
    assert float(penalty) == pytest.approx(0.05 * 14)
    np.testing.assert_allclose(W[0].grad, [[0.1, -0.2]])
    np.testing.assert_allclose(W[1].grad, [0.3])


def test_l2_penalty_needs_tensors():
    with pytest.raises(ShapeError, match="at least one tensor"):
        nn.l2_penalty([], 0.1)


def test_two_parameters_of_one_name_are_refused():
    class Clash(nn.Module):
        def __init__(self):
            self.d = {1: nn.Parameter([1.0]), "1": nn.Parameter([2.0])}

    with pytest.raises(ValueError, match=r"two parameters of the name 'd\.1'"):
        Clash().state_dict()


# --- dropout ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (20, 30)])
def test_dropout_multiplies_by_a_mask_and_so_does_its_gradient(shape, dtype):
    rng = np.random.default_rng(1)
    x, g = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
    mask = keep_mask(shape, dtype, 0.3, np.random.default_rng(7))
    assert (type(mask), mask.dtype, mask.shape) == (np.ndarray, dtype, shape)
    assert set(np.unique(mask).tolist()) <= {0, dtype(1 / 0.7).item()}
    t = Tensor(x, requires_grad=True)
    z = nn.Dropout(0.3, rng=7)(t)
    assert z.dtype == dtype
    assert np.array_equal(z.numpy(), x * mask)
    z.backward(g)
    assert t.grad.dtype == dtype
    assert np.array_equal(t.grad, g * mask)
    assert np.array_equal(nn.Dropout(0.3, rng=7)(x), x * mask)  # arrays stay arrays


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_that_many(p):
    n = 400_000
    z = nn.Dropout(p, rng=0)(np.ones(n))
    assert abs((z == 0).mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    assert abs(z.mean() - 1) < 5 * math.sqrt(p / (1 - p) / n)
    pairs = (z[1:] == 0) & (z[:-1] == 0)  # neighbours are independent
    assert pairs.mean() == pytest.approx(p * p, abs=5 * p / math.sqrt(n))


def test_dropout_masks_are_those_of_the_generator():
    x = np.ones((30, 40), np.float32)
    a, b, other = nn.Dropout(rng=3), nn.Dropout(rng=np.random.default_rng(3)), nn.Dropout(rng=4)
    first, second = a(x), a(x)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, b(x))
    assert np.array_equal(second, b(x))
    assert not np.array_equal(first, other(x))
    assert not np.array_equal(nn.Dropout()(x), nn.Dropout()(x))  # without a seed
    assert np.array_equal(nn.Dropout(rng=3)(x.astype(np.float64)) != 0, first != 0)  # every dtype has the same mask
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002  # the global state is not touched
    a(x)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002


def test_dropout_is_the_identity_in_evaluation_and_without_p():
    x = Tensor(np.ones(5), requires_grad=True)
    layer = nn.Dropout(0.5, rng=0)
    state = layer.rng.bit_generator.state
    assert layer.eval()(x) is x
    assert nn.Dropout(0)(x) is x
    assert layer.rng.bit_generator.state == state
    assert layer.train()(x) is not x


def test_dropout_has_no_graph_but_that_of_its_input_and_works_in_transforms():
    layer = nn.Dropout(0.5, rng=0)
    assert not layer(Tensor(np.ones(3))).requires_grad
    mask = keep_mask((6,), np.float64, 0.5, np.random.default_rng(5))
    x = np.arange(1.0, 7)
    layer = nn.Dropout(0.5, rng=5)
    np.testing.assert_allclose(tg.grad(lambda t: (layer(t) ** 2).sum())(x), 2 * x * mask * mask)
    model = nn.Sequential(nn.Linear(3, 8, rng=0), nn.Dropout(0.4, rng=1), nn.Linear(8, 2, rng=2))
    model(np.ones((4, 3), np.float32)).sum().backward()
    assert all(p.grad.dtype == np.float32 for p in model.parameters())
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert "Dropout(p=0.4)" in repr(model)


def test_a_reading_of_its_own_draws_masks_by_itself():
    class Symbol:
        dtype = np.dtype(np.float32)

        @staticmethod
        def _random(function, x, params):
            return function, x, params

    x, rng = Symbol(), np.random.default_rng(0)
    assert draw(x, 0.5, rng) == (keep_mask, x, {"p": 0.5, "rng": rng})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"p": 1.0}, SettingError, r"Dropout: p must be in \[0, 1\).*\(got 1\.0\)"),
        ({"p": -0.1}, SettingError, "p must be in"),
        ({"p": float("nan")}, SettingError, "p must be in"),
        ({"p": "half"}, TensorTypeError, "p must be a number"),
        ({"rng": "seed"}, SettingError, r"rng must be a seed or np\.random\.default_rng\(seed\) \(got 'seed'\)"),
        ({"rng": -1}, SettingError, "rng must be a seed"),
    ],
)
def test_dropout_refuses_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        nn.Dropout(**settings)


def test_dropout_refuses_whole_numbers():
    with pytest.raises(TensorTypeError, match=r"int64\[3\]; write x\.astype\(float\)"):
        nn.Dropout(rng=0)(np.arange(3))
    assert nn.Dropout(rng=0)([1.0, 2.0]).shape == (2,)


def test_what_is_computed_from_parameters_is_no_parameter() -> None:
    layer = nn.Linear(3, 2, rng=0)
    for result in (layer(np.ones((1, 3), np.float32)), layer.weight * 2, layer.weight[0], np.tanh(layer.weight)):
        assert type(result) is Tensor


@pytest.mark.parametrize("make", [lambda init: nn.Linear(3, 2, init=init), lambda init: nn.Conv2d(1, 2, 3, init=init)])
def test_an_initialiser_of_ones_own_gives_weights_of_the_layers_dtype(make):
    assert make(lambda shape, rng, dtype: np.ones(shape)).weight.dtype == np.float32


def test_weights_without_entries_are_refused():
    with pytest.raises(ShapeError, match="have no entries"):
        init.he_normal((0, 4))
