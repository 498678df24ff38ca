"""The exercises: every blank and every planted mistake of every level, a teacher's own, and files that cannot be used."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygrad_mlp.errors import DataError, UnknownNameError
from tinygrad_mlp.exercise import grade, level, levels, new, of_teacher, writing
from tinygrad_mlp.exercise.command import add, run
from tinygrad_mlp.exercise.handed_in import read_about
from tinygrad_mlp.exercise.markup import parse

LEVELS = levels()
STEPS = [(e.number, step.name) for e in LEVELS for step in e.marked.steps]
MISTAKES = [(e.number, mistake.step, mistake.label) for e in LEVELS for mistake in e.marked.mistakes]


def command(*words):
    """The exit code of ``tinygrad-mlp exercise …``."""
    parser = argparse.ArgumentParser()
    add(parser.add_subparsers(dest="command"))
    return run(parser.parse_args(["exercise", *map(str, words)]))


def change(folder, old, by):
    path = folder / "manual.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, by), encoding="utf-8")


def blank_line(folder):
    return next(line.strip() for line in (folder / "manual.py").read_text(encoding="utf-8").splitlines() if "TODO(you)" in line)


def verdicts(found):
    return {judged.step.name: judged.verdict for judged in found.steps}


@pytest.fixture
def relu(tmp_path):
    """Level 3 with dZ1 blank."""
    return new(tmp_path / "relu", level(3), step="dZ1")


def test_there_are_six_levels_each_with_a_choice():
    assert [e.number for e in LEVELS] == [1, 2, 3, 4, 5, 6]
    for e in LEVELS:
        assert len(e.marked.steps) >= 4
        assert len(e.marked.mistakes) >= 5
        assert all(step.hint for step in e.marked.steps)
        assert e.task.startswith("# ")
        assert "tinygrad" not in e.text


@pytest.mark.parametrize(("number", "name"), STEPS)
def test_every_blank(number, name, tmp_path, capsys):
    out = tmp_path / "out"
    assert command("new", out, "--level", number, "--step", name) == 0
    assert {p.name for p in out.iterdir()} == {"manual.py", "loss.py", "data.py", "exercise.md", "exercise.json"}
    assert f"fill in {name}" in (out / "exercise.md").read_text(encoding="utf-8")
    capsys.readouterr()
    assert command("grade", out) == 1
    said = capsys.readouterr().out
    assert f"{name} is still blank: write it in line" in said
    assert "Hint: " in said
    code = level(number).marked.step(name).code
    assert code not in said
    assert command("grade", out, "--solution") == 1
    assert code in capsys.readouterr().out
    change(out, blank_line(out), code)
    assert command("grade", out) == 0
    assert "All right" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "name", "label"), MISTAKES)
def test_every_planted_mistake(number, name, label, tmp_path):
    exercise = level(number)
    out = new(tmp_path / "out", exercise, step=name, plant=label)
    found = grade(out)
    assert found.diagnosis.labels[0] == label
    assert not found.ok
    assert found.first.step.name == name
    assert found.points == (len(found.steps) - 1, len(found.steps))  # what follows from it is not counted again
    wrong = next(m.code for m in exercise.marked.step(name).mistakes if m.label == label)
    assert label in found.text()
    step = exercise.marked.step(name)
    change(out, step.indent + wrong + "\n", step.indent + step.code + "\n")
    assert grade(out).ok


def test_the_seed_chooses(tmp_path):
    steps = {json.loads((new(tmp_path / f"{s}", level(4), seed=s) / "exercise.json").read_text())["step"] for s in range(6)}
    assert len(steps) > 2
    first, again = (new(tmp_path / name, level(4), seed=3, plant=True) for name in ("a", "b"))
    assert (first / "manual.py").read_bytes() == (again / "manual.py").read_bytes()


# --- the grade -----------------------------------------------------------------------------------------------------------


def test_what_follows_from_a_mistake_is_right(relu):
    change(relu, blank_line(relu), "dZ1 = dA1 * A1")
    found = grade(relu)
    assert verdicts(found) == dict.fromkeys(["dZ2", "dW2", "db2", "dA1"], "right") | {
        "dZ1": "wrong",
        "dW1": "follows",
        "db1": "follows",
    }
    assert "given your dZ1" in str(found)
    assert "dA1 * (Z1 > 0)" not in str(found)
    assert "dA1 * (Z1 > 0)" in found.text(solution=True)


def test_two_mistakes_are_two(relu):
    change(relu, blank_line(relu), "dZ1 = dA1")
    change(relu, "db2 = dZ2.sum(axis=0)", "db2 = dZ2.mean(axis=0)")
    assert [name for name, verdict in verdicts(grade(relu)).items() if verdict == "wrong"] == ["db2", "dZ1"]


def test_another_convention_is_right(tmp_path):
    out = new(tmp_path / "out", level(4), step="db1")
    change(out, blank_line(out), "db1 = dZ1.sum(axis=0) / m")
    change(out, "dZ2 = (P - Y) / m", "dZ2 = P - Y")
    for line in ("dW2 = A1.T @ dZ2", "db2 = dZ2.sum(axis=0)", "dW1 = X.T @ dZ1"):
        change(out, line, line + " / m")
    assert grade(out).ok
    change(out, "db1 = dZ1.sum(axis=0) / m", "db1 = dZ1.sum(axis=0)")
    found = grade(out)
    assert [name for name, verdict in verdicts(found).items() if verdict != "right"] == ["db1"]


def test_other_names_and_in_place_are_right(relu):
    change(relu, blank_line(relu), "dA1[Z1 <= 0] = 0\n    delta = dA1")
    change(relu, "@ dZ1", "@ delta")
    change(relu, "dZ1.sum", "delta.sum")
    assert grade(relu).ok
    change(relu, "db2 = dZ2.sum(axis=0)", "db2 = dZ2.sum()")
    found = verdicts(grade(relu))
    assert found["db2"] == "wrong"
    assert "wrong" not in {verdict for name, verdict in found.items() if name != "db2"}


def test_a_file_that_raises(relu):
    change(relu, blank_line(relu), "dZ1 = dA1 @ Z1")
    found = grade(relu)
    assert not found.ok
    assert verdicts(found)["dA1"] == "right"
    assert verdicts(found)["dW1"] == "not reached"
    assert "manual.py:20 stopped: ValueError" in " ".join(str(found).split())  # wrapped after the folder, whose length varies


def test_wrong_shapes(relu):
    change(relu, blank_line(relu), "dZ1 = (dA1 * (Z1 > 0)).sum(axis=0, keepdims=True).repeat(12, axis=0)")
    change(relu, "db1 = dZ1.sum(axis=0)", "db1 = dZ1")
    found = grade(relu)
    assert verdicts(found)["dZ1"] == "wrong"
    assert verdicts(found)["db1"] == "wrong"
    assert "it has shape (12, 5), and should have (5,)" in str(found)


@pytest.mark.parametrize("line", ["return None", "return 3", "return {}", "raise SystemExit(3)", "print('hello')"])
def test_odd_files(relu, line):
    change(relu, "    # backward", f"    {line}")
    change(relu, blank_line(relu), "dZ1 = dA1")
    found = grade(relu)
    assert not found.ok
    assert ("hello" in str(found)) == ("hello" in line)


# --- a teacher's own -----------------------------------------------------------------------------------------------------

MANUAL = """\
import numpy as np

def manual(X, y, params):
    e = X @ params["w"] - y
    de = e / len(X)  # step: de
    # hint: half the square
    # mistake missing_batch_mean: de = e
    dw = X.T @ de  # step: dw
    return {"w": dw}
"""
LOSS = 'def loss(X, y, params):\n    e = X @ params["w"] - y\n    return (e * e).mean() / 2\n'


@pytest.fixture
def teacher(tmp_path):
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "manual.py").write_text(MANUAL)
    (folder / "loss.py").write_text(LOSS)
    rng = np.random.default_rng(0)
    np.savez(folder / "data.npz", X=rng.standard_normal((5, 2)), y=rng.standard_normal(5), w=rng.standard_normal(2))
    return folder


def test_a_teachers_own(teacher, tmp_path, capsys):
    out = tmp_path / "out"
    assert command("new", out, "--from", teacher, "--step", "dw") == 0
    assert blank_line(out) == "dw = None  # TODO(you): compute dw, shape (2,)"
    assert "step:" not in (out / "manual.py").read_text()
    shutil.move(teacher, tmp_path / "elsewhere")  # the exercise stands alone
    assert command("grade", out) == 1
    change(out, blank_line(out), "dw = X.T @ de")
    assert command("grade", out) == 0
    hunt = tmp_path / "hunt"
    assert command("new", hunt, "--from", tmp_path / "elsewhere", "--plant") == 0
    assert grade(hunt).diagnosis.labels == ["missing_batch_mean"]


@pytest.mark.parametrize(
    ("old", "by", "words"),
    [
        ("de = e / len(X)", "de = e", "the solution itself is not right"),
        ("de = e / len(X)", "de = e / 0 @ 1", "the solution itself fails"),
        ("# step: de", "# step: dz", "a step is one line NAME = expression"),
        ("# step: dw", "# step: de", "a step is one line NAME = expression"),
        ("mean: de = e", "mean: dw = e", "a mistake is a label and a line for the step de"),
        ("import numpy as np", "# hint: early", "belongs directly below the line of a step"),
        ("import numpy as np", "import (", "is not Python"),
        ("def manual", "def mannual", "defines no function manual(X, y, params)"),
        ("mean: de = e", "mean: de = e / 5", "changes no gradient"),
        ('return {"w": dw}', 'return 3, {"w": dw}', "must return a dict"),
    ],
)
def test_a_teachers_mistakes_are_told(teacher, tmp_path, old, by, words, capsys):
    text = (teacher / "manual.py").read_text()
    assert old in text
    (teacher / "manual.py").write_text(text.replace(old, by))
    assert command("new", tmp_path / "out", "--from", teacher, "--plant") == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_marks_are_needed():
    with pytest.raises(DataError, match="has no step: mark lines"):
        parse("x = 1\n")
    with pytest.raises(DataError, match="two steps called x"):
        parse("x = 1  # step: x\nx = 2  # step: x\n")


@pytest.mark.parametrize("name", ["manual.py", "loss.py", "data.npz"])
def test_a_teachers_missing_file(teacher, name):
    (teacher / name).unlink()
    with pytest.raises(DataError, match="has no "):
        of_teacher(teacher)


def test_no_pickle_is_read(teacher, tmp_path):
    np.savez(teacher / "data.npz", X=np.array([{}], object), y=np.zeros(1), w=np.zeros(2))
    with pytest.raises(DataError, match="no file of plain arrays"):
        new(tmp_path / "out", of_teacher(teacher))


# --- the directory -------------------------------------------------------------------------------------------------------


def test_the_directory(tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    assert command("new", tmp_path / "empty", "--level", 1) == 0
    assert command("new", tmp_path / "empty", "--level", 1) == 2
    assert "is not empty: name a new directory" in capsys.readouterr().err
    (tmp_path / "file").write_text("mine")
    assert command("new", tmp_path / "file", "--level", 1) == 2
    assert command("new", tmp_path / "file" / "x", "--level", 1) == 2
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert command("new", ".", "--level", 1) == 2
    assert command("new", "deep/er", "--level", 1) == 0
    assert command("new", "x", "--level", 9) == 2
    assert command("new", "x", "--level", 1, "--step", "dq") == 2
    assert command("new", "x", "--level", 1, "--plant", "sign_fliped") == 2
    assert "did you mean 'sign_flipped'" in capsys.readouterr().err
    assert command("new", "x", "--level", 1, "--seed", "-1") == 2
    assert not Path("x").exists()


@pytest.mark.parametrize("when", [1, 3, 5])
def test_a_failing_write_leaves_nothing(tmp_path, monkeypatch, when):
    count, whole = [], Path.write_bytes

    def failing(path, content):
        count.append(path)
        if len(count) == when:
            raise OSError(28, "No space left on device")
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(DataError, match="No space left"):
        new(tmp_path / "out", level(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="a process is killed in another way there")
def test_a_killed_run_leaves_nothing_under_the_name(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from tinygrad_mlp.exercise import new, level; whole = Path.write_bytes\n"
        "def dying(p, c):\n    whole(p, c)\n    if p.name == 'loss.py': os.kill(os.getpid(), 9)\n"
        "Path.write_bytes = dying\nnew(sys.argv[1], level(1))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "out").exists()
    assert new(tmp_path / "out", level(1)).is_dir()


def test_what_cannot_be_graded(relu, tmp_path, capsys):
    def told(words):
        assert command("grade", relu) == 2
        assert words in capsys.readouterr().err

    assert command("grade", tmp_path / "nothing") == 2
    assert command("grade", tmp_path) == 2
    assert "has no exercise.json" in capsys.readouterr().err
    manual, loss, about = (relu / name for name in ("manual.py", "loss.py", "exercise.json"))
    kept = {path: path.read_bytes() for path in (manual, loss, about)}
    manual.write_text("def manual(:\n")
    told("manual.py:1 is not Python")
    manual.write_text("import nothing_of_this_name\n")
    told("manual.py:1 fails when it is imported: ModuleNotFoundError")
    manual.write_text("x = 3\n")
    told("defines no function manual(X, y, params)")
    manual.unlink()
    told("there is no file")
    manual.write_bytes(kept[manual])
    loss.write_text("def loss(X, y, params): return 0\n")
    told("is not the file that the exercise came with")
    loss.unlink()
    told("is missing")
    loss.write_bytes(kept[loss])
    for text in ("", "[]", "{}", kept[about].decode()[:200], kept[about].decode().replace('"answers": "', '"answers": "x')):
        about.write_text(text)
        told("was changed or cut short")
    about.write_text(kept[about].decode().replace('"format": 1', '"format": 2'))
    told("reads format 1")


def test_files_beside_can_be_imported_and_are_forgotten(relu):
    (relu / "helper_of_mine.py").write_text("def mask(Z): return Z > 0\n")
    change(relu, "import numpy as np", "import numpy as np\nfrom helper_of_mine import mask")
    change(relu, blank_line(relu), "dZ1 = dA1 * mask(Z1)")
    assert grade(relu).ok
    assert "helper_of_mine" not in sys.modules
    assert not (relu / "__pycache__").exists()


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_refused(content, tmp_path):
    (tmp_path / "exercise.json").write_text(content)
    with pytest.raises(DataError, match=r"exercise\.json was changed or cut short"):
        read_about(tmp_path)


def test_an_unknown_level():
    with pytest.raises(UnknownNameError, match="unknown level '7': known are 1, 2, 3, 4, 5, 6"):
        level(7)


def test_the_answers_are_covered(relu):
    text = (relu / "exercise.json").read_text()
    assert "Z1 > 0" not in text
    assert "Z1 > 0" in writing.uncovered(json.loads(text)["answers"])["manual"]


def test_list(capsys):
    assert command("list") == 0
    assert "3  A ReLU layer\n   steps: dZ2, dW2" in capsys.readouterr().out
