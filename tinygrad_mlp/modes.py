"""Modes: whether operations are noted in a graph, watched or guarded, for each thread and async task by itself."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar, cast

from .errors import TensorTypeError

__all__ = ["is_recording", "no_grad", "recording", "transforming"]

F = TypeVar("F", bound=Callable[..., Any])


class Modes(NamedTuple):
    """What is switched on or off in this thread or task."""

    paused: int = 0  # how many no_grad blocks are open
    anomaly: bool = False
    full_guard: bool = False
    transformed: bool = False  # whether the function of a transform is running
    symmetric: bool = False  # whether what reads one triangle of a matrix is to read its Hermitian part
    tracer: Any = None  # what takes the operations of Tensors while a function is traced

    def but(
        self,
        *,
        paused: int | None = None,
        anomaly: bool | None = None,
        full_guard: bool | None = None,
        transformed: bool | None = None,
        symmetric: bool | None = None,
        tracer: Any = None,
    ) -> Modes:
        """These modes with some of them changed. (_replace of a named tuple leaks memory in CPython 3.11.)"""
        return Modes(
            self.paused if paused is None else paused,
            self.anomaly if anomaly is None else anomaly,
            self.full_guard if full_guard is None else full_guard,
            self.transformed if transformed is None else transformed,
            self.symmetric if symmetric is None else symmetric,
            self.tracer if tracer is None else tracer,
        )


DEFAULT = Modes()
MODES: ContextVar[Modes] = ContextVar("tinygrad_mlp.modes", default=DEFAULT)


@contextlib.contextmanager
def recording(on: bool) -> Iterator[None]:
    """Switch recording on or off for the block, in this thread or task only."""
    modes = MODES.get()
    token = MODES.set(modes.but(paused=0 if on else modes.paused + 1))
    try:
        yield
    finally:
        MODES.reset(token)


@contextlib.contextmanager
def transforming() -> Iterator[None]:
    """The function of a transform runs: what it would lose without a word is refused."""
    modes = MODES.get()
    token = MODES.set(modes.but(transformed=True))
    try:
        yield
    finally:
        MODES.reset(token)


@contextlib.contextmanager
def symmetric(on: bool) -> Iterator[None]:
    """Whether functions that read one triangle get a matrix's Hermitian part: their gradient is then that of every entry."""
    token = MODES.set(MODES.get().but(symmetric=on))
    try:
        yield
    finally:
        MODES.reset(token)


def is_recording() -> bool:
    """Whether operations are recorded here: False inside :class:`no_grad`."""
    return not MODES.get().paused


class no_grad:  # noqa: N801  # used like a function, as in PyTorch
    """Compute without recording, as a context manager or a decorator. Holds for this thread or async task only.

    It may be nested, reused and shared, survives exceptions, and as a decorator of a generator or a coroutine function
    is in force while that function's own code runs, not in between.

    Examples
    --------
    >>> from tinygrad_mlp import Tensor
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    >>> @no_grad()
    ... def predict(v):
    ...     return v * 2
    >>> predict(x).requires_grad
    False
    """

    def __init__(self, *function: Any) -> None:
        if function:
            raise TensorTypeError("no_grad is called before it decorates: write @no_grad()")

    def __enter__(self) -> None:
        modes = MODES.get()
        MODES.set(modes.but(paused=modes.paused + 1))

    def __exit__(self, *exception: object) -> None:
        # not below 0: the context that entered need not be the one that leaves (a generator closed by another task)
        modes = MODES.get()
        MODES.set(modes.but(paused=max(0, modes.paused - 1)))

    def __call__(self, function: F) -> F:
        if inspect.isasyncgenfunction(function):
            return cast("F", each_async_step_without_recording(function))
        if inspect.isgeneratorfunction(function):
            return cast(F, each_step_without_recording(function))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with recording(False):
                    return await function(*args, **kwargs)

            return cast(F, coroutine)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with recording(False):
                return function(*args, **kwargs)

        return cast(F, wrapped)


def each_step_without_recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function whose own code runs without recording, while the code that consumes it is not affected."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        resume, sent = steps.send, None
        while True:
            with recording(False):
                try:
                    value = resume(sent)
                except StopIteration as stop:
                    return stop.value
            try:
                sent = yield value
                resume = steps.send
            except GeneratorExit:
                with recording(False):
                    steps.close()
                raise
            except BaseException as error:  # thrown in from outside: handed to the generator, which decides
                resume, sent = steps.throw, error

    return wrapped


def each_async_step_without_recording(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for an async generator function."""

    @functools.wraps(function)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        resume, sent = steps.asend, None
        while True:
            with recording(False):
                try:
                    value = await resume(sent)
                except StopAsyncIteration:
                    return
            try:
                sent = yield value
                resume = steps.asend
            except GeneratorExit:
                with recording(False):
                    await steps.aclose()
                raise
            except BaseException as error:
                resume, sent = steps.athrow, error

    return wrapped
