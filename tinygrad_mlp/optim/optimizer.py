"""What all optimisers share: parameters, checks, state, the step. A method is its update, one pure function in plain NumPy."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GraphError, SettingError, ShapeError, TensorTypeError, did_you_mean, no_member
from ..tensor import Tensor
from ..values import convert, unwrap
from .blocks import Plan

__all__ = ["Optimizer"]

Array = NDArray[Any]
State = dict[str, Any]

BELOW_ONE = ("alpha", "beta1", "beta2", "momentum")
"""Settings in [0, 1): shares that are kept of an average. All other settings are numbers from 0 up."""


class Optimizer:
    """The base of all optimisers. A method of one's own is ``numbers``, ``slots`` and ``update``.

    ``update`` is the mathematics, for one parameter: pure (nothing is written into its arguments), entry by entry, in operators
    and NumPy functions. Branches may look at flags, and at whether a number is 0, but not at values. So it can be read with
    anything in place of the arrays: a Tensor differentiates it, and large arrays are updated block by block, in the same bits.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to change, e.g. ``model.parameters()``. One that is given twice is changed once.
    flags : dict
        Settings that are True or False.
    **numbers : float
        Settings that are numbers: attributes that may be changed between steps.

    Attributes
    ----------
    steps : how often ``step()`` has been called
    missed : for each parameter, in how many of these steps it had no gradient
    state : for each parameter its arrays by name; empty before the first step

    Raises
    ------
    SettingError, TensorTypeError, GraphError
        For numbers out of range, no parameters, and what is no leaf that requires gradients.

    Examples
    --------
    >>> import numpy as np
    >>> class SignSGD(Optimizer):
    ...     def update(self, w, g, state, *, lr):
    ...         return w - lr * np.sign(g), {}
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignSGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.5, -1.5])
    """

    complex_too: bool = False
    """Whether the formulas hold for complex parameters."""

    moving: tuple[str, ...] | None = None
    """Which scalars change from step to step though no setting does, where ``scalars`` is overridden; None: any of them."""

    lr: float

    def __init__(self, parameters: Iterable[Tensor], *, flags: Mapping[str, bool] | None = None, **numbers: float) -> None:
        self.parameters = list(dict.fromkeys(checked(parameters)))
        kind = type(self).__name__
        if not self.complex_too and any(p.dtype.kind == "c" for p in self.parameters):
            raise TensorTypeError(f"{kind} takes real parameters: make the real and the imaginary part two parameters, or use SGD")
        self.numbers, self.flags = tuple(numbers), tuple(flags or ())
        self.settings = (*self.numbers, *self.flags)
        for name, value in numbers.items():
            setattr(self, name, number(kind, name, value))
        for name, flag in (flags or {}).items():
            setattr(self, name, bool(flag))
        self.steps = 0
        self.missed = [0] * len(self.parameters)
        self.state: list[State] = [{} for _ in self.parameters]
        self.held: tuple[str, ...] = ()
        # kept between the steps while the settings are what they were
        self.timeless = type(self).scalars is Optimizer.scalars
        self.read = operator.attrgetter("settings", *self.settings)  # a method may have no setting
        self.seen: Any = None
        self.usual: dict[str, float] = {}
        self.plans: dict[np.dtype[Any], Plan] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise no_member(self, "Optimizer", name)

    def __getstate__(self) -> dict[str, Any]:
        """For copy and pickle: without the plans, which are functions."""
        return vars(self) | {"seen": None, "plans": {}}

    # --- the method: what subclasses write --------------------------------------------------------------------------

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the arrays that are kept for each parameter, with the settings of now."""
        return ()

    def start(self, parameter: Tensor) -> State:
        """The arrays before the first update: zeros of the parameter's shape and dtype."""
        return {slot: np.zeros(parameter.shape, parameter.dtype) for slot in self.slots}

    def scalars(self, missed: int = 0) -> dict[str, float]:
        """The numbers of the coming step, Python's floats, for a parameter without a gradient in so many of the earlier ones."""
        # a NumPy float64 would turn float32 parameters into float64
        return {name: float(getattr(self, name)) for name in self.numbers}

    def update(self, w: Any, g: Any, state: State, *args: Any, **scalars: Any) -> tuple[Any, State]:
        """The new value of a parameter w with gradient g, and its new state; written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no update: write def update(self, w, g, state, *, lr): …")

    # --- the step ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Change every parameter that has a gradient; the others, and their state, are left alone.

        Raises
        ------
        SettingError
            For a gradient, set by hand, of another shape than its parameter. Nothing has been changed then.
        """
        gradients = []  # all are checked before anything changes
        for parameter in self.parameters:
            g, w = parameter.grad, parameter.array
            if g is not None and (type(g) is not np.ndarray or g.shape != w.shape or g.dtype is not w.dtype):
                g = fitting(g, w)
            gradients.append(g)
        if self.read(self) != self.seen:
            self.prepare(self.scalars())
        if not self.timeless:
            scalars = self.scalars()
            if not all(plan.fit(scalars) for plan in self.plans.values()):
                self.prepare(scalars)
            self.usual = scalars
        scalars, plans, held, late = self.usual, self.plans, self.held, dict[int, dict[str, float]]()
        for i, g in enumerate(gradients):
            if g is None:
                self.missed[i] += 1
                continue
            parameter, state, plan = self.parameters[i], self.state[i], plans.get(g.dtype)
            if not self.timeless:
                missed = self.missed[i]
                if missed and missed not in late:
                    late[missed] = self.scalars(missed)
                scalars = late[missed] if missed else self.usual
                if plan is not None and plan.scalars is not scalars and not plan.fit(scalars):
                    plan = None
            w = parameter.array
            parameter.array, state = plan(w, g, state) if plan is not None else self.whole(w, g, state, scalars)
            if held:
                self.state[i] = state
        self.steps += 1

    def prepare(self, scalars: dict[str, float]) -> None:
        """What steps need as long as the settings stay as they are."""
        self.seen, self.usual, self.plans = self.read(self), scalars, self.planned(scalars)
        if self.slots != self.held:
            self.held = self.slots
            self.state = [self.start(p) | state for p, state in zip(self.parameters, self.state, strict=True)]

    def planned(self, scalars: dict[str, float]) -> dict[np.dtype[Any], Plan]:
        """For each dtype the plan of the update; none if it is not made of ufuncs alone."""
        dtypes = dict.fromkeys(p.dtype for p in self.parameters if p.dtype.kind == "f")
        moving = () if self.timeless else self.moving if self.moving is not None else tuple(scalars)
        try:
            return {dtype: Plan(self.update, self.slots, scalars, moving, dtype) for dtype in dtypes}
        except Exception:  # what is no ufunc of floats, or what arrays have but operands do not; a mistake shows on arrays too
            return {}

    def whole(self, w: Array, g: Array, state: State, scalars: dict[str, float]) -> tuple[Array, State]:
        """The update as it is written, on whole arrays."""
        new, after = self.update(w, g, state, **scalars)
        # asarray: NumPy's operators make scalars of arrays of shape ()
        return np.asarray(new, w.dtype, order="C"), {slot: np.asarray(after[slot], w.dtype, order="C") for slot in after}

    def zero_grad(self) -> None:
        """Forget all accumulated gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    # --- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The settings, the counts and a copy of the arrays, by name; save it with ``np.savez(path, **optimizer.state_dict())``.

        The arrays of the first parameter are ``"0.velocity"`` and so on, in the order in which parameters were given.
        """
        state: dict[str, Any] = {name: getattr(self, name) for name in self.settings}
        state |= {"steps": self.steps, "missed": np.array(self.missed)}
        for i, parameter in enumerate(self.parameters):
            arrays = self.start(parameter) | self.state[i]
            state |= {f"{i}.{slot}": arrays[slot].copy() for slot in self.slots}
        return state

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on where the optimiser was whose ``state_dict`` this is, with its settings: in the same bits.

        Raises
        ------
        UnknownNameError, ShapeError, SettingError, TensorTypeError
            For a missing or foreign name, another shape or number of parameters, a setting out of range, a flag that is set
            otherwise, a dtype that does not convert. Nothing has been changed then.
        """
        kind, twin = type(self).__name__, copy.copy(self)  # everything is tried on the twin
        complete(kind, state, (*self.settings, "steps", "missed"))
        for name in self.numbers:
            setattr(twin, name, number(kind, name, plain(state[name])))
        for name in self.flags:
            if bool(plain(state[name])) != getattr(self, name):
                raise SettingError(
                    f"the state has {name}={not getattr(self, name)}, this {kind} has {name}={getattr(self, name)}: load it "
                    f"into an optimiser of the same kind and flags"
                )
        names = [f"{i}.{slot}" for i in range(len(self.parameters)) for slot in twin.slots]
        missed = np.asarray(state["missed"])
        if missed.shape != (len(self.parameters),):
            raise ShapeError(f"the state is of {missed.size} parameters, but this {kind} has {len(self.parameters)}")
        complete(kind, state, names)
        known = (*self.settings, "steps", "missed", *names)
        for name in state:
            if name not in known:
                raise did_you_mean(f"entry of the state of {kind}", name, known)
        twin.steps, twin.missed = int(plain(state["steps"])), [int(n) for n in missed]
        if not all(0 <= n <= twin.steps for n in twin.missed):
            raise SettingError(
                f"the state has {twin.steps} steps, of which {max(twin.missed)} were missed: it is not one of {kind}"
            )
        twin.state = [
            {slot: fitting_state(f"{i}.{slot}", state[f"{i}.{slot}"], parameter) for slot in twin.slots}
            for i, parameter in enumerate(self.parameters)
        ]
        twin.held = twin.slots
        vars(self).update(vars(twin))


# --- checks -------------------------------------------------------------------------------------------------------------


def number(kind: str, name: str, value: Any) -> float:
    """A setting as a Python float; refused if it is out of its range."""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TensorTypeError(f"{kind}: {name} must be a number (got {value!r})")
    if name in BELOW_ONE:
        if not 0 <= value < 1:
            raise SettingError(f"{kind}: {name} must be in [0, 1) (got {value!r})")
    elif not math.isfinite(value) or value < 0:
        raise SettingError(f"{kind}: {name} must be a number from 0 up (got {value!r})")
    return float(value)


def plain(value: Any) -> Any:
    """A number as it was, which an npz file gives back as an array of shape ()."""
    return value[()] if isinstance(value, np.ndarray) else value


def complete(kind: str, state: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a state in which a name is missing."""
    missing = [name for name in names if name not in state]
    if missing:
        raise ShapeError(f"the state has no {', '.join(missing)}: it is not one of {kind} with these settings")


def fitting_state(name: str, value: ArrayLike, parameter: Tensor) -> Array:
    """A copy of an array of a state in the dtype of its parameter; refused if its shape is another."""
    array = np.asarray(convert(value, parameter.dtype, name), order="C")
    if array.shape != parameter.shape:
        raise ShapeError(f"{name} belongs to a parameter of shape {parameter.shape}, but the state holds shape {array.shape}")
    return array


def fitting(g: Any, w: Array) -> Array:
    """A gradient that was set by hand, in the dtype of its parameter; refused if its shape is another."""
    array = np.asarray(unwrap(g))
    if array.shape != w.shape:
        raise SettingError(f"a gradient of shape {array.shape} was set for a parameter of shape {w.shape}")
    return array.astype(w.dtype)


def checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The parameters as a list, each a leaf that requires gradients."""
    if isinstance(parameters, Tensor):
        raise TensorTypeError("give the optimiser a list: [parameter]")
    if hasattr(parameters, "parameters"):
        raise TensorTypeError("give the optimiser the parameters of the model: model.parameters()")
    found = list(parameters)
    if not found:
        raise SettingError(
            "the optimiser has no parameters to change: a model's are those attributes that are an nn.Parameter, or modules "
            "with parameters: write self.weight = nn.Parameter(…)"
        )
    for p in found:
        if not isinstance(p, Tensor):
            raise TensorTypeError(f"an optimiser changes Tensors, not {type(p).__name__}: give it model.parameters()")
        if not p.requires_grad or p.op is not None:
            raise GraphError("an optimiser changes leaves that require gradients: make them with requires_grad=True")
    return found
