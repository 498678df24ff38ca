"""A Module is a function with parameters: it finds them, names them, saves and loads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import SettingError, ShapeError, TensorTypeError, did_you_mean, no_member
from ..graph import CLOCK, mark_call
from ..modes import MODES
from ..primitive import Primitive
from ..tensor import Tensor

__all__ = ["Module", "Parameter"]

M = TypeVar("M", bound="Module")

changes = 0
"""How often an attribute of any module got another value: a compiled program looks again then."""


class Parameter(Tensor):
    """A Tensor that a Module owns and an optimiser changes: a leaf that requires gradients.

    >>> Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True, dtype: Any = None) -> None:
        super().__init__(data, requires_grad, dtype)

    @classmethod
    def _apply(cls, op: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Tensor:
        return Tensor._apply(op, inputs, params)  # what is computed from parameters is none


class Module:
    """The base of layers and models. Assign parameters and modules in ``__init__``, write ``forward``, call the object.

    Parameters are found in the attributes, in the order in which they were assigned, also inside lists, tuples and dicts;
    their names are dotted paths, ``linear1.weight``, ``blocks.0.weight``. One that is shared is listed once, under the first
    name. No registration, no ``super().__init__()``.

    Examples
    --------
    >>> from tinygrad_mlp import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter(2.0)
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> model = Scale()
    >>> float(model(3.0))
    6.0
    >>> [name for name, _ in model.named_parameters()]
    ['factor']
    """

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        global changes
        changes += 1
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        global changes
        changes += 1
        object.__delattr__(self, name)

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(type(self), name):  # a property that failed: its own error
            object.__getattribute__(self, name)
        raise no_member(self, "Module", name)

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        """The function itself; written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: write def forward(self, x): …")

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        if (tracer := MODES.get().tracer) is not None:
            tracer.trace.modes.append((self, self.training))  # a compiled program holds for this mode
        start = next(CLOCK)
        result = self.forward(*inputs, **settings)
        mark_call(result, self, start)
        return result

    # --- what is inside -------------------------------------------------------------------------------------------

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (with an empty name) and all inside it, with dotted names, each once."""
        seen: dict[Module, None] = {}
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if module not in seen:
                seen[module] = None
                yield path, module
                stack.extend(reversed([(n, m) for n, m in entries(vars(module), path) if isinstance(m, Module)]))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and of those inside it, in definition order, with dotted names, each once."""
        seen: dict[Parameter, None] = {}
        names: dict[str, None] = {}
        walked: dict[Module, None] = {self: None}
        stack = list(reversed(list(entries(vars(self), ""))))
        while stack:
            path, item = stack.pop()
            if isinstance(item, Parameter) and item not in seen:
                if path in names:
                    raise SettingError(
                        f"{type(self).__name__} has two parameters of the name {path!r}: rename a key or an attribute"
                    )
                seen[item], names[path] = None, None
                yield path, item
            elif isinstance(item, Module) and item not in walked:
                walked[item] = None
                stack.extend(reversed(list(entries(vars(item), path))))

    def parameters(self) -> list[Parameter]:
        """The parameters, in definition order, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def count_parameters(self) -> int:
        """How many numbers the parameters hold.

        >>> from tinygrad_mlp import nn
        >>> nn.MLP([784, 512, 10]).count_parameters()
        407050
        """
        return sum(parameter.size for parameter in self.parameters())

    # --- state ------------------------------------------------------------------------------------------------------

    def zero_grad(self) -> None:
        """Forget all accumulated gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self: M, mode: bool = True) -> M:
        """Switch to training mode (or, with ``False``, to evaluation), in all modules inside. Returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch to evaluation mode. Returns the module."""
        return self.train(False)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """A copy of every parameter's data, by name; save it with ``np.savez(path, **model.state_dict())``."""
        return {name: parameter.array.copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Give every parameter the data of its name.

        Raises
        ------
        UnknownNameError, ShapeError, TensorTypeError
            For a missing or foreign name, another shape, a dtype that does not convert. Nothing has been changed then.
        """
        parameters = dict(self.named_parameters())
        for name in state:
            if name not in parameters:
                raise did_you_mean(f"parameter of {type(self).__name__}", name, parameters)
        missing = [name for name in parameters if name not in state]
        if missing:
            raise ShapeError(f"the state has no {', '.join(missing)}: {len(missing)} of {len(parameters)} parameters are missing")
        new: dict[str, NDArray[Any]] = {}
        for name, parameter in parameters.items():
            given = state[name]
            value = given.array if isinstance(given, Tensor) else np.asarray(given)
            if value.shape != parameter.shape:
                raise ShapeError(f"{name} has shape {parameter.shape}, but the state holds shape {value.shape}")
            if value.dtype.kind not in "biuf":
                raise TensorTypeError(f"{name} holds {parameter.dtype}, but the state holds {value.dtype}")
            new[name] = value.astype(parameter.dtype)
        for name, parameter in parameters.items():
            parameter.data = new[name]

    # --- a picture in words -------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """What stands in the brackets of the repr: the settings of the layer."""
        return ""

    def __repr__(self) -> str:
        rows = [("", f"{type(self).__name__}({self.describe()})", self.count_parameters())]
        for path, module in self.named_modules():
            if path:
                depth = path.count(".") + 1
                rows.append(
                    (
                        "  " * depth,
                        f"({path}): {type(module).__name__}({module.describe()})",
                        module.count_parameters(),
                    )
                )
        width = max(len(indent) + len(text) for indent, text, _ in rows)
        return "\n".join(f"{indent + text:<{width}}  {n:>9,} parameters" if n else indent + text for indent, text, n in rows)


def without_return(model: Any) -> str:
    """What to write where a module or a function gives nothing."""
    function = f"{type(model).__name__}.forward" if isinstance(model, Module) else getattr(model, "__name__", type(model).__name__)
    return f"{function} returns None: end it with return …"


def entries(container: Any, prefix: str, kinds: tuple[type, ...] = (Parameter, Module)) -> Iterator[tuple[str, Any]]:
    """The parameters and modules in a dict of attributes, a list, a tuple or a dict, with dotted names."""
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, kinds):
            yield path, value
        elif isinstance(value, (list, tuple, dict)):
            yield from entries(value, path, kinds)
