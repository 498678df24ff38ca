"""The command ``tinygrad-mlp``. Exit codes: 0 all is well, 1 a check failed, 2 the command or the data cannot be used."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from types import ModuleType
from typing import NamedTuple

from .errors import DataError, MissingExtraError, SettingError, ShapeError, UnknownNameError
from .options import NETWORK, add_target, network_options, sizes, target_mistake
from .version import __version__

__all__ = ["main"]

PROVE = """\
Train an MLP on real images, and at every step compute all gradients twice: by the autograd engine, and by a backprop
written by hand (tinygrad_mlp/manual.py). Compare the two bit for bit; at the start and the end also with numeric
derivatives and, where installed, HIPS autograd. Print the table, write report.md, curves.png, gradients.npz, graph.dot, and
graph.svg where the program dot (Graphviz) is installed.
"""

EXAMPLES = """\
examples:
  tinygrad-mlp prove                                      scikit-learn's 1,797 digits, a few seconds
  tinygrad-mlp prove --activation tanh --dtype float64    another network
  tinygrad-mlp prove --data mnist --data-dir DIR          DIR holds t10k-images-idx3-ubyte.gz and its labels, or all of MNIST
  tinygrad-mlp prove --data cifar10 --data-dir DIR        DIR holds data_batch_1.bin … and test_batch.bin

exit codes: 0 all gradients equal, 1 a pair differs (the report says where first), 2 usage or data
"""


FUNCTIONS = """\
List every function that has a gradient, its names in NumPy, and how many there are. A primitive has a rule for each of
its inputs; a composed function is a few lines of NumPy made of primitives. With a name, show the rules as they are written in the
table (tinygrad_mlp/rules/): g is the gradient that arrives at the output z.
"""

FUNCTIONS_EXAMPLES = """\
examples:
  tinygrad-mlp functions              all of them
  tinygrad-mlp functions hypot        ∂L/∂x = g * ratio(x, z) …
  tinygrad-mlp functions linalg.      linear algebra

exit codes: 0, or 2 if no function has such a name
"""


DERIVE = """\
Write the chain rule of a computation: by default as a Python module that needs nothing but NumPy, with one function that
computes the loss and all gradients, forward then backward, a line for each step and a comment that says which gradient it is.

The computation is that of a network, by its sizes, or that of a function in a file of yours. The file is run; the function's
example inputs are its variable `inputs`, a tuple, or else the variables that have the names of the function's arguments. Only
their shapes and dtypes count. The gradients are those of the Tensors with requires_grad=True and of the modules that the
function uses; if there are none, of all its floating arguments.
"""

DERIVE_EXAMPLES = """\
examples:
  tinygrad-mlp derive --sizes 784,128,10                           an MLP with ReLU and cross-entropy, 32 rows at a time
  tinygrad-mlp derive --sizes 4,8,1 --activation tanh --loss mse --batch-size 1 -o step.py
  tinygrad-mlp derive --sizes 3,2 --batch-size 2 --format markdown --with-numbers      with the numbers of an example
  tinygrad-mlp derive model.py:loss --format latex                 loss(X, y) in model.py, which defines X and y too

exit codes: 0, or 2 if the command or the file cannot be used
"""


class Late(NamedTuple):
    """A command that brings its own arguments: its line in the list, and its module."""

    text: str
    where: str


LATE = {
    "draw": Late("draw a network or a function: SVG, PNG, or a page that plays the backward pass", "viz.command"),
    "check": Late("say what is wrong with a backprop written by hand", "doctor.command"),
    "exercise": Late("backprop exercises: fill in a step, find a mistake, be graded", "exercise.command"),
}


def late(name: str) -> ModuleType:
    """The module of such a command: they import more than --help should wait for."""
    import importlib

    return importlib.import_module(
        {"draw": ".viz.command", "check": ".doctor.command", "exercise": ".exercise.command"}[name], __package__
    )


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line; with the name of one command, without the arguments of the late others."""
    top = argparse.ArgumentParser(prog="tinygrad-mlp", description="Gradients that can be checked, read and seen.")
    top.add_argument("--version", action="version", version=f"tinygrad-mlp {__version__}")
    commands = top.add_subparsers(dest="command", metavar="command", required=True)
    prove = commands.add_parser(
        "prove",
        help="train on real data and prove that engine and manual backprop give the same bits",
        description=PROVE,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task = prove.add_argument_group("data")
    task.add_argument("--data", default="digits", metavar="NAME", help="digits (default), mnist or cifar10")
    task.add_argument("--data-dir", default="data", metavar="DIR", help="where the files of mnist or cifar10 are (default: data)")
    task.add_argument(
        "--val-split",
        type=float,
        metavar="FRACTION",
        help="the part of the data held out for testing (default: the data's own test files, else 0.2)",
    )
    network = prove.add_argument_group("network")
    network.add_argument("--sizes", type=sizes, metavar="N,N,…", help="the widths, input first (default: 64,64,32,10 for digits)")
    network.add_argument(
        "--activation",
        default="relu",
        metavar="NAME",
        help="relu (default), leaky_relu, sigmoid, tanh, softplus, softmax, identity",
    )
    network.add_argument(
        "--init",
        metavar="NAME",
        help="he_normal, he_uniform, glorot_normal, glorot_uniform, lecun_normal, normal, zeros (default: fits the activation)",
    )
    network.add_argument("--dtype", default="float32", metavar="NAME", help="float32 (default) or float64")
    training = prove.add_argument_group("training")
    training.add_argument(
        "--loss",
        default="cross_entropy",
        metavar="NAME",
        help="cross_entropy (default), bce, mse, cross_entropy_probabilities, bce_probabilities",
    )
    training.add_argument("--lr", type=float, metavar="X", help="learning rate (default: 0.05 digits, 0.02 mnist, 0.005 cifar10)")
    training.add_argument("--momentum", type=float, default=0.9, metavar="X", help="momentum, v = μ v − lr g (default: 0.9)")
    training.add_argument(
        "--weight-decay", type=float, default=1e-3, metavar="X", help="L2 term of the loss, (λ/2) Σ‖W‖² (default: 1e-3)"
    )
    training.add_argument("--batch-size", type=int, default=32, metavar="N", help="samples a step (default: 32)")
    training.add_argument("--epochs", type=int, metavar="N", help="passes over the data (default: 30 digits, 12 mnist, 3 cifar10)")
    training.add_argument(
        "--seed", type=int, default=0, metavar="N", help="for the split, the weights and the shuffling (default: 0)"
    )
    prove.add_argument("--out", default="prove", metavar="DIR", help="where the report goes (default: prove/)")
    functions = commands.add_parser(
        "functions",
        help="list the differentiable functions, or show the rules of some",
        description=FUNCTIONS,
        epilog=FUNCTIONS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    derive = commands.add_parser(
        "derive",
        help="write the chain rule of a network or a function, as NumPy source or as mathematics",
        description=DERIVE,
        epilog=DERIVE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(derive)
    derive.add_argument(
        "--format", choices=("source", "latex", "markdown"), default="source", help="source (default), latex or markdown"
    )
    derive.add_argument("--with-numbers", action="store_true", help="with --format markdown: the numbers of an example too")
    derive.add_argument("-o", "--out", metavar="FILE", help="write to FILE, in one step, and not to the terminal")
    functions.add_argument("name", nargs="?", default="", help="only functions whose name contains this, with their rules")
    for name, command in LATE.items():
        if only in (None, name):
            late(name).add(commands)
        else:
            commands.add_parser(name, help=command.text)
    return top


def list_functions(name: str) -> int:
    """Print the list; 2 if nothing is found."""
    from .errors import did_you_mean
    from .listing import entries, table

    text = table(name)
    if not text:
        known = [entry.name for entry in entries() if entry.kind != "helper"]
        print(f"tinygrad-mlp: {str(did_you_mean('function', name, known)).partition(' (known')[0]}", file=sys.stderr)
        return 2
    print(text, flush=True)
    return 0


def derive(arguments: argparse.Namespace) -> int:
    """Print or write a derivation; 2 if there is none."""
    mistake = target_mistake(arguments, "tinygrad-mlp derive --sizes 784,128,10")
    if not mistake and arguments.with_numbers and arguments.format != "markdown":
        mistake = "--with-numbers needs --format markdown"
    if mistake:
        print(f"tinygrad-mlp: {mistake}", file=sys.stderr)
        return 2
    from .chainrule.command import of_file, of_network, text_of
    from .errors import GraphError, TensorTypeError, TraceError, UnsupportedError
    from .files import replace_file

    try:
        found = (
            of_file(arguments.target)
            if arguments.target
            else of_network(arguments.sizes, **{**NETWORK, **network_options(arguments)})
        )
        text = text_of(found, arguments.format, arguments.with_numbers)
        if arguments.out:
            replace_file(arguments.out, text)
            return 0
    except (
        DataError, SettingError, ShapeError, UnknownNameError, GraphError, TensorTypeError, TraceError, UnsupportedError
    ) as error:  # fmt: skip
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
    print(text.removesuffix("\n"), flush=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets "?", not a traceback
    given = sys.argv[1:] if argv is None else argv
    try:
        arguments = parser(next((word for word in given if not word.startswith("-")), "")).parse_args(given)
        return dispatch(arguments)
    except MemoryError as error:
        print(
            f"tinygrad-mlp: this does not fit into memory{f': {error}' * bool(str(error))}; choose smaller sizes", file=sys.stderr
        )
        return 2
    except RecursionError:
        print("tinygrad-mlp: this is nested too deeply for Python: lists in lists, dicts in dicts, or functions", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"tinygrad-mlp: interrupted, {str(error) or 'nothing written'}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `tinygrad-mlp prove | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def dispatch(arguments: argparse.Namespace) -> int:
    """Do what a command says."""
    if arguments.command in LATE:
        code: int = late(arguments.command).run(arguments)
        return code
    if arguments.command == "functions":
        return list_functions(arguments.name)
    if arguments.command == "derive":
        return derive(arguments)
    from .prove import Settings, prove  # after the parsing: --help and mistakes answer at once

    settings = Settings(**{f.name: getattr(arguments, f.name) for f in fields(Settings)})
    try:
        return 0 if prove(settings).ok else 1
    except (DataError, SettingError, ShapeError, UnknownNameError, MissingExtraError) as error:
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
