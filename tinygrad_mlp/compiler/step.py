"""Compiled training steps: loss, gradients and update as one straight-line program."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from ..chainrule.derivation import inside
from ..chainrule.names import known_objects, name_values
from ..errors import GraphError, SettingError, ShapeError, TensorTypeError
from ..kernels.shapes import Array
from ..optim import Optimizer
from ..symbols import Symbol, ancestors
from .builder import Builder
from .cache import Programs
from .capture import Captured, by_position, capture, plain, signature
from .clipping import clip, clip_exactly
from .fast import FastBuilder
from .flat import Flat
from .guards import Guards
from .lowering import lowered, new_trace
from .program import Binding, Program
from .update import BLOCK, Factor, update_of

__all__ = ["Step"]


class Step:
    """What :func:`tinygrad_mlp.compile` makes of a loss and an optimiser: ``step(X, y)`` does one training step.

    Attributes
    ----------
    source : the program that ran last, as text
    programs : the compiled programs, at most ``cache``
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        optimizer: Optimizer,
        *,
        exact: bool = False,
        clip_norm: float | None = None,
        keep_gradients: bool = False,
        cache: int = 8,
    ) -> None:
        if clip_norm is not None and not (isinstance(clip_norm, (int, float, np.integer, np.floating)) and clip_norm > 0):
            raise SettingError(f"compile: clip_norm must be a number above 0, or None (got {clip_norm!r})")
        self.loss, self.optimizer, self.exact, self.clip_norm = loss, optimizer, exact, clip_norm
        self.keep_gradients = keep_gradients
        self.programs: Programs[CompiledStep] = Programs(cache)
        self.flat: Flat | None = None
        self.running: CompiledStep | None = None

    def __call__(self, *args: Any, **named: Any) -> float:
        """One training step; returns the loss before it."""
        by_position(named)
        key = tuple([(x.shape, x.dtype) if type(x) is np.ndarray else type(x) for x in args])
        with self.programs.lock:
            compiled = self.programs.find(key)
            return self.slow(args) if compiled is None else compiled(args)

    def slow(self, args: tuple[Any, ...]) -> float:
        """A call for which there is no program yet, or whose arguments are no arrays."""
        arrays = tuple(plain(x) for x in args)
        key = signature(arrays)
        compiled = self.programs.find(key)
        return (self.programs.add(key, CompiledStep(self, arrays), stacklevel=3) if compiled is None else compiled)(arrays)

    @property
    def source(self) -> str:
        """The program that ran last, as text."""
        latest = self.programs.latest
        return "# nothing is compiled yet: call step(X, y) once" if latest is None else latest.source

    def __reduce__(self) -> NoReturn:
        raise TensorTypeError(
            "a compiled step can be neither pickled nor copied: its program writes into the parameters and the state of its own "
            "optimiser, and its loss would still be that of the old model; copy model and optimiser together, "
            "copy.deepcopy((model, optimizer)), and compile a step for them"
        )

    def __repr__(self) -> str:
        name = getattr(self.loss, "__name__", type(self.loss).__name__)
        return f"<compiled step of {name} with {type(self.optimizer).__name__}: {len(self.programs)} programs>"


class CompiledStep:
    """The program for one combination of shapes."""

    def __init__(self, step: Step, args: tuple[Any, ...]) -> None:
        self.step, self.optimizer = step, step.optimizer
        self.guards = Guards(step.loss, self.optimizer.parameters)
        captured = capture(step.loss, args, lambda: new_trace(step.exact))
        loss = captured.result
        if not isinstance(loss, Symbol) or loss.size != 1:
            raise ShapeError("compile(loss, optimizer) takes a function that returns one number, the loss")
        reached = {s.value: s for s in depended_on(loss) if s.role == "parameter" and s.tracked}
        parameters = [p for p in self.optimizer.parameters if p in reached]
        if not parameters:
            raise GraphError("the loss does not depend on the parameters of the optimiser: nothing would be trained")
        if len({p.dtype for p in parameters}) > 1:
            raise GraphError("compile() takes parameters of one dtype: convert the model, or train it with eager steps")
        if (
            step.flat is None
            or len(step.flat.parameters) != len(parameters)
            or any(a is not b for a, b in zip(step.flat.parameters, parameters, strict=True))
        ):
            step.flat = Flat(self.optimizer, parameters)
        self.flat = step.flat
        self.read = attrgetter("settings", *self.optimizer.settings)  # always a tuple, also without a setting
        self.seen = self.read(self.optimizer)
        self.settings = [bool(value) for value in self.seen]
        self.guards.settle(captured.trace, captured.modes)
        self.scalars = list(self.optimizer.scalars())
        scale = not (step.exact or step.keep_gradients or step.clip_norm)
        self.update, factor = update_of(self.optimizer, self.flat.size, self.flat.dtype, scale, step.keep_gradients)
        self.needed: list[str] = []
        self.program = self.plan_run(captured, [reached[p] for p in parameters], factor)
        captured.trace.forget()
        self.bound = -1

    def fits(self) -> bool:
        """Whether the program still does what optimiser and modules are set to: which numbers are 0, which flags are set."""
        values = self.read(self.optimizer)
        if values != self.seen:
            if [bool(value) for value in values] != self.settings:
                return False
            self.seen = values
        return self.guards.hold()

    # --- the programs -----------------------------------------------------------------------------------------------------

    def plan_run(self, captured: Captured, wrt: list[Symbol], factor: Factor | None) -> Program:
        """The program of the loss and the gradients."""
        trace, loss, step, flat = captured.trace, captured.result, self.step, self.flat
        scalars = {name: trace.scalar(name, flat.dtype) for name in self.scalars}
        seed = None if factor is None else factor(trace, scalars)
        scalars = {} if seed is None else {s.name: s for s in ancestors([seed]) if s.role == "scalar"}
        self.needed = list(scalars)
        adjoints = trace.adjoints(loss, wrt, seed)
        forward = ancestors([loss])
        names = name_values(forward, loss, known_objects(forward, inside(step.loss)))
        names |= {g: f"d{names[x]}" for x, g in adjoints.items() if x in names and g.op is not None and g not in names}
        gradients = [adjoints[s] for s in wrt]
        arguments = [*captured.arguments, *scalars.values()]
        found, quiet, checks = lowered(trace, [loss, *gradients], [*wrt, *arguments], names, step.exact)
        static = {found[s]: part(flat, i, "value") for i, s in enumerate(wrt)}
        targets = [
            (found[g], f"d{names[s]}", part(flat, i, "gradient")) for i, (s, g) in enumerate(zip(wrt, gradients, strict=True))
        ]
        if step.exact:
            builder = Builder([found[s] for s in arguments], static, targets)
        else:
            pairs, couples = layers(flat, [found[s] for s in wrt], [found[g] for g in gradients])
            weights = {found[g]: found[s] for s, g in zip(wrt, gradients, strict=True)} if self.update is None else {}
            builder = FastBuilder([found[s] for s in arguments], static, targets, pairs, couples, weights=weights)
        builder.quiet, builder.checks = quiet, checks
        places = {found[s]: place for s, place in zip(wrt, flat.places, strict=True)}

        def additions() -> list[str]:
            """The parameters that have not been changed on the way: in as few pieces as possible."""
            done = [places[w] for w in builder.updated] if isinstance(builder, FastBuilder) else []
            lines, start = [], 0
            for place in [*sorted(done, key=lambda place: place.start), slice(flat.size, flat.size)]:
                if place.start > start:
                    piece = slice(start, place.start)
                    value = builder.bind("parameters", flat_part("value", piece, (-1,)))
                    change = builder.bind("changes", flat_part("gradient", piece, (-1,)))
                    lines.append(f"{builder.function(np.add, 'add')}({value}, {change}, {value})")
                start = place.stop
            return lines if self.update is None else []

        outputs = [found[loss], *(s for _, s, _ in checks)]
        return builder.build(outputs, lambda b: number(b, found[loss]), additions)

    @property
    def source(self) -> str:
        """The program, and that of the update if it is one of its own."""
        update = "" if self.update is None else f"\n\n# the update, {BLOCK} entries at a time\n{self.update.text}"
        return self.program.text + update

    # --- running it -------------------------------------------------------------------------------------------------------

    def bind(self) -> None:
        """Make the functions for the memory of now."""
        flat = self.flat
        self.run = self.program.bind({"flat": flat})
        self.blocks: list[tuple[int, tuple[Array, ...]]] = []
        if self.update is not None:
            arrays = (flat.value, flat.gradient, *flat.state.values())
            self.blocks = [(missed, tuple(a[i:j] for a in arrays)) for missed, i, j in flat.blocks(BLOCK)]
            self.apply = {n: self.update.bind({"__length__": n}) for n in {len(arrays[0]) for _, arrays in self.blocks}}
        self.bound = flat.generation

    def __call__(self, args: tuple[Any, ...]) -> float:
        flat, optimizer = self.flat, self.optimizer
        if self.step.running is not self:  # another program's: its state may have other slots
            self.step.running, self.step.flat, flat.steps = self, flat, -1
        if not flat.is_settled():
            flat.settle()
        if self.bound != flat.generation:
            self.bind()
        scalars = optimizer.scalars()
        loss: float = self.run(*args, *[scalars[name] for name in self.needed])
        if self.update is not None:
            if self.step.clip_norm is not None:
                if self.step.exact:
                    clip_exactly(flat.views(flat.gradient), self.step.clip_norm)
                else:
                    clip(flat.gradient, self.step.clip_norm)
            for missed, arrays in self.blocks:
                numbers = scalars if not missed else optimizer.scalars(missed)
                self.apply[len(arrays[0])](*arrays, *numbers.values())
        optimizer.steps += 1
        flat.steps += 1
        for i in flat.left_out:
            optimizer.missed[i] += 1
        flat.hand_out(self.step.keep_gradients)
        return loss


def depended_on(loss: Symbol) -> list[Symbol]:
    """What gradients flow to; a parameter that is only compared with something has none, and is left alone."""
    found, stack = dict.fromkeys([loss]), [loss]
    while stack:
        for _, x in stack.pop().edges:
            if x not in found:
                found[x] = None
                stack.append(x)
    return list(found)


def number(b: Builder, loss: Symbol) -> str:
    """The loss as a Python float."""
    return f"{b.text(loss)}.item()" if loss.shape else f"float({b.text(loss)})"


def flat_part(which: str, place: slice, shape: tuple[int, ...]) -> Binding:
    """How to find a part of the flat array of the values or of the gradients."""
    return Binding(lambda env: getattr(env["flat"], which)[place].reshape(shape))


def part(flat: Flat, i: int, which: str) -> Binding:
    """How to find the part that belongs to a parameter."""
    return flat_part(which, flat.places[i], flat.parameters[i].shape)


def layers(flat: Flat, parameters: list[Symbol], gradients: list[Symbol]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The weights whose bias lies directly behind them, each with the bias and with how to find both as one matrix."""
    pairs: dict[Symbol, tuple[Symbol, Binding]] = {}
    couples: dict[Symbol, tuple[Symbol, Binding]] = {}
    first = {g: i for i, g in reversed(list(enumerate(gradients)))}
    for i, (w, b) in enumerate(itertools.pairwise(parameters)):
        if len(w.shape) == 2 and b.shape == w.shape[1:]:  # the places of a flat array follow each other
            place, shape = slice(flat.places[i].start, flat.places[i + 1].stop), (w.shape[0] + 1, w.shape[1])
            pairs[w] = b, flat_part("value", place, shape)
            if first[gradients[i]] == i and first[gradients[i + 1]] == i + 1:  # equal gradients are computed once, for the first
                couples[gradients[i]] = gradients[i + 1], flat_part("gradient", place, shape)
    return pairs, couples
