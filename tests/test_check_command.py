"""The command ``tinygrad-mlp check``: exit codes, files, and one line for everything that keeps it from judging."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinygrad_mlp import cli
from tinygrad_mlp.doctor.command import EXAMPLE

MISTAKE, RIGHT = "1 - Z1**2)  # the mistake", "1 - A1**2)  # the mistake"


def check(*options: Any) -> int:
    return cli.main(["check", *map(str, options)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example, written by the command."""
    path = tmp_path / "backprop.py"
    assert check("--example", path) == 0
    return path


def edit(file: Path, old: str, new: str) -> Path:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


def test_the_example_has_a_mistake_that_is_found_and_can_be_corrected(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "tinygrad-mlp check backprop.py" in file.read_text(encoding="utf-8")
    assert check(file) == 1
    out, err = capsys.readouterr()
    assert out.startswith("dW1 and db1 are wrong, dW2 and db2 are right.\n")
    assert "[act_derivative_wrong_argument]" in out
    assert not err
    assert check(edit(file, MISTAKE, RIGHT)) == 0
    assert capsys.readouterr().out.startswith("All 4 gradients are right on this batch.\n")


def test_the_example_is_printed_or_written_but_nothing_is_overwritten(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--example") == 0
    assert capsys.readouterr() == (EXAMPLE, "")
    file.write_text("mine", encoding="utf-8")
    for options in (("--example", file), (file, "--example")):
        assert check(*options) == 2
        assert f"{file} exists already, and is not overwritten" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("style", "start"), [("text", "dW1 and"), ("markdown", "**dW1 and"), ("html", '<div class="tg-doctor">')])
def test_reports_are_written_in_one_step(style: str, start: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_suffix(".out")
    assert check(file, "--format", style, "-o", out) == 1
    assert capsys.readouterr() == ("", "")
    assert out.read_text(encoding="utf-8").startswith(start)
    assert not [path for path in file.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def manual", "def backward", "defines no manual (your backprop: a function of (X, y, params) that returns a dict of name to gradient): did you mean backward?"),
        ("def loss", "def losss", "did you mean losss?"),
        ("params = {", "weights = {", "defines no params (a dict of name to array): did you mean weights?"),
        ("y = np", "Q = np", "defines no y (the labels or targets; y = None if there are none). tinygrad-mlp check --example"),
        ("def manual", "def gradients", "gradients is a function: call it manual"),
        ("rng = np", "rng = 1 / 0  # np", "backprop.py fails: ZeroDivisionError: division by zero (at {file}:12: rng = 1 / 0  # np.random.default_rng(0))"),
        ("rng = np", "rng = = np", "is no valid Python: invalid syntax (at {file}:12: rng = = np.random.default_rng(0))"),
        ("rng = np", "raise SystemExit(3)  # np", "fails: SystemExit: 3 (at {file}:12:"),
        ("A1 = np.tanh(Z1)", "A1 = [][0]", "the loss cannot be computed"),
        ("A1 = np.tanh(Z1)", "A1 = [][0]", "(at {file}:26: A1 = [][0])"),
        ("return tg.nn", "return 3  # tg.nn", "returned int, not a Tensor"),
        ("A1 = np.tanh(Z1)", "raise SystemExit", "ends the program (SystemExit): loss and manual return their results"),
        ("A1 = np.tanh(Z1)", "raise KeyboardInterrupt", "{file}:26: raise KeyboardInterrupt ends the program (KeyboardInterrupt)"),
        ("A1 = np.tanh(Z1)", "raise GeneratorExit", "ends the program (GeneratorExit)"),
        ("A1 = np.tanh(Z1)", "raise type('Own', (BaseException,), {})()", "ends the program (Own)"),
        ("A1 = np.tanh(Z1)", "raise MemoryError", "the loss cannot be computed: loss(X, y, params) raised MemoryError"),
        ("rng = np", "raise KeyboardInterrupt  # np", "fails: KeyboardInterrupt:  (at {file}:12:"),
        ("rng = np", "raise GeneratorExit  # np", "fails: GeneratorExit:  (at {file}:12:"),
        ("rng = np", "raise type('Own', (BaseException,), {})('x')  # np", "fails: Own: x (at {file}:12:"),
        ("rng = np", "raise MemoryError  # np", "fails: MemoryError:  (at {file}:12:"),
        ("X = rng", "X = __import__('functools').reduce(lambda p, _: [p], range(100_000), [])\n_ = rng", "is nested too deeply"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_said_in_a_line(
    old: str, new: str, message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(edit(file, old, new)) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("tinygrad-mlp: ")
    assert err.count("\n") == 1
    assert message.format(file=file) in err


@pytest.mark.parametrize("error", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit", "type('Own', (BaseException,), {})('x')"])
def test_whatever_manual_raises_is_the_finding(error: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(edit(file, "    dZ2 = ", f"    raise {error}\n    dZ2 = ")) == 1
    assert "manual(X, y, params) raised " in capsys.readouterr().out


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own handler of Ctrl-C, which a process that was started in the background has not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("place", ["rng = np", "A1 = np.tanh(Z1)", "dZ2 = (P"])
def test_the_interrupt_of_the_keyboard_is_none_of_the_files(place: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "import signal; signal.raise_signal(signal.SIGINT); "
    assert check(edit(file, place, line + place)) == 130
    assert capsys.readouterr().err == "tinygrad-mlp: interrupted, nothing written\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give the file with your backprop"),
        (("nowhere.py",), "nowhere.py does not exist"),
        (("{folder}",), "is a directory"),
        (("{file}", "--seconds", "0"), "--seconds must be a positive number"),
        (("{file}", "--seconds", "nan"), "--seconds must be a positive number"),
        (("{file}", "-o", "{file}"), "is the file to be checked"),
        (("{file}", "-o", "{folder}/no/such/x.txt"), "cannot write"),
        (("{file}", "--example", "x.py"), "give one of them"),
        (("--example", "{folder}/x.txt"), "its name must end in .py"),
        (("--example", "{folder}/no/such/x.py"), "cannot write"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    options: tuple[str, ...], message: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = file.read_bytes()
    assert check(*(option.format(file=file, folder=file.parent) for option in options)) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err
    assert err.count("\n") == 1
    assert file.read_bytes() == kept


def test_a_backprop_that_raises_is_a_mistake_with_a_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(edit(file, 'dA1 = dZ2 @ p["W2"].T', 'dA1 = dZ2 @ p["W2"]')) == 1
    out = capsys.readouterr().out
    assert out.startswith("There is no gradient to judge: manual(X, y, params) raised ValueError: matmul")
    assert f'{file}:43: dA1 = dZ2 @ p["W2"]' in " ".join(out.split()).replace(" @ ", " @ ")


def test_gradients_alone_are_judged(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8").replace("def manual", "def mine") + "\ngradients = mine(X, y, params)\n"
    file.write_text(text, encoding="utf-8")
    assert check(file) == 1
    assert "[act_derivative_wrong_argument]" in capsys.readouterr().out


def test_a_mistake_on_other_data_is_a_mistake(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(file, MISTAKE, RIGHT)
    assert check(edit(file, "m = len(X)", "m = 8")) == 1
    assert capsys.readouterr().out.startswith("All 4 gradients are right on this batch, but not on other data.")


def test_the_file_runs_as_a_script_would(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "beside_it.py").write_text("def half(x):\n    return x / 2\n", encoding="utf-8")
    edit(file, "    m = len(X)\n", "    from beside_it import half\n\n    m = half(2 * len(X))\n    print('hello')\n")
    edit(file, "rng = np", "import sys\n\nassert sys.argv == [__file__]\nprint('loud')\nrng = np")
    edit(file, MISTAKE, RIGHT)
    before, arguments = list(sys.path), sys.argv
    monkeypatch.chdir(file.parent)
    assert check(file.name, "--format", "markdown") == 0
    out, err = capsys.readouterr()
    assert out.startswith("**All 4")
    assert "loud\nhello\n" in err
    assert sys.path == before
    assert sys.argv is arguments
    sys.modules.pop("beside_it")


def test_the_help_teaches_and_its_examples_parse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check("--help")
    text = capsys.readouterr().out
    assert re.search(r"exit codes: 0 .*, 1 .*, 2 ", text)
    assert "it is your own\ncode" in text
    examples = re.findall(r"^  tinygrad-mlp (check.*?)(?:  |$)", text, re.MULTILINE)
    assert len(examples) == 3
    for example in examples:
        cli.parser().parse_args(shlex.split(example))


def test_the_list_of_commands_says_of_late_ones_what_they_say_themselves() -> None:
    def short(only: str | None) -> dict[str, str | None]:
        action = next(action for action in cli.parser(only)._actions if action.dest == "command")
        return {choice.dest: choice.help for choice in action._choices_actions}  # type: ignore[attr-defined]

    assert short(None) == short("")
    assert set(cli.LATE) <= set(short(""))


def test_the_list_of_commands_does_not_wait_for_the_doctor() -> None:
    program = (
        "import sys\nfrom tinygrad_mlp import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit:\n    print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "check     say what is wrong" in run.stdout
    assert not {"tinygrad_mlp.doctor", "tinygrad_mlp.exercise", "tinygrad_mlp.nn"} & set(run.stdout.split())


def test_a_reader_that_has_gone_is_no_traceback(file: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "tinygrad_mlp", "check", str(file)], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, "")
