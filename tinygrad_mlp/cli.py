"""The command ``tinygrad-mlp``. Exit codes: 0 all is well, 1 a check failed, 2 the command or the data cannot be used."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import fields

from .errors import DataError, MissingExtraError, SettingError, ShapeError, UnknownNameError
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


def sizes(text: str) -> list[int]:
    """Widths from ``64,32,10``."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers with commas between, such as 64,32,10 (got {text!r})") from None


def parser() -> argparse.ArgumentParser:
    """The command line."""
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
    functions.add_argument("name", nargs="?", default="", help="only functions whose name contains this, with their rules")
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
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader of our output has gone: `tinygrad-mlp functions | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets "?", not a traceback
    arguments = parser().parse_args(argv)
    if arguments.command == "functions":
        return list_functions(arguments.name)
    from .prove import Settings, prove  # after the parsing: --help and mistakes answer at once

    settings = Settings(**{f.name: getattr(arguments, f.name) for f in fields(Settings)})
    try:
        return 0 if prove(settings).ok else 1
    except (DataError, SettingError, ShapeError, UnknownNameError, MissingExtraError) as error:
        print(f"tinygrad-mlp: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tinygrad-mlp: interrupted, nothing written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `tinygrad-mlp prove | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
