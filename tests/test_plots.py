"""The pictures show the data: the values of what is drawn are compared with the numbers that it was drawn from."""

from __future__ import annotations

import doctest
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import tinygrad_mlp as tg
from tinygrad_mlp import nn, optim
from tinygrad_mlp.errors import DataError, GraphError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.history import History
from tinygrad_mlp.viz import plots
from tinygrad_mlp.viz.plots.figures import COLOURS
from tinygrad_mlp.watching import ACTIVATION_STATISTICS, PARAMETER_STATISTICS, Watch, watch

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((60, 4)), np.arange(60) % 3


@pytest.fixture
def ax():
    return Figure().add_subplot()


def history(name: str = "", scale: float = 1.0) -> History:
    found = History(name)
    for epoch in range(1, 5):
        found.record(epoch=epoch, train_loss=scale / epoch, train_accuracy=1 - 0.5 / epoch)
        if epoch % 2 == 0:
            found.record(epoch=epoch, test_loss=2 * scale / epoch)
    return found


def lines(ax) -> dict[str, tuple[list[float], list[float]]]:
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}


def draws(ax) -> bytes:
    """Everything is drawn without a warning."""
    content = plots.png(ax)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return content


# --- histories --------------------------------------------------------------------------------------------------------


def test_a_history_is_drawn_as_recorded() -> None:
    panels = history("a run").plot()
    loss, accuracy = panels
    assert lines(loss) == {"train": ([1, 2, 3, 4], [1, 1 / 2, 1 / 3, 1 / 4]), "test": ([2, 4], [1, 0.5])}
    assert lines(accuracy) == {"train": ([1, 2, 3, 4], [0.5, 0.75, 1 - 0.5 / 3, 0.875])}
    assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == ("epoch", "loss", "accuracy")
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train", "test"]
    assert panels.figure.get_suptitle() == "a run"
    draws(panels)
    assert all(tick == int(tick) for tick in loss.get_xticks())
    assert {text.get_text()[-1] for text in accuracy.get_yticklabels()} == {"%"}
    assert loss.get_yscale() == "linear"


def test_every_accuracy_has_its_axis_in_per_cent() -> None:
    run = History()
    run.extend(epoch=[1, 2], train_loss=[0.9, 0.5], train_top_k_accuracy=[0.9, 0.95])
    loss, accuracy = run.plot()
    draws(accuracy)
    assert {text.get_text()[-1] for text in accuracy.get_yticklabels()} == {"%"}
    assert "%" not in "".join(text.get_text() for text in loss.get_yticklabels())


def test_several_runs_are_told_apart_by_colour_and_parts_by_line(ax) -> None:
    assert plots.histories([history("one"), history("", 100.0)], ax=ax) is ax
    drawn = lines(ax)
    assert list(drawn) == ["one train", "one test", "run 2 train", "run 2 test"]
    assert drawn["run 2 train"][1] == [100, 50, 100 / 3, 25]
    found = ax.get_lines()
    assert [to_rgb(line.get_color()) for line in found] == [to_rgb(COLOURS[i]) for i in (0, 0, 1, 1)]
    assert found[0].get_linestyle() != found[1].get_linestyle()
    assert found[0].get_marker() != found[2].get_marker()
    assert ax.get_yscale() == "log"  # more than a decade
    draws(ax)


def test_values_that_are_not_finite_are_marked_at_the_top(ax) -> None:
    broken = History()
    broken.extend(epoch=[1, 2, 3, 4], train_loss=[1.0, np.nan, 2.0, np.inf])
    broken.plot(ax)
    assert lines(ax)["NaN or infinite"][0] == [2, 4]
    assert np.array_equal(lines(ax)["train"][1], [1, np.nan, 2, np.nan], equal_nan=True)
    draws(ax)
    nothing = History()
    nothing.record(train_loss=np.nan)
    draws(nothing.plot())


def test_axes_are_taken_one_for_each_quantity() -> None:
    pair = Figure().subplots(1, 2)
    assert list(history().plot(pair)) == list(pair)
    assert [one.get_ylabel() for one in pair] == ["loss", "accuracy"]
    assert history().plot(pair[0], quantities=["accuracy"]).get_ylabel() == "accuracy"
    with pytest.raises(ShapeError, match=r"2 quantities \(loss, accuracy\) need as many axes, these are 3"):
        history().plot(Figure().subplots(1, 3))


def test_histories_that_cannot_be_drawn(ax) -> None:
    steps = History()
    steps.record(step=1, train_loss=1)
    with pytest.raises(SettingError, match="some histories count epochs and some steps"):
        plots.histories([history(), steps])
    with pytest.raises(SettingError, match="no history has a record"):
        History().plot()
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        history().plot(quantities=["acuracy"])
    with pytest.raises(TensorTypeError, match="draws History objects"):
        plots.histories([{"train_loss": [1]}])  # type: ignore[list-item]
    with pytest.raises(TensorTypeError, match=r"draws History objects \(got 5\)"):
        plots.histories(5)  # type: ignore[arg-type]
    with pytest.raises(TensorTypeError, match="ax must be one Axes"):
        history().plot(ax.figure)


# --- layers -----------------------------------------------------------------------------------------------------------


def watched(activation: str = "sigmoid", depth: int = 9, steps: int = 6) -> Watch:
    model = nn.MLP([4, *[12] * depth, 3], activation=activation, dtype=np.float64, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with watch(model) as seen:
        for _ in range(steps):
            optimizer.zero_grad()
            nn.cross_entropy(model(X), Y).backward()
            seen.record()
            optimizer.step()
    return seen


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_gradient_flow_shows_the_gradients_first_layer_at_the_top(ax) -> None:
    seen = watched()
    assert plots.gradient_flow(seen, ax) is ax
    names, _steps, values = seen.table("gradient")
    weights = [i for i, name in enumerate(names) if name.endswith("weight")]
    mesh = ax.collections[0]
    assert np.array_equal(mesh.get_array(), values[weights])
    assert isinstance(mesh.norm, LogNorm)
    assert rows(ax) == [f"linear{i + 1}" for i in range(10)]
    assert ax.get_ylim() == (10, 0)
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    assert "vanishing: linear1 has " in ax.get_title(loc="left")
    bottom, top = (mesh.cmap(mesh.norm(values[i, -1])) for i in (weights[-1], weights[0]))
    assert sum(bottom[:3]) > sum(top[:3]) + 0.8  # the first layer is dark, the last one bright
    told = [text.get_text() for text in ax.texts]
    assert told[0] == f"{values[weights[0], -1]:.1e}"
    draws(ax)


def test_a_healthy_network_is_not_called_sick(ax) -> None:
    seen = watched("relu")
    plots.gradient_flow(seen, ax)
    assert ax.get_title(loc="left") == "Gradients of the weights, layer by layer"
    low, high = ax.collections[0].norm.vmin, ax.collections[0].norm.vmax
    assert high / low >= 0.999e4  # so that layers that are much alike look alike


def test_zero_nan_and_missing_gradients_have_colours_of_their_own(ax) -> None:
    model = nn.MLP([4, 5, 5, 5, 3], dtype=np.float64, rng=0)
    seen = watch(model)
    for column in range(2):
        model.linear1.weight.grad = np.zeros((4, 5))
        model.linear2.weight.grad = np.full((5, 5), np.nan if column else 1.0)
        model.linear3.weight.grad = np.full((5, 5), np.inf) if column else None
        model.linear4.weight.grad = np.full((5, 3), 1e-3)
        seen.record()
    plots.gradient_flow(seen, ax)
    marked = {mesh.get_gid(): ~np.ma.getmaskarray(mesh.get_array()) for mesh in ax.collections if mesh.get_gid()}
    assert marked["exactly 0"].tolist() == [[True, True], [False, False], [False, False], [False, False]]
    assert marked["NaN or infinite"].tolist() == [[False, False], [False, True], [False, True], [False, False]]
    assert marked["none"].tolist() == [[False, False], [False, False], [True, False], [False, False]]
    colours = [tuple(mesh.to_rgba([1.0])[0]) for mesh in ax.collections if mesh.get_gid()]
    assert len(set(colours)) == 3
    assert [tuple(patch.get_facecolor()) for patch in ax.get_legend().get_patches()] == colours
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["exactly 0", "NaN or infinite", "none"]
    assert "NaN or infinite from step 2, in linear3 and others" in ax.get_title(loc="left")
    draws(ax)


def test_the_update_ratio_has_no_first_column(ax) -> None:
    plots.gradient_flow(watched("tanh", 2), ax, statistic="update_ratio", biases=True)
    assert np.ma.getmaskarray(ax.collections[0].get_array())[:, 0].all()
    assert "weights and biases" in plots.gradient_flow(watched("tanh", 2, 2), biases=True).get_title(loc="left")
    assert rows(ax) == [f"linear{i}.{what}" for i in (1, 2, 3) for what in ("weight", "bias")]
    draws(ax)


def test_the_signal_of_a_deep_sigmoid_network_fades(ax) -> None:
    seen = watched()
    plots.activations(seen, ax)
    shown = ax.collections[0].get_array()
    assert np.array_equal(shown, seen.table("spread", activations_only=True)[2])
    assert (np.diff(shown[:, -1]) < 0).all()
    assert shown[0, -1] > 1e3 * shown[-1, -1]
    assert rows(ax)[:2] == ["activation (1)", "activation (2)"]
    for statistic in ("mean", "zeros", "saturated", "std", "dead"):
        draws(plots.activations(seen, statistic=statistic))
    assert "linear1" in rows(plots.activations(seen, all_layers=True))


def test_planted_dead_units_are_seen(ax) -> None:
    model = nn.MLP([4, 8, 6, 3], dtype=np.float64, rng=0)
    model.linear1.bias.data[:6] = -1e3
    with watch(model) as seen:
        nn.cross_entropy(model(X), Y).backward()
        seen.record()
    assert plots.dead_units(seen, ax) is ax
    assert ax.collections[0].get_array()[0, 0] == 6 / 8
    assert ax.texts[0].get_text() == "75%"
    draws(ax)


def test_layers_that_cannot_be_drawn() -> None:
    model = nn.MLP([4, 3], rng=0)
    with pytest.raises(SettingError, match="no records yet"):
        plots.gradient_flow(watch(model))
    with pytest.raises(TensorTypeError, match="drawn from a watch"):
        plots.activations(model)  # type: ignore[arg-type]
    seen = watched("relu", 1, 1)
    with pytest.raises(SettingError, match="no layer of this model has the statistic 'saturated'"):
        plots.activations(seen, statistic="saturated")
    with pytest.raises(UnknownNameError, match="statistic of a parameter"):
        plots.gradient_flow(seen, statistic="mean")
    with pytest.raises(UnknownNameError, match="statistic of an activation"):
        plots.activations(seen, statistic="gradient")
    for parameter in model.parameters():
        parameter.grad = np.ones(parameter.shape, np.float32)
    with watch(model) as only:
        only.record()
    with pytest.raises(SettingError, match="no activation was seen"):
        plots.activations(only)


def test_a_hundred_layers_are_not_all_labelled() -> None:
    ax = plots.gradient_flow(watched("tanh", 99, 1))
    assert len(rows(ax)) == 20
    assert ax.get_ylim() == (100, 0)
    draws(ax)


# --- models -----------------------------------------------------------------------------------------------------------


def test_first_layer_shows_each_units_weights_on_one_scale(ax) -> None:
    model = nn.MLP([6, 5, 2], dtype=np.float64, rng=0)
    W = model.linear1.weight.data
    plots.first_layer(model, (2, 3), ax)
    sheet, image = np.asarray(ax.images[0].get_array().filled(np.nan)), ax.images[0]
    assert sheet.shape == (2 * 3 - 1, 3 * 4 - 1)
    for unit in range(5):
        top, left = unit // 3 * 3, unit % 3 * 4
        assert np.array_equal(sheet[top : top + 2, left : left + 3], W[:, unit].reshape(2, 3))
    assert np.isnan(sheet[2]).all()  # between the images
    assert np.isnan(sheet[3:, 8:]).all()  # there is no sixth unit
    assert image.norm.vmax == -image.norm.vmin == np.abs(W).max()
    assert ax.get_title(loc="left") == "Weights of linear1, 5 units"
    draws(ax)


def test_first_layer_of_colours_and_of_many_units() -> None:
    model = nn.MLP([12, 7, 2], dtype=np.float64, rng=0)
    ax = plots.first_layer(model, (3, 2, 2), limit=4)
    sheet, W = np.asarray(ax.images[0].get_array()), model.linear1.weight.data[:, :4]
    assert np.allclose(sheet[0, 0], (W[[0, 4, 8], 0] / np.abs(W).max() + 1) / 2)
    assert ax.get_title(loc="left") == "Weights of linear1, the first 4 of 7 units"
    draws(ax)
    for shape in ((5, 5), (12,), (2, 2, 3), (28, 28)):
        with pytest.raises(ShapeError, match=r"linear1\.weight takes 12 numbers a sample"):
            plots.first_layer(model, shape)
    with pytest.raises(SettingError, match="no weights that are a matrix"):
        plots.first_layer(nn.ReLU())


TRUE = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
SAID = np.array([0, 0, 1, 1, 1, 2, 2, 0, 2, 1])


def test_confusion_counts_and_shares(ax) -> None:
    plots.confusion_matrix(SAID, None, TRUE, ["a", "b", "c"], ax)
    assert np.allclose(ax.images[0].get_array(), [[2 / 3, 1 / 3, 0], [0, 1, 0], [1 / 5, 1 / 5, 3 / 5]])
    written = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "2\n67%", (0, 1): "1\n33%", (1, 1): "2\n100%", (2, 0): "1\n20%", (2, 1): "1\n20%", (2, 2): "3\n60%"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "the model says")
    assert ax.get_title(loc="left") == "70.0% right: 7 of 10"
    draws(ax)


def test_confusion_of_models_scores_and_logits() -> None:
    model = nn.Sequential(nn.Linear(4, 3, dtype=np.float64, rng=0), nn.Dropout(0.5, rng=0))
    model[1].training = True
    true, said = Y, (X @ model[0].weight.data).argmax(axis=1)
    expected = np.array([[np.sum((true == i) & (said == j)) for j in range(3)] for i in range(3)])
    shares = expected / expected.sum(axis=1, keepdims=True)
    for given in (model, lambda x: x @ model[0].weight.data, X @ model[0].weight.data, said):
        image = plots.confusion_matrix(given, X, Y).images[0]
        assert np.allclose(image.get_array(), shares)
    assert vars(model[1])["training"] is True  # as it was
    assert "training" not in vars(model[0])
    logits = np.array([-1.0, 2.0, 0.5, -3.0])
    image = plots.confusion_matrix(logits[:, None], None, np.array([0, 1, 0, 0])).images[0]
    assert np.allclose(image.get_array(), [[2 / 3, 1 / 3], [0, 1]])
    image = plots.confusion_matrix(1 / (1 + np.exp(-logits)), None, np.array([0, 1, 0, 0]), threshold=0.5).images[0]
    assert np.allclose(image.get_array(), [[2 / 3, 1 / 3], [0, 1]])
    draws(plots.confusion_matrix(np.arange(40), None, np.arange(40)))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((SAID, None, TRUE[:4]), ShapeError, "10 samples need as many labels, these have shape"),
        ((SAID, None, TRUE - 1), DataError, "whole numbers from 0 up"),
        ((SAID, None, TRUE + 0.5), DataError, "whole numbers from 0 up"),
        ((SAID, None, TRUE, ["a", "b"]), ShapeError, "labels up to 2, but only 2 names"),
        (("words", None, TRUE), TensorTypeError, "takes a model, or its predictions"),
        ((lambda x: x[:3], X, Y), ShapeError, "a row for each row of X"),
        ((SAID[:0], None, TRUE[:0]), DataError, "there are none"),
        ((SAID, None, TRUE + 10**9), DataError, "1,000 classes are the most"),
        ((lambda x: x * np.nan, X, Y), DataError, "60 of 60 outputs of the model are NaN, which is no class"),
    ],
)
def test_confusions_that_make_no_sense(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        plots.confusion_matrix(*arguments)


POINTS = RNG.uniform(-1, 1, (80, 2))


def test_the_boundary_of_a_line_is_that_line(ax) -> None:
    labels = (POINTS @ [1.0, 2.0] > 0.1).astype(int)
    labels[:3] = 1 - labels[:3]
    plots.decision_boundary(lambda x: (x @ np.array([[1.0], [2.0]])) - 0.1, POINTS, labels, ax)
    vertices = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    assert len(vertices) > 20
    assert np.abs(vertices @ [1.0, 2.0] - 0.1).max() < 1e-3  # squeezed a little between the points of the grid
    scattered = ax.collections[1:]
    assert sorted(map(tuple, np.concatenate([s.get_offsets() for s in scattered]))) == sorted(map(tuple, POINTS))
    for i, colour in enumerate(COLOURS[:2]):
        of_class = [s for s in scattered if tuple(s.get_facecolor()[0, :3]) == to_rgb(colour)]
        assert sorted(map(tuple, np.concatenate([s.get_offsets() for s in of_class]))) == sorted(map(tuple, POINTS[labels == i]))
    wrong = [s for s in scattered if s.get_zorder() > 2]  # over the right samples, and over the boundary
    assert sorted(map(tuple, np.concatenate([s.get_offsets() for s in wrong]))) == sorted(map(tuple, POINTS[:3]))
    assert {s.get_label() for s in scattered if s not in wrong} == {"class 0", "class 1"}
    assert ax.get_title(loc="left") == "80 samples, 3 of them wrong (black rings)"
    assert [to_rgb(s.get_edgecolor()[0]) for s in scattered] == [(0, 0, 0) if s in wrong else (1, 1, 1) for s in scattered]
    x, y = ax.get_xlim(), ax.get_ylim()
    picture = ax.images[0].get_array()
    for column, row in ((0, 0), (199, 199), (0, 199), (150, 20)):
        point = np.array([x[0] + (x[1] - x[0]) * column / 199, y[0] + (y[1] - y[0]) * row / 199])
        colour = COLOURS[int(point @ [1.0, 2.0] > 0.1)]
        assert np.argmin(picture[row, column]) == np.argmin(to_rgb(colour))
    draws(ax)


def test_no_boundary_is_drawn_of_what_is_no_number() -> None:
    with pytest.raises(DataError, match=r"80 of 80 outputs|outputs of the model are NaN"):
        plots.decision_boundary(lambda x: x * np.nan, POINTS, np.zeros(80, int))
    with pytest.raises(DataError, match="some of X are NaN or infinite"):
        plots.decision_boundary(lambda x: x, np.where(POINTS > 0.9, np.inf, POINTS), np.zeros(80, int))


def test_the_regions_of_several_classes_and_of_probabilities() -> None:
    directions = np.array([[1.0, -0.5, -0.5], [0.0, 1.0, -1.0]])
    model = nn.Linear(2, 3, bias=False, dtype=np.float32, rng=0)
    model.weight.data[:] = directions
    labels = (POINTS @ directions).argmax(axis=1)
    ax = plots.decision_boundary(model, POINTS.astype(np.float32), labels)
    assert len(ax.collections) == 3  # the samples of three classes; no line
    assert ax.get_title(loc="left") == "80 samples"
    draws(ax)
    share = nn.Sequential(nn.Linear(2, 1, dtype=np.float64, rng=0), nn.Sigmoid())
    ax = plots.decision_boundary(share, POINTS, np.zeros(80, int), threshold=0.5)
    vertices = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    assert np.abs(vertices @ share[0].weight.data).max() < 1e-3
    with pytest.raises(ShapeError, match=r"models with 2 inputs, X has shape \(60, 4\)"):
        plots.decision_boundary(model, X, Y)


# --- the loss along a direction -----------------------------------------------------------------------------------------


class Bowl(nn.Module):
    """L(w) = ½ wᵀ A w, whose every slice is a parabola."""

    A = np.array([[3.0, 1.0], [1.0, 2.0]])

    def __init__(self) -> None:
        self.w = nn.Parameter([1.0, -2.0])
        self.fixed = nn.Parameter([5.0], requires_grad=False)
        self.calls = 0

    def forward(self):
        self.calls += 1
        return (self.w @ (self.A @ self.w)) / 2


def curve(ax, gid: str):
    line = next(line for line in ax.get_lines() if line.get_gid() == gid)
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.parametrize("direction", [None, {"w": [0.5, 2.0]}])
def test_the_loss_along_a_direction_and_its_tangent(direction, ax) -> None:
    model = Bowl()
    w, A = model.w.data.copy(), Bowl.A
    d = -A @ w if direction is None else np.array(direction["w"])
    assert plots.loss_along(model, model, direction, ax, span=(-1.0, 2.0), points=13) is ax
    t, losses = curve(ax, "loss")
    assert (t.min(), t.max()) == (-1, 2)
    assert 0 in t
    assert np.allclose(losses, [(w + s * d) @ A @ (w + s * d) / 2 for s in t], rtol=1e-12)
    t, tangent = curve(ax, "tangent")
    assert np.allclose(tangent, w @ A @ w / 2 + t * (A @ w @ d), rtol=1e-12)
    low, high = ax.get_ylim()
    assert low < losses.min()
    assert high > losses.max()
    draws(ax)


def test_the_default_range_moves_the_weights_by_three_tenths() -> None:
    model = Bowl()
    t, _ = curve(plots.loss_along(model, model), "loss")
    assert t.max() * np.linalg.norm(Bowl.A @ [1, -2]) == pytest.approx(0.3 * np.sqrt(5))
    assert t.min() == pytest.approx(-t.max() / 3)


def test_the_parameters_are_the_same_arrays_afterwards() -> None:
    model = nn.MLP([4, 8, 3], rng=0)
    model.linear1.weight.grad = np.ones((4, 8), np.float32)
    before = [(p.array, p.array.tobytes(), p.grad) for p in model.parameters()]
    plots.loss_along(model, lambda: nn.cross_entropy(model(X.astype(np.float32)), Y))
    calls = []

    def fails():
        calls.append(model.linear1.weight.numpy().copy())
        if len(calls) == 5:
            raise KeyboardInterrupt
        return nn.cross_entropy(model(X.astype(np.float32)), Y)

    with pytest.raises(KeyboardInterrupt):
        plots.loss_along(model, fails)
    assert not np.array_equal(calls[4], calls[0])  # it was elsewhere when it failed
    for parameter, (array, content, grad) in zip(model.parameters(), before, strict=True):
        assert parameter.array is array
        assert array.tobytes() == content
        assert parameter.grad is grad
        assert parameter.dtype == np.float32


def test_losses_that_overflow_leave_a_gap() -> None:
    model = Bowl()
    ax = plots.loss_along(model, lambda: tg.exp(model()), span=(-30.0, 0.2))
    _, losses = curve(ax, "loss")
    assert np.isnan(losses).any()
    assert np.isfinite(ax.get_ylim()).all()
    draws(ax)


def test_directions_that_lead_nowhere() -> None:
    model = Bowl()
    for direction, error, words in (
        ({"w": [0.0, 0.0]}, SettingError, "length 0"),
        ({"w": [np.nan, 0.0]}, SettingError, "not finite"),
        ({"w": [1.0]}, ShapeError, r"the direction of w has shape \(1,\), the parameter \(2,\)"),
        ({"v": [1.0, 1.0]}, UnknownNameError, "unknown parameter 'v'"),
        ([1.0, 1.0], TensorTypeError, "a dict of arrays by the names"),
    ):
        with pytest.raises(error, match=words):
            plots.loss_along(model, model, direction)
    with pytest.raises(GraphError, match="a function that computes the loss"):
        plots.loss_along(model, lambda: 3.0)
    with pytest.raises(SettingError, match="at least 3 points"):
        plots.loss_along(model, model, points=2)
    with pytest.raises(SettingError, match="span must be two numbers"):
        plots.loss_along(model, model, span=(1.0, 0.0))
    with pytest.raises(TensorTypeError, match="moves the parameters of a module"):
        plots.loss_along(lambda: 0, model)  # type: ignore[arg-type]


# --- everything fits --------------------------------------------------------------------------------------------------


def cut(picture) -> list[str]:
    """The words that are not wholly inside the figure, once it is drawn."""
    figure = picture.figure
    figure.draw_without_rendering()
    hidden = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        seen = axis._update_ticks()  # of the others no label is drawn
        unseen = [tick for tick in (*axis.majorTicks, *axis.minorTicks) if tick not in seen]
        hidden |= {label for tick in unseen for label in (tick.label1, tick.label2)}
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            box = text.get_window_extent()
            if min(box.x0, box.y0, figure.bbox.x1 - box.x1, figure.bbox.y1 - box.y1) < -0.5:
                found.append(text.get_text())
    return found


def test_words_that_are_cut_are_found() -> None:
    ax = Figure(figsize=(3, 2), layout="constrained").add_subplot()
    ax.set_xlabel("a label that is far too long for a figure of three inches")
    assert cut(ax) == [ax.get_xlabel()]
    ax.set_xlabel("short")
    assert cut(ax) == []


@pytest.mark.parametrize("layers", [1, 2, 3, 12])
def test_every_word_of_the_maps_is_inside_the_figure(layers: int) -> None:
    for activation in ("sigmoid", "relu"):
        seen = watched(activation, layers, 3)
        assert cut(plots.gradient_flow(seen)) == []
        assert cut(plots.gradient_flow(seen, biases=True)) == []
        for statistic in PARAMETER_STATISTICS if activation == "sigmoid" else ():
            assert cut(plots.gradient_flow(seen, statistic=statistic)) == []
        for statistic in ACTIVATION_STATISTICS if activation == "sigmoid" else ():
            assert cut(plots.activations(seen, statistic=statistic)) == []
        assert cut(plots.activations(seen, all_layers=True)) == []
        ax = plots.dead_units(seen)
        assert cut(ax) == []
        assert min(ax.bbox.size) > 150  # and the map itself has room


def test_long_names_and_a_legend_fit_too() -> None:
    model = nn.Module()
    for i in range(3):
        setattr(model, f"projection_of_the_encoder_number_{i}", nn.Linear(4, 4, dtype=np.float64, rng=0))
    seen = watch(model)
    for size in (np.nan, 1.0):
        for i, parameter in enumerate(model.parameters()):
            parameter.grad = np.full(parameter.shape, size * 10.0 ** (2 * i)) * bool(i % 5)
        seen.record()
    ax = plots.gradient_flow(seen, biases=True)
    assert cut(ax) == []
    assert cut(plots.first_layer(model, (4, 1))) == []
    for depth in (1, 12):  # the legend stands below the word "step", however low the map is
        small = watched("relu", depth, 2)
        ax = plots.gradient_flow(small, statistic="update")
        assert cut(ax) == []
        assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0 + 1
        title, last = ax._left_title.get_window_extent(), ax.texts[-1].get_window_extent()
        assert ax.texts[-1].get_text() == "last"
        assert title.y0 >= last.y1 - 1


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_every_word_of_the_other_pictures_is_inside_the_figure(n: int) -> None:
    panels = plots.histories([history(f"learning rate {i}", i + 1.0) for i in range(n)])
    assert cut(panels) == []
    assert min(min(ax.bbox.size) for ax in panels) > 200
    assert cut(plots.histories([history(f"a run whose name is longer than a legend has room for: {i}") for i in range(n)])) == []
    for shape in ((n, n), (n, 28), (28, n), (3, n, n)):
        ax = plots.first_layer(nn.MLP([int(np.prod(shape)), 5 * n, 2], rng=0), shape)
        assert cut(ax) == []
        assert max(ax.figure.get_size_inches()) <= 9
    said = np.arange(3 * n) % n
    for names in (None, [f"the class with number {i}" for i in range(n)]):
        assert cut(plots.confusion_matrix(said, None, said, names)) == []
    assert cut(plots.decision_boundary(lambda x: x @ np.ones((2, max(n, 2))), POINTS, np.arange(80) % n)) == []
    assert cut(plots.decision_boundary(lambda x: x @ np.ones((2, 3 * n)), POINTS, np.arange(80) % (3 * n))) == []
    model = Bowl()
    model.w.data *= 10.0**n
    assert cut(plots.loss_along(model, model)) == []
    assert cut(plots.loss_along(model, model, {"w": [0.0, 1.0]})) == []


def test_one_record_has_one_tick() -> None:
    once = History()
    once.record(train_loss=0.5)
    (ax,) = once.plot()
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]
    ax = plots.gradient_flow(watched("relu", 2, 1))
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [1]


def test_many_runs_have_their_legend_beside_the_curves() -> None:
    few, many = (plots.histories([history(f"run {i}") for i in range(n)]) for n in (3, 12))
    for panels in (few, many):
        panels.figure.draw_without_rendering()
    assert few[0].get_legend().get_window_extent().x0 < few[0].bbox.x1
    assert all(ax.get_legend().get_window_extent().x0 >= ax.bbox.x1 for ax in many)
    assert many.figure.get_figheight() > few.figure.get_figheight()
    own = Figure().add_subplot()
    plots.histories([history(f"run {i}") for i in range(12)], ax=own)
    own.figure.draw_without_rendering()
    assert own.get_legend().get_window_extent().x0 < own.bbox.x1  # nobody made room beside it


# --- all --------------------------------------------------------------------------------------------------------------


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert draws(history("x").plot()) == draws(history("x").plot())


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".SVG", b"<?xml")])
def test_panels_are_saved_as_the_suffix_says(suffix, start, tmp_path) -> None:
    made = [history("x").plot().save(tmp_path / f"{name}{suffix}") for name in "ab"]
    assert [path.name for path in made] == [f"a{suffix}", f"b{suffix}"]
    assert made[0].read_bytes().startswith(start)
    assert made[0].read_bytes() == made[1].read_bytes()
    if suffix == ".png":
        assert made[0].read_bytes() == plots.png(history("x").plot())


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path) -> None:
    panels, old = history().plot(), tmp_path / "old.png"
    old.write_text("old")
    with pytest.raises(UnknownNameError, match=r"unknown kind of file '\.pgn': did you mean '\.png'"):
        panels.save(tmp_path / "new.pgn")
    with pytest.raises(UnknownNameError, match=r"the suffix says what is written, one of \.png \.svg \.pdf \(got 'new'\)"):
        panels.save(str(tmp_path / "new"))
    with pytest.raises(DataError, match="cannot write"):
        panels.save(tmp_path / "nowhere" / "new.png")
    panels.figure.savefig = None  # drawing fails
    with pytest.raises(TypeError):
        panels.save(old)
    assert [path.name for path in tmp_path.iterdir()] == ["old.png"]
    assert old.read_text() == "old"


def test_without_matplotlib_each_picture_says_what_to_install() -> None:
    program = """
import sys
sys.modules["matplotlib"] = None
import numpy as np, tinygrad_mlp as tg
from tinygrad_mlp import nn, plots
from tinygrad_mlp.errors import MissingExtraError
X, y = np.zeros((3, 2), np.float32), np.array([0, 1, 1])
model, history = nn.MLP([2, 2, 2], rng=0), tg.History()
history.record(train_loss=1)
with tg.watch(model) as seen:
    nn.cross_entropy(model(X), y).backward()
    seen.record()
pictures = {
    "histories": history.plot, "first_layer": lambda: plots.first_layer(model, (1, 2)),
    "confusion_matrix": lambda: plots.confusion_matrix(model, X, y),
    "decision_boundary": lambda: plots.decision_boundary(model, X, y), "gradient_flow": lambda: plots.gradient_flow(seen),
    "activations": lambda: plots.activations(seen), "dead_units": lambda: plots.dead_units(seen),
    "loss_along": lambda: plots.loss_along(model, lambda: nn.cross_entropy(model(X), y)),
}
assert {*pictures, "png", "Panels"} == set(plots.__all__)
for name, draw in pictures.items():
    try:
        draw()
        print(name, "was drawn")
    except MissingExtraError as error:
        assert "a training picture needs the package 'matplotlib'" in str(error), (name, error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("", "")


def test_a_notebook_shows_what_is_returned() -> None:
    panels = history().plot()
    assert panels._repr_png_().startswith(b"\x89PNG")
    assert repr(panels) == "Panels('loss', 'accuracy')"
    assert plots.confusion_matrix(SAID, None, TRUE)._repr_png_().startswith(b"\x89PNG")


def test_nothing_is_imported_before_it_is_drawn_and_pyplot_never() -> None:
    program = (
        "import sys, numpy as np\nfrom tinygrad_mlp import nn\nfrom tinygrad_mlp.history import History\n"
        "from tinygrad_mlp.viz import plots, live\nfrom tinygrad_mlp import watching\n"
        "assert not {'matplotlib', 'rich'} & set(sys.modules)\n"
        "h = History(); h.record(train_loss=1); h.plot().figure.savefig('/dev/null', format='png')\n"
        "plots.confusion_matrix(np.array([0, 1]), None, np.array([0, 1]))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_its_examples_print_and_the_pictures_that_its_script_makes(tmp_path) -> None:
    failed, attempted = doctest.testfile(
        str(ROOT / "docs" / "training.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert attempted > 15
    assert failed == 0
    runpy.run_path(str(ROOT / "docs" / "pictures_training.py"))["main"](tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shown = re.findall(r"\]\(images/([^)]+)\)", (ROOT / "docs" / "training.md").read_text(encoding="utf-8"))
    kept = {path.name for path in (ROOT / "docs" / "images").glob("training-*.png")}
    assert sorted(made) == sorted(shown) == sorted(kept)
    assert all(content.startswith(b"\x89PNG") for content in made.values())
