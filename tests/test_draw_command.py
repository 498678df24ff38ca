"""The command ``tinygrad-mlp draw``: what it writes and prints, and how it refuses what it cannot use."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from tinygrad_mlp import cli
from tinygrad_mlp.viz import Drawing

SIZES = ["draw", "--sizes", "4,8,3", "--batch-size", "6"]

MODEL = """
import numpy as np
import tinygrad_mlp as tg
from tinygrad_mlp import Tensor, nn

model = nn.MLP([4, 5, 3], dtype=np.float64, rng=0)
X, y = np.linspace(-1, 1, 24).reshape(6, 4), np.arange(6) % 3
W = Tensor(np.ones((4, 2)) * 0.1, requires_grad=True)
a, b = 2.0, -3.0

def loss(X, y):
    return nn.cross_entropy(model(X), y)

def plain(X):
    return np.sum(np.tanh(X) ** 2)

def scalars(a, b):
    return a * b + a

def several(X):
    return [np.sum(X @ W), np.mean((X @ W) ** 2)]

def table(X):
    return X @ W

def fails(X):
    raise KeyError("no such thing")

def leaves(X):
    raise SystemExit(3)

def nothing(X):
    return None

def mapping(X):
    return {"loss": 1.0}

def spent(X):
    z = np.sum(np.exp(X @ W))
    z.backward()
    return z

def unknown(missing):
    return missing

def integers(y):
    return np.sum(y)

def module(X):
    return model

def wrong_shapes(X):
    return X.T @ W

def second(X):
    (g,) = tg.gradients(np.sum(np.tanh(X @ W)), [W], create_graph=True)
    return np.sum(g * g)

class Loss:
    pass

number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(MODEL, encoding="utf-8")
    return path


def run(capsys: Any, *arguments: Any) -> tuple[int, str, str]:
    try:
        code = cli.main([str(a) for a in arguments])
    except SystemExit as stop:  # argparse
        code = int(stop.code or 0)
    told = capsys.readouterr()
    return code, told.out, told.err


def refused(told: tuple[int, str, str], *words: str) -> None:
    """Exit code 2, nothing on stdout, one sentence on stderr."""
    code, out, err = told
    assert code == 2
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("tinygrad-mlp: ")
    assert len(lines[0]) < 500
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_words_without_a_file(capsys: Any) -> None:
    code, out, err = run(capsys, *SIZES)
    assert (code, err) == (0, "")
    assert out.endswith("\n")
    assert not out.endswith("\n\n")
    for word in ("linear1.weight", "relu", "cross_entropy", "(6, 8)", "x w + b"):
        assert word in out, word


@pytest.mark.parametrize("suffix", [".svg", ".json", ".txt", ".mmd", ".dot", ".gv"])
def test_every_kind_of_file(suffix: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / f"graph{suffix}"
    code, out, err = run(capsys, *SIZES, "-o", path)
    assert (code, err) == (0, "")
    assert out == f"Written to {path}: drawing of loss of model: 4 operations, 4 parameters\n"
    text = path.read_text(encoding="utf-8")
    assert "linear1.weight" in text
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if suffix == ".svg":
        assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own
    if suffix == ".json":
        graph = json.loads(text)
        assert graph["version"] == 1
        assert graph["compare"] is None


def test_the_page_has_the_comparison(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tinygrad_mlp.viz.page", reason="the page is not there yet")
    from tinygrad_mlp.viz import page

    if not hasattr(page, "page"):
        pytest.skip("the page is not there yet")
    path = tmp_path / "graph.html"
    code, _, err = run(capsys, *SIZES, "-o", path)
    assert (code, err) == (0, "")
    assert "bit for bit" in path.read_text(encoding="utf-8")


def test_settings_reach_the_picture(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "graph.json"
    settings = [
        "--detail",
        "full",
        "--direction",
        "LR",
        "--title",
        "My <net>",
        "--activation",
        "tanh",
        "--loss",
        "mse",
        "--dtype",
        "float32",
    ]
    code, out, _ = run(capsys, *SIZES, *settings, "-o", path)
    assert code == 0
    assert "My <net>" in out
    graph = Drawing.load(path).graph
    assert (graph["detail"], graph["direction"], graph["title"]) == ("full", "LR", "My <net>")
    assert {"tanh", "mse_loss"} <= {n["op"] for n in graph["nodes"]}
    assert {n["dtype"] for n in graph["nodes"] if n["kind"] == "op"} == {"float32"}
    assert any(n["kind"] == "tensor" for n in graph["nodes"])


@pytest.mark.parametrize("loss", ["cross_entropy", "bce", "mse", "cross_entropy_probabilities", "bce_probabilities"])
def test_every_loss(loss: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "g.json"
    code, _, err = run(capsys, *SIZES, "--loss", loss, "-o", path)
    assert (code, err) == (0, "")
    assert Drawing.load(path).graph["gradients"]


def test_all_of_a_deep_network(tmp_path: Path, capsys: Any) -> None:
    sizes = ",".join(["4"] * 61)
    path = tmp_path / "g.json"
    assert run(capsys, "draw", "--sizes", sizes, "-o", path)[0] == 0
    folded = Drawing.load(path)
    assert any(g["kind"] == "fold" for g in folded.graph["groups"])
    assert run(capsys, "draw", "--sizes", sizes, "--all", "-o", path)[0] == 0
    whole = Drawing.load(path)
    assert not any(g["kind"] == "fold" for g in whole.graph["groups"])
    assert all(g["open"] for g in whole.graph["groups"])


@pytest.mark.parametrize(
    ("function", "operations", "parameters"),
    [("loss", 4, 4), ("plain", 3, 1), ("scalars", 2, 2), ("several", None, 1), ("table", 1, 1), ("second", None, 1)],
)
def test_functions_in_files(
    function: str, operations: int | None, parameters: int, file: Path, tmp_path: Path, capsys: Any
) -> None:
    path = tmp_path / "g.json"
    code, out, err = run(capsys, "draw", f"{file}:{function}", "-o", path)
    assert (code, err) == (0, "")
    graph = Drawing.load(path).graph
    assert operations is None or graph["counts"]["operations"] == operations
    assert graph["counts"]["parameters"] == parameters
    code, out, err = run(capsys, "draw", f"{file}:{function}")
    assert (code, err) == (0, "")
    assert out


def test_names_in_files_are_those_of_the_file(file: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "g.json"
    assert run(capsys, "draw", f"{file}:loss", "-o", path)[0] == 0
    graph = Drawing.load(path).graph
    assert {"X", "linear1.weight"} <= {n["name"] for n in graph["nodes"]}
    assert graph["groups"][0]["path"] == "model"
    assert run(capsys, "draw", f"{file}:plain", "-o", path)[0] == 0
    assert "X" in {n["name"] for n in Drawing.load(path).graph["nodes"] if n["kind"] == "parameter"}
    assert run(capsys, "draw", f"{file}:scalars", "-o", path)[0] == 0
    nodes = {n["name"]: n for n in Drawing.load(path).graph["nodes"]}
    assert nodes["a"]["gradient"]["preview"] == [-2.0]
    assert nodes["b"]["gradient"]["preview"] == [2.0]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("fails", ["fails", "KeyError"]), ("leaves", ["leaves"]), ("nothing", ["draw() takes"]), ("mapping", ["draw() takes"]),
        ("spent", ["retain_graph"]), ("unknown", ["missing"]), ("losss", ["did you mean 'loss'"]), ("Loss", ["class"]), ("number", ["no function"]),
        ("module", ["example"]), ("wrong_shapes", ["matmul"]), ("integers", []),
    ],
)  # fmt: skip
def test_functions_that_cannot_be_drawn(function: str, words: list[str], file: Path, capsys: Any) -> None:
    refused(run(capsys, "draw", f"{file}:{function}"), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["draw"], ["--sizes", "FILE:FUNCTION"]),
        (["draw", "--sizes", "4,3", "model.py:loss"], ["one of the two"]),
        (["draw", "model.py:loss", "--activation", "tanh"], ["--activation"]),
        (["draw", "model.py:loss", "--loss", "mse"], ["--loss is of networks"]),
        (["draw", "model.py:loss", "--batch-size", "3"], ["--batch-size"]),
        (["draw", "nowhere.py:loss"], ["nowhere.py"]),
        (["draw", "model.py"], ["FILE:FUNCTION"]),
        (["draw", "model.py:"], ["FILE:FUNCTION"]),
        (["draw", ":loss"], ["FILE:FUNCTION"]),
        (["draw", ""], ["FILE:FUNCTION"]),
        (["draw", "--sizes", "4"], ["two widths"]),
        (["draw", "--sizes", "4,0,3"], ["positive"]),
        (["draw", "--sizes", "4,3", "--activation", "rellu"], ["did you mean 'relu'"]),
        (["draw", "--sizes", "4,3", "--loss", "cross"], ["loss"]),
        (["draw", "--sizes", "4,3", "--dtype", "float16"], ["dtype"]),
        (["draw", "--sizes", "4,3", "--batch-size", "0"], ["batch size"]),
        (["draw", "--sizes", "4,3", "-o", "graph.jpg"], [".svg", "graph.jpg"]),
        (["draw", "--sizes", "4,3", "-o", "graph"], [".svg"]),
        (["draw", "--sizes", "4,3", "-o", "none/graph.json"], ["cannot write"]),
        (["draw", "--sizes", "4,3", "-o", "a\0b.json"], []),
        (["draw", "--sizes", "4,3", "-o", "x" * 300 + ".json"], ["cannot write"]),
    ],
)
def test_wrong_commands(
    arguments: list[str], words: list[str], capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run(capsys, *arguments), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sizes", "a,b"],
        ["--sizes", ""],
        ["--sizes", "4,3", "--detail", "ops"],
        ["--sizes", "4,3", "--theme", "pink"],
        ["--frobnicate"],
    ],
)
def test_usage(arguments: list[str], capsys: Any) -> None:
    code, out, err = run(capsys, "draw", *arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize("content", ["def f(:", "raise SystemExit(1)", "import nowhere_at_all", "1/0", "\x00", "\udcff"])
def test_files_that_cannot_be_run(content: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "broken.py"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    code, out, err = run(capsys, "draw", f"{path}:f")
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err.startswith("tinygrad-mlp: ")


HOSTILE = [
    "a b.json",
    "ü😀.json",
    "quote'\".json",
    "-dash.json",
    "</script>.json".replace("/", ""),
    "line\nbreak.json",
    "$(touch x).json",
    "x" * 250 + ".json",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_files(name: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *SIZES, f"--out={name}")
    assert (code, err) == (0, "")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert Drawing.load(name).graph["version"] == 1


def test_hostile_names_in_a_file(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "mödel b.py"
    path.write_text(MODEL.replace("def plain(X)", "def größe(X)"), encoding="utf-8")
    code, _, err = run(capsys, "draw", f"{path}:größe", "--title", "</script><b>&\u2028", "-o", tmp_path / "g.svg")
    assert (code, err) == (0, "")
    ET.fromstring((tmp_path / "g.svg").read_text(encoding="utf-8"))  # noqa: S314  # our own


def test_a_file_with_a_colon_in_its_name(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "a:b.py"
    path.write_text(MODEL, encoding="utf-8")
    assert run(capsys, "draw", f"{path}:loss")[0] == 0


def test_an_existing_file_is_replaced_or_kept(file: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "g.json"
    path.write_text("old", encoding="utf-8")
    refused(run(capsys, "draw", f"{file}:fails", "-o", path))
    assert path.read_text(encoding="utf-8") == "old"
    assert run(capsys, "draw", f"{file}:loss", "-o", path)[0] == 0
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == 1


def test_a_second_run_writes_the_same_bytes(file: Path, tmp_path: Path, capsys: Any) -> None:
    for target in (["--sizes", "4,8,3"], [f"{file}:loss"], [f"{file}:second"]):
        for name in ("one.json", "two.json"):
            assert run(capsys, "draw", *target, "-o", tmp_path / name)[0] == 0
        assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_open_shows_the_file(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: shown.append(url) or True)
    path = tmp_path / "a b.svg"
    assert run(capsys, *SIZES, "-o", path, "--open")[0] == 0
    assert shown == [path.as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    code, _, err = run(capsys, *SIZES, "-o", path, "--open")
    assert code == 0
    assert "no browser" in err


def test_help_has_examples(capsys: Any) -> None:
    code, out, _ = run(capsys, "draw", "--help")
    assert code == 0
    assert "examples:" in out
    assert "tinygrad-mlp draw --sizes 4,8,3 -o graph.svg" in out
    assert "exit codes" in out
    code, out, _ = run(capsys, "--help")
    assert "draw" in out


def test_as_a_program(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "draw", f"{file}:loss", "-o", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Written to {path}: drawing of ")
    assert path.read_text(encoding="utf-8").startswith("<svg")
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "draw", "nowhere.py:f"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
