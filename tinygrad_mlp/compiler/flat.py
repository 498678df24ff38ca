"""The parameters of an optimiser and its state in flat arrays, of which the user's tensors stay views."""

from __future__ import annotations

import sys
from operator import attrgetter, is_
from typing import Any

from ..kernels.shapes import Array
from ..optim import Optimizer
from ..tensor import Tensor
from .arena import aligned

__all__ = ["Flat"]

ARRAY = attrgetter("array")


class Flat:
    """One flat array for the parameters, one for each array of the optimiser's state; one for the gradients.

    They follow each other without gaps, a bias directly behind its weights. A compiled program reads and writes the flat
    arrays; the tensors' own arrays are views of them. When somebody gives a tensor new data (an eager step, load_state_dict),
    ``settle`` copies it in and makes the tensor a view again; while a recorded graph still needs the old values it moves to new
    memory instead.
    """

    def __init__(self, optimizer: Optimizer, parameters: list[Tensor]) -> None:
        self.optimizer, self.parameters = optimizer, parameters
        self.dtype = parameters[0].dtype
        self.places: list[slice] = []
        for p in parameters:
            start = self.places[-1].stop if self.places else 0
            self.places.append(slice(start, start + p.size))
        self.size = self.places[-1].stop
        self.positions = [next(i for i, q in enumerate(optimizer.parameters) if q is p) for p in parameters]
        self.state: dict[str, Array] = {}
        self.state_views: list[dict[str, Array]] = [{} for _ in parameters]
        self.gradient = self.new()
        mine = set(self.positions)
        self.left_out = [i for i in range(len(optimizer.parameters)) if i not in mine]
        self.missed = [optimizer.missed[i] for i in self.positions]
        self.steps = -1
        self.states: Any = None  # the optimiser's list: load_state_dict() gives it a new one
        self.generation = 0
        self.move()

    def new(self) -> Array:
        """A flat array of zeros."""
        return aligned(self.size * self.dtype.itemsize).view(self.dtype)

    def views(self, flat: Array) -> list[Array]:
        """Its parts in the shapes of the parameters."""
        return [flat[place].reshape(p.shape) for place, p in zip(self.places, self.parameters, strict=True)]

    def move(self) -> None:
        """New memory for the parameters: programs must be bound to it again."""
        self.value = self.new()
        self.views_now = self.views(self.value)
        for p, view in zip(self.parameters, self.views_now, strict=True):
            view[...] = p.array
            p.array = view
        del view
        self.unshared = list(map(sys.getrefcount, self.views_now))
        self.generation += 1

    def is_settled(self) -> bool:
        """Whether all parameters are views of this memory that no graph refers to, and the optimiser was not used otherwise."""
        return (
            self.steps == self.optimizer.steps
            and self.states is self.optimizer.state
            and all(map(is_, map(ARRAY, self.parameters), self.views_now))
            and list(map(sys.getrefcount, self.views_now)) == self.unshared
        )

    def settle(self) -> None:
        """Make the tensors and the state views again, with the values that they have now."""
        mine = map(is_, map(ARRAY, self.parameters), self.views_now)
        counts = map(sys.getrefcount, self.views_now)
        if any(n > m - (not same) for n, m, same in zip(counts, self.unshared, mine, strict=True)):
            self.move()
        for p, view in zip(self.parameters, self.views_now, strict=True):
            if p.array is not view:
                view[...] = p.array
                p.array = view
        self.settle_state()
        missed = [self.optimizer.missed[i] for i in self.positions]
        if missed != self.missed:
            self.missed = missed
            self.generation += 1
        self.steps, self.states = self.optimizer.steps, self.optimizer.state

    def blocks(self, length: int) -> list[tuple[int, int, int]]:
        """Pieces of at most 2 · length entries, of parameters that had no gradient equally often: (how often, start, stop)."""
        runs: list[tuple[int, int, int]] = []
        for i, place in zip(self.positions, self.places, strict=True):
            missed = self.optimizer.missed[i]
            if runs and runs[-1][0] == missed:
                runs[-1] = (missed, runs[-1][1], place.stop)
            else:
                runs.append((missed, place.start, place.stop))
        pieces = []
        for missed, start, stop in runs:
            while stop - start > 2 * length:
                pieces.append((missed, start, start + length))
                start += length
            pieces.append((missed, start, stop))
        return pieces

    def hand_out(self, gradients: bool) -> None:
        """Leave the gradients in ``.grad`` as views, or none there."""
        if not gradients:
            for p in self.optimizer.parameters:
                if p.grad is not None:
                    p.grad = None
            return
        for i in self.left_out:
            self.optimizer.parameters[i].grad = None
        for p, view in zip(self.parameters, self.views(self.gradient), strict=True):
            p.grad = view

    def settle_state(self) -> None:
        """The optimiser's arrays as views of flat ones."""
        slots = self.optimizer.slots
        if tuple(self.state) != slots:
            self.state = {slot: self.new() for slot in slots}
            self.state_views = [{} for _ in self.parameters]
            self.generation += 1
            for slot in slots:
                for mine, view in zip(self.state_views, self.views(self.state[slot]), strict=True):
                    mine[slot] = view
        if self.optimizer.held != slots:
            pairs = zip(self.optimizer.parameters, self.optimizer.state, strict=True)
            self.optimizer.state = [self.optimizer.start(p) | state for p, state in pairs]
            self.optimizer.held = slots
        for i, mine in zip(self.positions, self.state_views, strict=True):
            state: dict[str, Any] = self.optimizer.state[i]
            for slot, view in mine.items():
                if state[slot] is not view:
                    view[...] = state[slot]
                    state[slot] = view
            if slots and len(state) > len(slots):  # a step leaves only what is kept now
                self.optimizer.state[i] = {slot: state[slot] for slot in slots}
