"""The exceptions of this package and the words they use: what happened, with which shapes, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from opcode import opmap
from typing import Any

__all__ = [
    "AnomalyError",
    "DataError",
    "GradientError",
    "GradientWarning",
    "GraphError",
    "MissingExtraError",
    "SettingError",
    "ShapeError",
    "TensorTypeError",
    "TraceError",
    "UnknownNameError",
    "UnsupportedError",
    "describe",
    "did_you_mean",
    "in_short",
    "is_interrupt",
    "nearest",
    "no_attribute",
    "no_member",
    "require",
]


class ShapeError(ValueError):
    """Operands whose shapes do not fit together."""


class TensorTypeError(TypeError):
    """A dtype or a kind of object that an operation cannot take."""


class GraphError(RuntimeError):
    """A backward pass that cannot be run: no graph, a freed graph, a value replaced behind its back."""


class GradientError(RuntimeError):
    """A rule that failed, or that broke the contract of the table, during a backward pass."""


class GradientWarning(UserWarning):
    """A gradient is NaN since the chain rule cannot know it at this point: which operation's, where, and what to write instead."""


class AnomalyError(FloatingPointError):
    """A NaN or an infinity that an operation made, under :class:`tinygrad_mlp.detect_anomaly`: which one, where, and why."""

    operation: str = ""
    line: str = ""
    cause: str = ""
    fix: str = ""


class TraceError(TypeError):
    """A traced function asked for a number: whether a value is true, its float, its entries as an array."""


class UnsupportedError(TypeError):
    """A NumPy function or argument that is not differentiable here; the message names the way around it."""


class UnknownNameError(ValueError):
    """A name that is not in a list of names (an activation, an initialiser, a loss, …)."""


class SettingError(ValueError):
    """A number or an argument out of its range: a negative learning rate, no parameters."""


class DataError(ValueError):
    """Data that cannot be used: a missing, truncated or foreign file, a label out of range, a size that does not fit."""


class MissingExtraError(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


MANY = 40
"""More names than this are not listed in an error."""

SHORT = 80
"""What is longer, written out, is told by its type."""


def distance(a: str, b: str) -> int:
    """How many letters have to be put in, left out, replaced or exchanged with their neighbour to make b of a.

    >>> distance("rleu", "relu"), distance("adm", "adam"), distance("jit", "exit")
    (1, 1, 2)
    """
    before, row = [], list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, last, row = row, before, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j] + (x != y), before[j + 1] + 1, row[j] + 1))
            if i and j and x == b[j - 1] and y == a[i - 1]:
                row[-1] = min(row[-1], last[j - 1] + 1)
    return row[-1]


def nearest(name: str, known: Iterable[str], n: int = 2) -> list[str]:
    """The known names that are a slip of the pen away: one letter in three is another, or all that is missing is the end.

    >>> nearest("Rleu", ["relu", "gelu", "tanh"]), nearest("glorot", ["glorot_normal", "zeros"]), nearest("jit", ["concat"])
    (['relu'], ['glorot_normal'], [])
    """
    given = name.lower()
    most = max(len(given) // 3, len(given) > 1)
    steps = {k: distance(given, k.lower()) for k in known if abs(len(k) - len(given)) <= most}
    near = sorted((k for k, d in steps.items() if d <= most), key=lambda k: steps[k])
    near = [k for k in near if steps[k] == steps[near[0]]]
    return (near or [k for k in known if len(given) > 2 and k.lower().startswith(given)])[:n]


def did_you_mean(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """The error for an unknown name, with the nearest known ones.

    >>> did_you_mean("activation", "rleu", ["relu", "tanh"])
    UnknownNameError("unknown activation 'rleu': did you mean 'relu'? (known: relu, tanh)")
    """
    names = list(known)
    near = nearest(str(name), names)
    known_names = f"{', '.join(names)}" if len(names) <= MANY else f"{len(names)} names, see help()"
    if not near:
        return UnknownNameError(f"unknown {kind} {str(name)!r}: known are {known_names}")
    return UnknownNameError(f"unknown {kind} {str(name)!r}: did you mean {' or '.join(map(repr, near))}? (known: {known_names})")


def describe(x: Any) -> str:
    """An operand in an error message: its shape and dtype, or its value when it is a plain number."""
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    return f"{dtype}{list(shape)}" if shape is not None and dtype is not None else repr(x)


def no_attribute(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error of a module's ``__getattr__``: what is written here in place of another library's name, or the nearest names.

    >>> no_attribute("tinygrad_mlp.optim", "Adm", ["Adam", "SGD"])
    AttributeError("unknown attribute of tinygrad_mlp.optim 'Adm': did you mean 'Adam'? (known: Adam, SGD)")
    """
    from .elsewhere import ELSEWHERE, here, is_submodule

    cure = (ELSEWHERE["tg"] | ELSEWHERE.get(module, {})).get(name)
    if name.startswith("_") or (not cure and is_submodule(module, name)):  # Python and its tools ask for these
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    if cure := cure or here(name):
        return AttributeError(f"{module} has no {name}: write {cure}")
    return AttributeError(str(did_you_mean(f"attribute of {module}", name, known)))


def no_member(owner: Any, place: str, name: str, otherwise: str = "") -> AttributeError:
    """The error of an object's ``__getattr__``, with what is written here in place of another library's name, if it is one."""
    from .elsewhere import ELSEWHERE

    cure = ELSEWHERE[place].get(name, otherwise)
    text = f"{type(owner).__name__!r} object has no attribute {name!r}{cure and f': write {cure}'}"
    return AttributeError(text, name=name, obj=owner)


def in_short(value: Any) -> str:
    """What was given, for an error message: an array by its shape and a model by its class, never with all their numbers.

    >>> import numpy as np
    >>> in_short(np.ones((100, 4))), in_short(0.5), in_short([1, 2]), in_short(int)
    ('an array of shape (100, 4)', '0.5', '[1, 2]', 'the class int')
    """
    shape, kind = getattr(value, "shape", None), type(value).__name__
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(shape, tuple):
        return f"{'an array' if kind == 'ndarray' else f'a {kind}'} of shape {shape}"
    text = repr(value)
    plain = len(text) <= SHORT and "\n" not in text and " at 0x" not in text and not hasattr(value, "forward")
    return text if plain else f"an object of type {kind}"


def not_complex(name: str) -> TensorTypeError:
    """The error of a function of real numbers that is given complex ones."""
    return TensorTypeError(
        f"{name}() is not supported for complex numbers: write it with real ones, z.real and z.imag, or tg.abs(z)"
    )


def operation_failed(name: str, inputs: Sequence[Any], params: dict[str, Any], error: Exception) -> Exception:
    """The error of a forward pass, with the operation, the shapes and dtypes, and what to write instead."""
    given = ", ".join([describe(x) for x in inputs] + [f"{k}={v!r}" for k, v in params.items()])
    shapes = [tuple(x.shape) for x in inputs if hasattr(x, "shape")]
    text = f"{name}({given}) failed: "
    if name in ("matmul", "linear") and len(shapes) > 1 and isinstance(error, ValueError):
        (x, y), inner = shapes[:2], min(2, max(len(shapes[1]), 1))
        if x and y and x[-1] != y[-inner]:
            cure = f"write {y[-inner]} columns on the left or {x[-1]} rows on the right"
            cure += ", or transpose one side with .mT" if x[-1] == y[-1] or (len(x) > 1 and x[-2] == y[-inner]) else ""
            return ShapeError(f"{text}shapes {x} and {y} do not fit, {x[-1]} columns meet {y[-inner]} rows; {cure}")
    if name == "linear" and len(shapes) == 3 and shapes[2] != (wanted := shapes[1][1:][-1:]):
        return ShapeError(f"{text}a bias of shape {shapes[2]} does not fit weights of shape {shapes[1]}: it needs shape {wanted}")
    if isinstance(error, ValueError) and "broadcast" in str(error) and len(shapes) > 1:
        told = " and ".join(str(s) for s in shapes)
        return ShapeError(
            f"{text}shapes {told} do not broadcast together; axes are matched from the right and must be equal or 1: "
            f"reshape one of them, or add an axis with x[:, None]"
        )
    kind: type[Exception] = {ValueError: ShapeError, TypeError: TensorTypeError}.get(type(error), type(error))
    try:
        return kind(f"{text}{error}")
    except TypeError:  # an exception class with a signature of its own (numpy's AxisError, UFuncTypeError …)
        fallback = IndexError if isinstance(error, IndexError) else TensorTypeError if isinstance(error, TypeError) else ShapeError
        return fallback(f"{text}{error}")


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception is the interrupt of the keyboard. A file of the user's that raises one stands at its raise statement."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    raised = at is not None and at.tb_frame.f_code.co_code[at.tb_lasti] == opmap["RAISE_VARARGS"]
    return isinstance(error, KeyboardInterrupt) and not raised


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional package, or say which extra brings it; without an extra it is one that was installed with this one.

    >>> require("math", "demos", "an example").sqrt(4.0)
    2.0
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        cure = f"pip install 'tinygrad_mlp[{extra}]'" if extra else f"pip install {name}"
        raise MissingExtraError(f"{purpose} needs the package {name!r}, which is not installed: {cure}") from error
