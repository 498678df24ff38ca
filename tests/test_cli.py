"""The command: exit codes, files, and one line for every mistake."""

import contextlib
import io
import itertools
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mlp
from tinygrad_mlp import cli, manual, prove
from tinygrad_mlp.check import same_bits
from tinygrad_mlp.nn.layers import ACTIVATIONS
from tinygrad_mlp.nn.losses import LOSSES

for needed in ("rich", "matplotlib"):
    pytest.importorskip(needed)

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = set(prove.report.FILES)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(folder, m, part, side=6):
    """Images of m digits that a small network can tell apart: a bright pixel, and noise."""
    rng, y = np.random.default_rng(m), np.arange(m) % 10
    X = rng.integers(0, 60, (m, side, side))
    X.reshape(m, -1)[np.arange(m), y] = 255
    (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(X))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(y))


@pytest.fixture
def mnist(tmp_path):
    """A folder with 60 training and 20 test images of 6 × 6 pixels."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_mnist(folder, 60, "train")
    write_mnist(folder, 20, "t10k")
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def small(mnist, out):
    """Run ``prove`` on the small MNIST: the exit code."""
    return lambda *options: run(
        "--data", "mnist", "--data-dir", mnist, "--sizes", "36,8,10", "--epochs", "1", "--out", out, *options
    )


@pytest.fixture
def no_curves(monkeypatch):
    """Leave the plotting out, where many runs are made and it is not the point."""
    monkeypatch.setattr(prove.report.plots, "png", lambda figure: b"")


def run(*options):
    return cli.main(["prove", *map(str, options)])


def arrays(folder):
    with np.load(folder / "gradients.npz") as found:
        return dict(found)


def check_files(folder):
    """What a run leaves behind."""
    names = {path.name for path in folder.iterdir()}
    assert names == ALWAYS
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "\ndigraph {\n" in (folder / "graph.dot").read_text(encoding="utf-8")
    assert (folder / "report.md").read_text(encoding="utf-8").startswith("# ")
    found = arrays(folder)
    engine = {name.removeprefix("engine/"): g for name, g in found.items() if name.startswith("engine/")}
    assert {f"manual/{name}" for name in engine} | {f"engine/{name}" for name in engine} == set(found)
    assert all(same_bits(g, found[f"manual/{name}"]) for name, g in engine.items())
    assert all(g.any() for g in engine.values())
    return engine


# --- runs that succeed ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The default run, shortened to one epoch: exit code, output, folder."""
    pytest.importorskip("sklearn")
    folder, output = tmp_path_factory.mktemp("digits") / "a" / "b", io.StringIO()
    with contextlib.redirect_stdout(output):
        code = run("--epochs", 1, "--out", folder)
    return code, output.getvalue(), folder


def test_the_default_run_on_the_digits(digits):
    code, output, folder = digits
    assert code == 0
    engine = check_files(folder)
    shapes = {"W1": (64, 64), "b1": (64,), "W2": (64, 32), "b2": (32,), "W3": (32, 10), "b3": (10,)}
    assert {name: g.shape for name, g in engine.items()} == shapes
    assert all(g.dtype == np.float32 for g in engine.values())
    assert "digits: 1,438 training and 359 test samples" in output
    assert "6,570 parameters" in output
    assert "45 steps compared: at every one all 6 gradients, by the engine and by hand, were equal bit for bit." in output
    assert all(name in output.splitlines()[-1] for name in ALWAYS)
    assert "NO" not in output


def test_one_epoch_on_the_digits_learns(digits):
    accuracy = float(re.search(r"Test accuracy ([\d.]+)%", digits[1])[1])
    assert accuracy > 85  # chance is 10


def test_the_report_has_the_table_the_settings_and_the_history(digits):
    report = (digits[2] / "report.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| W1 \| linear1.weight \| 64 × 64 \| yes \| 0 \|", report, re.MULTILINE)) == 2  # after, and before
    assert "MLP 64 → 64 → 32 → 10" in report
    assert "momentum 0.9" in report
    assert re.search(r"^\| 0 \| .*\n\| 1 \| ", report, re.MULTILINE)
    links = set(re.findall(r"\]\((.*?)\)", report))
    assert links == {path.name for path in digits[2].iterdir()} - {"report.md"}


def test_the_mnist_and_float64_options(small, out, capsys):
    assert small("--dtype", "float64", "--init", "xavier_uniform", "--activation", "leaky_relu", "--batch-size", 7) == 0
    assert all(g.dtype == np.float64 for g in check_files(out).values())
    output = capsys.readouterr()
    assert output.err == ""
    assert "mnist: 60 training and 20 test samples" in output.out
    assert "9 steps compared" in output.out  # 8 · 7 + 4


def test_a_held_out_part_replaces_the_test_files(small, capsys):
    assert small("--val-split", 0.25) == 0
    assert "mnist: 45 training and 15 test samples" in capsys.readouterr().out


def test_the_small_network_learns(small, capsys):
    assert small("--epochs", 30) == 0
    assert float(re.search(r"Test accuracy ([\d.]+)%", capsys.readouterr().out)[1]) > 80


def test_a_single_pair_of_mnist_is_split(small, mnist, capsys):
    for path in mnist.glob("train-*"):
        path.unlink()
    assert small() == 0
    assert "mnist: 16 training and 4 test samples" in capsys.readouterr().out


@pytest.mark.parametrize("nested", ["", "cifar-10-batches-bin"])
def test_cifar10(tmp_path, out, capsys, nested):
    folder = tmp_path / "cifar" / nested
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, m in (("data_batch_1.bin", 30), ("data_batch_2.bin", 10), ("test_batch.bin", 20)):
        records = rng.integers(0, 256, (m, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(m) % 10
        (folder / name).write_bytes(records.tobytes())
    code = run("--data", "cifar10", "--data-dir", tmp_path / "cifar", "--sizes", "3072,5,10", "--epochs", 1, "--out", out)
    assert code == 0
    assert check_files(out)["W1"].shape == (3072, 5)
    assert "cifar10: 40 training and 20 test samples" in capsys.readouterr().out


def test_the_real_mnist_test_files(real_mnist, out, capsys):
    assert run("--data", "mnist", "--data-dir", real_mnist, "--epochs", 1, "--batch-size", 100, "--out", out) == 0
    engine = check_files(out)
    assert engine["W1"].shape == (784, 128)
    output = capsys.readouterr().out
    assert "mnist: 8,000 training and 2,000 test samples" in output
    assert float(re.search(r"Test accuracy ([\d.]+)%", output)[1]) > 80


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.usefixtures("no_curves")
def test_every_activation_with_every_loss(small, out, activation, loss):
    assert small("--activation", activation, "--loss", loss) == 0
    found = arrays(out)
    assert all(same_bits(found[f"engine/{name}"], found[f"manual/{name}"]) for name in ("W1", "b1", "W2", "b2"))


@pytest.mark.usefixtures("no_curves")
def test_a_seed_fixes_every_byte_of_the_results(small, tmp_path):
    folders = [tmp_path / name for name in ("first", "again", "other")]
    for folder, seed in zip(folders, (5, 5, 6), strict=True):
        assert small("--seed", seed, "--out", folder) == 0
    for name in ("gradients.npz", "report.md", "graph.dot"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "gradients.npz").read_bytes() != (folders[2] / "gradients.npz").read_bytes()


def test_pictures_need_no_program(small, out, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert small() == 0
    assert (out / "graph.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "Content-Security-Policy" in (out / "graph.html").read_text(encoding="utf-8")
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "](graph.svg)" in report
    assert "](graph.html)" in report


@pytest.mark.usefixtures("no_curves")
def test_a_second_run_replaces_the_files_of_the_first(small, out):
    assert small() == 0
    first = (out / "gradients.npz").read_bytes()
    (out / "mine.txt").write_text("kept")
    assert small("--seed", 1) == 0
    assert (out / "gradients.npz").read_bytes() != first
    assert {path.name for path in out.iterdir()} == ALWAYS | {"mine.txt"}


# --- gradients that differ: exit 1 ------------------------------------------------------------------------------------


def scaled(name, factor):
    """A function of the manual backprop, with a wrong factor."""
    right = getattr(manual, name)
    return lambda *arguments: right(*arguments) * np.float32(factor)


def one_entry(A_prev, dZ, right=manual.weight_gradient):
    """A weight gradient whose entry (1, 2) is one ULP off."""
    dW = right(A_prev, dZ).copy()
    dW[1, 2] = np.nextafter(dW[1, 2], np.float32(np.inf))
    return dW


@pytest.mark.parametrize(
    ("function", "wrong", "first"),
    [
        ("through_activation", scaled("through_activation", 2), "W1 .*first at entry .*differ by up to"),
        ("bias_gradient", scaled("bias_gradient", 1.5), r"b1 .*first at entry \(\d,\).*differ by up to"),
        ("weight_gradient", one_entry, r"W1 .*first at entry \(1, 2\).*differ by up to 1 ULPs"),
        ("bias_gradient", lambda dZ: dZ.sum(axis=0, keepdims=True), r"b1 .*engine \(8,\), manual \(1, 8\): the shapes differ"),
        ("bias_gradient", lambda dZ: dZ.astype(np.float64).sum(axis=0), "b1 .*differ by another dtype"),
    ],
)
@pytest.mark.usefixtures("no_curves")
def test_a_wrong_manual_backprop_is_found_and_located(small, out, capsys, monkeypatch, function, wrong, first):
    monkeypatch.setattr(manual, function, wrong)
    assert small() == 1
    output = capsys.readouterr().out
    report = (out / "report.md").read_text(encoding="utf-8")
    expected = f"2 steps compared: THE GRADIENTS DIFFER. First at step 1 (epoch 1): {first}"
    for text in (output, report):
        assert re.search(expected.replace("(epoch 1)", r"\(epoch 1\)"), text)
        assert "equal bit for bit" not in text
    assert re.search(rf"^{first[:2]} .* NO ", output, re.MULTILINE)


@pytest.mark.parametrize(
    "wrong",
    [lambda db: np.nextafter(db, np.float32(np.inf)), lambda db: db[None], lambda db: db.astype(np.float64)],
    ids=["value", "shape", "dtype"],
)
@pytest.mark.usefixtures("no_curves")
def test_a_difference_at_one_step_only_is_not_forgotten(small, capsys, monkeypatch, wrong):
    right = manual.bias_gradient
    monkeypatch.setattr(manual, "bias_gradient", lambda dZ: wrong(right(dZ)) if len(dZ) == 60 - 32 else right(dZ))
    assert small() == 1  # the second and last step has the other 28 samples
    output = capsys.readouterr().out
    assert "THE GRADIENTS DIFFER. First at step 2 (epoch 1): b1 " in output
    table = {line.split()[0]: line for line in output.splitlines() if "linear" in line and " × " not in line.split()[0]}
    assert " NO " in table["b1"]
    assert " yes " in table["W1"]
    assert "All 4 gradients agree" not in output


@pytest.mark.usefixtures("no_curves")
def test_a_wrong_rule_of_the_engine_is_found_too(small, capsys, monkeypatch):
    rule = tinygrad_mlp.relu.rules[0]
    monkeypatch.setattr(tinygrad_mlp.relu, "rules", (lambda g, z, x: rule(g, z, x) * 2,))
    assert small() == 1
    assert "First at step 1 (epoch 1): W1 " in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # that it overflows is the point
@pytest.mark.usefixtures("no_curves")
def test_training_that_diverges_is_not_called_a_difference(small, capsys):
    small("--lr", "1e20", "--epochs", 3)
    output = capsys.readouterr()
    assert "nan" in output.out + output.err
    assert "DIFFER" not in output.out  # engine and manual are equal bit for bit, NaN by NaN


# --- commands and data that cannot be used: exit 2 ----------------------------------------------------------------------


def refused(code, capsys, out, message):
    """Exit code 2, one line on stderr, no file."""
    output = capsys.readouterr()
    assert code == 2
    assert re.search(message, output.err), output.err
    assert output.err.startswith("tinygrad-mlp: ")
    assert output.err.count("\n") == 1
    assert output.out == ""
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data mnits", "unknown data set 'mnits': did you mean 'mnist'"),
        ("--activation rleu", "unknown activation 'rleu': did you mean 'relu'"),
        ("--init he_norml", "unknown initialiser 'he_norml': did you mean 'he_normal'"),
        ("--loss cross_entrpy", "unknown loss 'cross_entrpy': did you mean 'cross_entropy'"),
        ("--dtype flaot32", "unknown dtype 'flaot32': did you mean 'float32'"),
        ("--dtype float16", "unknown dtype 'float16'"),
        ("--sizes 784,8,10", "--sizes 784,8,10 does not fit mnist: it must start with 36"),
        ("--sizes 36,8,11", "end with 10"),
        ("--sizes 36,0,10", "from 1 up"),
        ("--sizes 36,-8,10", "from 1 up"),
        ("--sizes 36", "--sizes 36 does not fit mnist"),
        ("--lr -0.1", r"--lr must be at least 0 \(got -0.1\)"),
        ("--lr nan", "--lr"),
        ("--lr inf", "--lr"),
        ("--momentum 1", "--momentum must be at least 0 and below 1"),
        ("--momentum nan", "--momentum"),
        ("--weight-decay -1", "--weight-decay must be at least 0"),
        ("--batch-size 0", "--batch-size must be at least 1"),
        ("--epochs 0", "--epochs must be at least 1"),
        ("--epochs -3", "--epochs"),
        ("--seed -1", "--seed must be at least 0"),
        ("--val-split 0", "--val-split is a fraction between 0 and 1"),
        ("--val-split 1", "--val-split"),
        ("--val-split nan", "--val-split"),
        ("--val-split 0.001", "cannot hold out a fraction of 0.001 of 60 samples"),
    ],
)
def test_bad_settings_are_refused_in_one_line(small, capsys, out, options, message):
    refused(small(*options.split()), capsys, out, message)


@pytest.mark.parametrize("source", ["mnist", "cifar10"])
@pytest.mark.parametrize("folder", ["none", "a file", "x" * 300], ids=["missing", "file", "too long a name"])
def test_a_missing_data_folder_is_refused_in_one_line(tmp_path, capsys, out, source, folder):
    (tmp_path / "a file").touch()
    code = run("--data", source, "--data-dir", tmp_path / folder, "--out", out)
    refused(code, capsys, out, re.escape(str(tmp_path / folder)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-1], "train-images-idx3-ubyte is truncated"),
        ("train-images-idx3-ubyte", lambda content: content[:3], "train-images-idx3-ubyte is no IDX file"),
        ("t10k-labels-idx1-ubyte", lambda content: content + b"\0", "t10k-labels-idx1-ubyte is foreign"),
        ("t10k-labels-idx1-ubyte", lambda content: content[:-1] + b"\x0a", "holds the label 10"),
        ("t10k-labels-idx1-ubyte", lambda content: b"\x1f\x8b" + content, "cannot read .*t10k-labels-idx1-ubyte"),
        ("t10k-labels-idx1-ubyte", lambda content: b"", "no IDX file: it starts with nothing"),
        ("t10k-labels-idx1-ubyte", None, "only half of MNIST's t10k files"),
        ("train-images-idx3-ubyte", lambda content: b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"x", "train-images-idx3-ubyte"),
        ("t10k-images-idx3-ubyte", lambda content: idx(np.zeros((20, 5, 5))), "."),
    ],
)
def test_broken_files_are_refused_in_one_line(small, mnist, capsys, out, name, change, message):
    path = mnist / name
    content = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(content))
    refused(small(), capsys, out, message)


def test_a_truncated_cifar10_batch_is_refused_in_one_line(tmp_path, capsys, out):
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(3000))
    code = run("--data", "cifar10", "--data-dir", tmp_path, "--out", out)
    refused(code, capsys, out, r"data_batch_1.bin has 3,000 bytes, no whole number of records")


@pytest.mark.parametrize("below", ["", "folder"])
def test_a_file_in_the_way_of_out_is_refused_in_one_line(small, tmp_path, capsys, out, below):
    (tmp_path / "taken").write_text("mine")
    refused(small("--out", tmp_path / "taken" / below), capsys, out, "cannot write to --out .*taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_in_the_way_of_a_file_is_refused_in_one_line(small, capsys, out):
    (out / "report.md").mkdir(parents=True)
    code = small()
    output = capsys.readouterr()
    assert code == 2
    assert output.err.count("\n") == 1
    assert "report.md" in output.err
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_folder_without_permission_is_refused_in_one_line(small, tmp_path, capsys, out, monkeypatch):
    def locked(*args, **kwargs):  # root may write everywhere, so the refusal is played
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", locked)
    refused(small("--out", tmp_path / "locked"), capsys, out, "cannot write to --out .*locked: Permission denied")


def test_a_missing_package_is_named_with_its_extra(small, capsys, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    refused(small(), capsys, out, r"'rich', which is not installed: pip install 'tinygrad_mlp\[demos\]'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "command"),
        ("proof", "prove"),
        ("prove --lr fast", "--lr: invalid float value: 'fast'"),
        ("prove --epochs 1.5", "--epochs: invalid int value"),
        ("prove --sizes 64,x,10", "whole numbers with commas between"),
        ("prove --sizes ,", "whole numbers with commas between"),
        ("prove --learning-rate 1", "unrecognized arguments"),
        ("prove --lr", "expected one argument"),
    ],
)
def test_argparse_refuses_with_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    assert caught.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_an_interrupted_run_says_so(capsys, monkeypatch):
    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(prove, "prove", interrupted)
    assert cli.main(["prove"]) == 130
    assert capsys.readouterr().err == "tinygrad-mlp: interrupted, nothing written\n"


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        ("evaluate", "interrupted, after 0 steps; nothing written"),
        ("summary_table", "interrupted, after 45 steps; nothing written"),
        ("report", "interrupted, after 45 steps; written: curves.png, graph.svg, graph.html, graph.dot, gradients.npz"),
    ],
)
def test_an_interrupted_proof_says_what_is_written(stop, message, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prove.report if stop == "report" else prove, stop, interrupted)
    assert cli.main(["prove", "--epochs", "1", "--sizes", "64,8,10", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.endswith(f"tinygrad-mlp: {message}\n")
    assert {path.name for path in tmp_path.iterdir()} == set(re.findall(r"\w+\.\w+", message))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("prove --sizes 64,100000000000,10", "this does not fit into memory: Unable to allocate .*; choose smaller sizes"),
        ("derive --sizes 3,1000000000000,2", "this does not fit into memory: Unable to allocate .*; choose smaller sizes"),
        ("draw --sizes 3,2 --batch-size 100000000000000", "this does not fit into memory: Unable to allocate"),
        (
            "prove --sizes 64,1000000000000000000,10",
            "weights between the layers 64,1000000000000000000,10 do not fit into any memory",
        ),
        ("prove --sizes 64,100000000000000000000000,10", "do not fit into any memory: choose smaller sizes"),
        (
            "derive --sizes 3,2 --batch-size 100000000000000000000",
            "a batch of 100000000000000000000 rows does not fit into any memory",
        ),
    ],
)
def test_what_no_memory_holds_ends_with_code_2(arguments, message, tmp_path, capsys):
    try:
        code = cli.main([*arguments.split(), *(["--out", str(tmp_path)] if "prove" in arguments else [])])
    except SystemExit as stop:  # argparse
        code = stop.code
    assert code == 2
    out, err = capsys.readouterr()
    assert re.search(message, err)
    assert "Traceback" not in err
    assert not out


# --- help ---------------------------------------------------------------------------------------------------------------


def help_text(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_explains_exit_codes_and_gives_examples_that_parse(capsys):
    text = help_text(capsys, "prove")
    assert re.search(r"exit codes: 0 .*, 1 .*, 2 ", text)
    examples = re.findall(r"^  tinygrad-mlp (prove.*?)(?:  |$)", text, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        cli.parser().parse_args(shlex.split(example))


def test_help_names_every_choice_and_the_commands(capsys):
    text = " ".join(help_text(capsys, "prove").split())
    for name in itertools.chain(ACTIVATIONS, LOSSES, prove.DTYPES, prove.DEFAULTS):
        assert name in text
    assert "prove" in help_text(capsys)


def test_python_m_runs_the_command():
    done = subprocess.run(  # this interpreter
        [sys.executable, "-m", "tinygrad_mlp", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tinygrad-mlp {tinygrad_mlp.__version__}\n", "")


def test_the_graph_names_what_goes_in(small, out):
    assert small() == 0
    source = (out / "graph.dot").read_text()
    for name in ("X", "y", "linear1.weight", "linear1.bias", "cross_entropy"):
        assert f'"{name}\\n' in source


# --- derive -----------------------------------------------------------------------------------------------------------

MODEL_FILE = """
import numpy as np
from tinygrad_mlp import Tensor

w = Tensor([0.5, 0.5], requires_grad=True)
X, y = np.ones((3, 2)), np.zeros(3)

def loss(X, y):
    return np.sum((X @ w - y) ** 2)

def branching(X):
    return np.sum(X @ w) if X[0, 0] > 0 else np.sum(w)

def other(Z):
    return np.sum(Z @ w)

def pixels(X):
    return X @ w

number = 3
"""


def derive(*options):
    return cli.main(["derive", *map(str, options)])


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL_FILE, encoding="utf-8")
    return path


def written(text):
    space = {}
    exec(compile(text, "written.py", "exec"), space)  # noqa: S102  # what is tested
    return space


def test_derive_writes_the_source_of_a_network(capsys):
    assert derive("--sizes", "784,128,10", "--activation", "tanh") == 0
    out, err = capsys.readouterr()
    assert not err
    assert "dZ1 = dA1 * (1 - A1 * A1)" in out
    assert "X  : (32, 784), float32" in out
    rng = np.random.default_rng(0)
    parameters = [rng.standard_normal(shape).astype(np.float32) for shape in ((784, 128), 128, (128, 10), 10)]
    X, y = rng.standard_normal((32, 784)).astype(np.float32), rng.integers(0, 10, 32)
    loss, gradients = written(out)["loss_and_gradients"](X, y, *parameters)
    names = dict(zip(("W1", "b1", "W2", "b2"), parameters, strict=True))
    by_hand = manual.backprop(names, X, y, "tanh", "cross_entropy")
    assert float(loss) == by_hand.loss
    assert all(same_bits(gradients[name], g) for name, g in by_hand.gradients.items())


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_derive_knows_every_loss_and_option(loss, capsys):
    assert derive("--sizes", "3,4,2", "--loss", loss, "--batch-size", 5, "--dtype", "float64") == 0
    out = capsys.readouterr().out
    assert "X  : (5, 3), float64" in out
    assert "loss_and_gradients" in written(out)


@pytest.mark.parametrize(("style", "text"), [("latex", r"\partial"), ("markdown", "W_1")])
def test_derive_writes_mathematics(style, text, capsys):
    assert derive("--sizes", "3,2", "--batch-size", 2, "--format", style) == 0
    out = capsys.readouterr().out
    assert text in out
    if style == "markdown":
        assert derive("--sizes", "3,2", "--batch-size", 2, "--format", style, "--with-numbers") == 0
        assert len(capsys.readouterr().out) > len(out)


def test_derive_reads_a_function_in_a_file(model_file, tmp_path, capsys):
    assert derive(f"{model_file}:loss", "-o", tmp_path / "step.py") == 0
    assert capsys.readouterr() == ("", "")
    text = (tmp_path / "step.py").read_text(encoding="utf-8")
    loss, gradients = written(text)["loss_and_gradients"](np.ones((3, 2)), np.zeros(3), np.array([0.5, 0.5]))
    assert loss == 3
    assert gradients["w"].tolist() == [6, 6]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    model_file.write_text(MODEL_FILE + "inputs = (np.ones((7, 2)),)\n", encoding="utf-8")
    assert derive(f"{model_file}:other") == 0
    assert "Z : (7, 2), float64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --sizes for a network, or FILE:FUNCTION"),
        (("model.py:loss", "--sizes", "3,2"), "give --sizes for a network, or FILE:FUNCTION"),
        (("model.py:loss", "--loss", "mse"), "--loss is of networks, not of functions in files"),
        (("--sizes", "3,2", "--with-numbers"), "--with-numbers needs --format markdown"),
        (("--sizes", "3"), "a network needs two widths at least"),
        (("--sizes", "3,2", "--batch-size", "0"), "the batch size must be at least 1"),
        (("--sizes", "3,2", "--activation", "rleu"), "did you mean 'relu'"),
        (("--sizes", "3,2", "--loss", "mes"), "did you mean 'mse'"),
        (("--sizes", "3,2", "--dtype", "float23"), "did you mean 'float32'"),
        (("model.py",), "expected FILE:FUNCTION"),
        (("nowhere.py:loss",), "there is no file nowhere.py"),
        (("{file}:los",), "did you mean 'loss'"),
        (("{file}:number",), "number is no function but int"),
        (("{file}:other",), "other() takes Z, of which there is no example"),
        (("{file}:branching",), "model.py:12: a value is not known while the function is traced"),
        (("{file}:pixels",), "has shape (3,), but a derivation starts at one number"),
        (("--sizes", "3,2", "-o", "{folder}/no/such/folder/x.py"), "cannot write"),
    ],
)
def test_derive_says_what_is_wrong(options, message, model_file, capsys):
    given = [str(option).format(file=model_file, folder=model_file.parent) for option in options]
    assert derive(*given) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err
    assert err.startswith("tinygrad-mlp: ")
    assert err.count("\n") == 1


def test_derive_says_which_line_of_a_file_fails(model_file, capsys):
    model_file.write_text("x = 1\ny = x / 0\n", encoding="utf-8")
    assert derive(f"{model_file}:loss") == 2
    assert f"{model_file}:2 fails: ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_derive_help_teaches(capsys):
    with pytest.raises(SystemExit):
        derive("--help")
    text = capsys.readouterr().out
    for word in ("examples:", "FILE:FUNCTION", "exit codes", "`inputs`", "--with-numbers"):
        assert word in text
