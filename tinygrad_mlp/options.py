"""Arguments that several commands have: a network by its sizes, or a function in a user's file."""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from typing import Any

__all__ = ["ADDRESSES", "NETWORK", "add_target", "network_options", "sizes", "target_mistake"]

ADDRESSES = sys.maxsize // 8
"""An array cannot have so many numbers, however large the memory is: NumPy's error says something else."""

NETWORK: dict[str, Any] = {"activation": "relu", "loss_name": "cross_entropy", "batch_size": 32, "dtype": "float32"}
"""The options of a network, with their defaults."""


def sizes(text: str) -> list[int]:
    """Widths from ``64,32,10``."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers with commas between, such as 64,32,10 (got {text!r})") from None
    if any(m * n >= ADDRESSES for m, n in pairwise(found)):
        raise argparse.ArgumentTypeError(f"weights between the layers {text} do not fit into any memory: choose smaller sizes")
    return found


def add_target(parser: argparse.ArgumentParser, dtype: str = NETWORK["dtype"]) -> None:
    """FILE:FUNCTION, or the options of a network in its place."""
    parser.add_argument("target", nargs="?", metavar="FILE:FUNCTION", help="a function in a Python file, in place of --sizes")
    network = parser.add_argument_group("network")
    network.add_argument("--sizes", type=sizes, metavar="N,N,…", help="the widths of an MLP, input first")
    network.add_argument(
        "--activation", metavar="NAME", help="relu (default), leaky_relu, sigmoid, tanh, softplus, softmax, identity"
    )
    network.add_argument(
        "--loss",
        dest="loss_name",
        metavar="NAME",
        help="cross_entropy (default), bce, mse, cross_entropy_probabilities, bce_probabilities",
    )
    network.add_argument("--batch-size", type=int, metavar="N", help=f"rows of the batch (default: {NETWORK['batch_size']})")
    network.add_argument("--dtype", metavar="NAME", help=f"float32 or float64 (default: {dtype})")


def network_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those options of a network that were given."""
    return {name: getattr(arguments, name) for name in NETWORK if getattr(arguments, name) is not None}


def target_mistake(arguments: argparse.Namespace, example: str) -> str:
    """What is wrong with the target, in a sentence; empty if nothing is."""
    if (arguments.target is None) == (arguments.sizes is None):
        return f"give --sizes for a network, or FILE:FUNCTION, one of the two: {example}"
    given = network_options(arguments)
    if arguments.target is not None and given:
        option = next(iter(given)).removesuffix("_name").replace("_", "-")
        return f"--{option} is of networks, not of functions in files: leave it out"
    return ""
