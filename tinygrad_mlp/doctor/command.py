"""What the command ``tinygrad-mlp check`` does: a backprop by hand in a user's file is examined."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..chainrule.examples import loaded
from ..errors import DataError, SettingError, ShapeError, TensorTypeError, is_interrupt, nearest
from ..files import replace_file
from .case import Case
from .diagnosis import Diagnosis
from .examine import diagnose
from .report import as_html, as_markdown, as_text

__all__ = ["EXAMPLE", "add", "run"]

CHECK = """\
Say what is wrong with a backprop written by hand. FILE is a Python file of yours that defines

  loss(X, y, params)     the loss, written with tinygrad_mlp or NumPy: the gradients it has are the true ones
  manual(X, y, params)   your backprop: returns a dict of name to gradient. Or gradients, such a dict, in its place
  X, y, params           a small batch, and a dict of name to array (y = None if there are no labels)

Every gradient is compared with the true one. For those that differ, the step of the chain rule that gives your numbers when it
is done wrong is looked for, and printed beside the right line. FILE is imported and run, with all that it does: it is your own
code. What it prints goes to stderr. Code below `if __name__ == "__main__":` does not run.
"""

EXAMPLES = """\
examples:
  tinygrad-mlp check --example backprop.py          write a file to begin with: a network, and a mistake in its backprop
  tinygrad-mlp check backprop.py                    find the mistake
  tinygrad-mlp check backprop.py --format html -o report.html

exit codes: 0 all gradients are right, 1 a mistake was found (on this batch or on other data), 2 it cannot be judged, and why
"""

EXAMPLE = '''\
"""A network with one hidden layer, its loss, and its backprop by hand, in which there is a mistake.

    tinygrad-mlp check FILE

finds it. Try to see it yourself first; then correct the line and run the command again. Put your own network in its place.
"""

import numpy as np

import tinygrad_mlp as tg

rng = np.random.default_rng(0)
X = rng.standard_normal((8, 4))  # 8 samples of 4 numbers: a small batch is enough, and quick
y = np.array([0, 1, 2, 0, 1, 2, 0, 1])  # their classes
params = {
    "W1": rng.standard_normal((4, 5)) * 0.5,  # random, not zero: zeros hide mistakes
    "b1": rng.standard_normal(5) * 0.1,
    "W2": rng.standard_normal((5, 3)) * 0.5,
    "b2": rng.standard_normal(3) * 0.1,
}


def loss(X, y, p):
    """The loss, and nothing else: its gradients are found by tinygrad_mlp. The entries of p arrive as Tensors."""
    Z1 = X @ p["W1"] + p["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ p["W2"] + p["b2"]
    return tg.nn.cross_entropy(Z2, y)  # softmax, logarithm, and the mean over the batch


def manual(X, y, p):
    """The same forward pass in plain NumPy, and the chain rule backward. The entries of p are arrays."""
    m = len(X)
    Z1 = X @ p["W1"] + p["b1"]  # (8, 5)
    A1 = np.tanh(Z1)  # (8, 5)
    Z2 = A1 @ p["W2"] + p["b2"]  # (8, 3)
    E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)  # softmax, row by row

    dZ2 = (P - np.eye(3)[y]) / m  # softmax and cross-entropy together; 1/m because the loss is a mean
    dW2 = A1.T @ dZ2  # (5, 8) @ (8, 3): each weight gets a sum over the batch
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1 * (1 - Z1**2)  # the mistake is here: tanh' = 1 - tanh(Z1)**2, which is 1 - A1**2
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
'''

NEEDED = {
    "loss": ("a function of (X, y, params) that returns one number", "loss_fn loss_function cost compute_loss forward objective"),
    "manual": (
        "your backprop: a function of (X, y, params) that returns a dict of name to gradient",
        "backward backprop backpropagation grad grads manual_backprop my_backprop compute_gradients backward_pass",
    ),
    "X": ("the inputs, a small batch", "x inputs X_train x_train data batch Xb"),
    "y": ("the labels or targets; y = None if there are none", "Y t T labels targets y_train yb target"),
    "params": ("a dict of name to array", "parameters weights theta p param model_params"),
}
"""What a file defines: what it is, and what else people call it."""


def add(commands: Any) -> None:
    """Add ``check`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "check",
        help="say what is wrong with a backprop written by hand",
        description=CHECK,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="a Python file with loss, manual, X, y and params; it is run")
    parser.add_argument(
        "--example", nargs="?", const="", metavar="FILE", help="write an example to FILE, which must not exist yet, or print it"
    )
    parser.add_argument("--format", choices=("text", "markdown", "html"), default="text", help="text (default), markdown or html")
    parser.add_argument("-o", "--out", metavar="OUT", help="write the report to OUT, in one step, and not to the terminal")
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="how long causes may be searched for (default: 8)")


def run(arguments: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    try:
        code, text = example(arguments) if arguments.example is not None else examined(arguments)
        if arguments.out and text:
            replace_file(arguments.out, text)
            text = ""
    except (DataError, SettingError, ShapeError, TensorTypeError) as error:
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
    if text:
        print(text.removesuffix("\n"), flush=True)
    return code


def example(arguments: argparse.Namespace) -> tuple[int, str]:
    """Write the example, or return it for printing."""
    if arguments.example and arguments.file:
        raise SettingError("--example FILE writes a file, and FILE alone is checked: give one of them")
    target = arguments.example or arguments.file
    if not target:
        return 0, EXAMPLE
    path = Path(target)
    if path.suffix != ".py":
        raise SettingError(f"the example is a Python file: its name must end in .py (got {target!r})")
    if path.exists() or path.is_symlink():
        raise DataError(f"{target} exists already, and is not overwritten: give another name")
    replace_file(path, EXAMPLE.replace("check FILE", f"check {path.name}"))
    return 0, ""


def examined(arguments: argparse.Namespace) -> tuple[int, str]:
    """The exit code and the report on a file."""
    file = arguments.file
    if not file:
        raise SettingError("give the file with your backprop: tinygrad-mlp check FILE; --example prints one to begin with")
    if not (math.isfinite(arguments.seconds) and arguments.seconds > 0):
        raise SettingError(f"--seconds must be a positive number (got {arguments.seconds})")
    if arguments.out and os.path.exists(arguments.out) and os.path.exists(file) and os.path.samefile(arguments.out, file):
        raise SettingError(f"-o {arguments.out} is the file to be checked: the report would replace it")
    path = os.path.abspath(file)
    with as_script(path):
        module = module_of(path, file)
        given = contents(module, file)
        try:
            found = diagnose(*given[:5], gradients=given[5], seconds=arguments.seconds)
        except (DataError, ShapeError, TensorTypeError) as error:
            where = line_in(path, file, error.__cause__)
            raise DataError(f"{file}: {error}{f' (at {where})' if where else ''}") from error
        except BaseException as error:
            if isinstance(error, Exception) or is_interrupt(error):
                raise
            where, kind = line_in(path, file, error) or file, type(error).__name__
            raise DataError(f"{where} ends the program ({kind}): loss and manual return their results") from error
        note_where_it_raised(found, given, path, file)
    form = {"text": as_text, "markdown": as_markdown, "html": as_html}[arguments.format]
    return 0 if found.ok and not found.elsewhere else 1, form(found)


@contextlib.contextmanager
def as_script(path: str) -> Iterator[None]:
    """What ``python FILE`` sets up: modules beside it can be imported, arguments are its own; and its output stays out of ours."""
    kept_path, kept_arguments = list(sys.path), sys.argv
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    sys.argv = [path]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:], sys.argv = kept_path, kept_arguments


def module_of(path: str, file: str) -> ModuleType:
    """The file, run."""
    if not os.path.isfile(path):
        kind = "is a directory: give a file in it" if os.path.isdir(path) else "does not exist"
        raise DataError(f"{file} {kind}")
    try:
        return loaded(Path(path))
    except DataError as error:
        cause = error.__cause__
        if cause is None:
            raise DataError(str(error).replace(path, file)) from None
        if isinstance(cause, SyntaxError):
            where = f"{file}:{cause.lineno}: {(cause.text or '').strip()}" if cause.filename == path else file
            raise DataError(f"{file} is no valid Python: {cause.msg} (at {where})") from cause
        message = f"{file} fails: {type(cause).__name__}: {' '.join(str(cause).split())}"
        where = line_in(path, file, cause)
        raise DataError(f"{message} (at {where})" if where else message) from cause


def line_in(path: str, file: str, error: BaseException | None) -> str:
    """The last line of the user's file on the way to an error; empty if there is none."""
    frames = [f for f in traceback.extract_tb(error.__traceback__ if error else None) if f.filename == path]
    return f"{file}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""


def contents(module: ModuleType, file: str) -> tuple[Any, Any, Any, Any, Any, Any]:
    """loss, manual, X, y, params and gradients; one of manual and gradients is None."""
    space = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    gradients = space.get("gradients") if "manual" not in space else None
    if callable(gradients):
        raise DataError(f"{file}: gradients is a function: call it manual. gradients would be a dict of name to array")
    missing = [name for name in NEEDED if name not in space and not (name == "manual" and gradients is not None)]
    if missing:
        own = [n for n, v in space.items() if not isinstance(v, ModuleType) and n not in NEEDED]
        said = "; ".join(f"no {name} ({NEEDED[name][0]}){suggestion(name, own, space)}" for name in missing)
        end = "" if said.endswith("?") else "."
        raise DataError(f"{file} defines {said}{end} tinygrad-mlp check --example prints a file that has all of them")
    return space["loss"], space.get("manual"), space["X"], space["y"], space["params"], gradients


def suggestion(name: str, own: list[str], space: dict[str, Any]) -> str:
    """Which of the file's own names may be meant."""
    fitting = [n for n in own if callable(space[n]) == (name in ("loss", "manual"))]
    near = [n for n in fitting if n in NEEDED[name][1].split()] + nearest(name, fitting, n=1)
    return f": did you mean {near[0]}?" if near else ""


def note_where_it_raised(found: Diagnosis, given: tuple[Any, ...], path: str, file: str) -> None:
    """If manual() raised, add the line of the user's file where it did."""
    if given[1] is None or any(row.verdict != "missing" for row in found.rows):
        return
    raised = Case(*given[:5]).ask().raised
    if where := line_in(path, file, raised):
        found.remarks.append(f"it was raised at {where}")
