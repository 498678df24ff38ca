"""``t[i] = v`` and ``t += v``: a Tensor is a value, so a change makes a new one; what was computed before keeps the old."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .dispatch import plain_index
from .errors import GraphError, ShapeError, TensorTypeError, operation_failed
from .graph import Extras, Node
from .kernels.shapes import Array
from .modes import is_recording
from .operand import Operand
from .primitive import TABLE, Primitive
from .values import plain, unwrap

__all__ = ["Assignable"]


class Assignable(Node, Operand):
    """A node that can be assigned to."""

    __slots__ = ()

    def _exposed(self) -> Array:
        """The array, for writing."""
        raise NotImplementedError

    def __setitem__(self, index: Any, value: Any) -> None:
        """``t[index] = value``: this tensor becomes the result of the assignment. What was computed from it before is not
        affected, and gradients flow to the value and to the entries that were left.

        Raises
        ------
        GraphError
            For a leaf that requires gradients, which would stop being one.
        """
        index = plain_index(index)
        if not isinstance(value, Node):
            value = plain(TABLE["setitem"], value)
        recorded = is_recording() and (self.tracked or getattr(value, "tracked", False))
        if self.tracked and self.op is None and is_recording():
            raise GraphError(
                "a leaf that requires gradients is not assigned to: write t.data[i] = v to change the parameter itself, or "
                "u = t.copy(); u[i] = v for a computation with a changed copy"
            )
        if self.tracked and self.op is not None and not recorded:
            raise GraphError("a computed tensor is not assigned to under no_grad(): write t = t.detach() first")
        if recorded or sys.getrefcount(self) <= TEMPORARY:
            self._refuse_if_part_of_another()
        if not recorded:
            target = self._exposed()
            try:
                target[index] = unwrap(value)
            except (ValueError, TypeError, IndexError) as error:
                raise operation_failed("setitem", [self.array, unwrap(value)], {"index": index}, error) from error
            return
        if self.array.dtype.kind not in "fc" or (self.array.dtype.kind == "f" and np.result_type(unwrap(value)).kind == "c"):
            given = np.result_type(unwrap(value))
            raise TensorTypeError(
                f"a value of dtype {given} with a gradient does not fit a tensor of dtype {self.array.dtype}: "
                f"make that one with the dtype of the value"
            )
        spare = np.ndim(unwrap(value)) - np.ndim(self.array[index])
        if spare > 0 and np.shape(unwrap(value))[:spare] == (1,) * spare:  # NumPy ignores leading axes of length 1 here
            value = TABLE["reshape"](value, shape=np.shape(unwrap(value))[spare:])
        old: Node = object.__new__(type(self))
        become(old, self)
        if isinstance(value, Node):
            value = old if value is self else value
            refer_to(old, value, instead_of=self)
        new = self._apply(TABLE["setitem"], (old, value), {"index": index})
        become(self, new)
        self.extras = self.extras or Extras()
        self.extras.past = old
        if old.extras is not None and old.extras.retains_grad:  # which is wanted of what has this name now
            self.extras.retains_grad, old.extras.retains_grad = True, False

    def _refuse_if_part_of_another(self) -> None:
        """In NumPy, ``row = u[0]; row[:] = 7`` writes into u as well. Here a Tensor is a value, and u would keep its entries:
        rather than compute something else in silence, refuse, as long as somebody else holds u. For constants that is done
        only where it is certain that nobody will see the new value: ``u[0][1] = 7``, where the part has no name.
        """
        part: Node = self
        while part.op is not None and part.inputs and len(part.edges) == 1 and isinstance(part.inputs[0], Node):
            whole = part.inputs[0]
            if not np.may_share_memory(part.array, whole.array):
                return
            if sys.getrefcount(whole) > HELD_BY_ONE_PART and beside_tuples(whole) > HELD_BY_THE_GRAPH:
                break
            part = whole
        else:
            if part.op is not None or part.array.base is None or sys.getrefcount(part.array.base) <= HELD_BY_ONE_VIEW:
                return
        raise GraphError(
            "this tensor is a part of another one (a slice, a reshape, a transpose), which in NumPy would be written into as well: "
            "assign to that one, u[0, 1] = v for u[0][1] = v, or write t = t.copy() first"
        )

    def _in_place(self, op: Primitive, other: Any) -> Any:
        """``t += v`` makes a new tensor of the shape and dtype of t, and calls it t; who else holds the old one keeps it."""
        if self.tracked and self.op is None and is_recording():
            raise GraphError(
                "a leaf that requires gradients is not changed in place: write t.data -= step for an update, or u = t - step"
            )
        result = op(self, other)
        if result.shape != self.array.shape:
            raise ShapeError(f"{op.name} in place would change the shape {self.array.shape} to {result.shape}: write t = …")
        if result.dtype != self.array.dtype:
            if not np.can_cast(result.dtype, self.array.dtype, "same_kind"):
                raise TensorTypeError(f"{op.name} in place would turn {self.array.dtype} into {result.dtype}: write t = …")
            result = result.astype(self.array.dtype)
        if self.tracked and self.op is None:  # under no_grad(), a leaf stays the leaf it is
            self.array = result.array
            return self
        return result

    def __iadd__(self, other: Any) -> Any:
        return self._in_place(TABLE["add"], other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place(TABLE["subtract"], other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place(TABLE["multiply"], other)

    def __itruediv__(self, other: Any) -> Any:
        return self._in_place(TABLE["divide"], other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._in_place(TABLE["floor_divide"], other)

    def __imod__(self, other: Any) -> Any:
        return self._in_place(TABLE["remainder"], other)

    def __ipow__(self, other: Any) -> Any:
        return self._in_place(TABLE["pow"], other)

    def __imatmul__(self, other: Any) -> Any:
        return self._in_place(TABLE["matmul"], other)


def become(node: Node, other: Node) -> None:
    """Make node what the other one is."""
    for slot in Node.__slots__:
        if slot != "__weakref__":
            setattr(node, slot, getattr(other, slot))


def refer_to(old: Node, value: Node, instead_of: Node) -> None:
    """Let what value was computed from refer to the old version by itself: t[i] = t[i - 1] * c would make a cycle otherwise."""
    seen = {value: None}
    stack = [value]
    while stack:
        node = stack.pop()
        if any(x is instead_of for x in node.inputs):
            node.inputs = tuple(old if x is instead_of else x for x in node.inputs)
            node.edges = tuple((i, old if x is instead_of else x) for i, x in node.edges)
        for x in node.inputs:
            if isinstance(x, Node) and x.stamp > old.stamp and x not in seen:
                seen[x] = None
                stack.append(x)


def beside_tuples(whole: Node) -> int:
    """How many references there are to a node besides those of tuples, in which nodes keep their inputs: of variables, lists."""
    import gc

    return sys.getrefcount(whole) - sum(type(other) is tuple for other in gc.get_referrers(whole))


class Probe:
    """What getrefcount says of an object that is assigned to: one without and one with a name."""

    def __setitem__(self, index: list[int], value: int) -> None:
        index.append(sys.getrefcount(self))


def temporary() -> int:
    """What getrefcount says, in __setitem__, of an object without a name; 0 where this Python does not tell them apart."""
    counts: list[int] = []
    Probe()[counts] = 1
    named = Probe()
    named[counts] = 1
    return counts[0] if counts[0] < counts[1] else 0


TEMPORARY = temporary()


def part_of_something() -> Node:
    """A node with one input that nobody else knows."""
    part, whole = object.__new__(Node), object.__new__(Node)
    part.inputs, part.edges = (whole,), ((0, whole),)
    return part


def held() -> tuple[int, int, int]:
    """What is said of a node and of an array that only one part of it refers to, asked as above."""
    part = part_of_something()
    whole = part.inputs[0]
    return sys.getrefcount(whole), sys.getrefcount(np.zeros((2, 2))[0].base), beside_tuples(whole)


HELD_BY_ONE_PART, HELD_BY_ONE_VIEW, HELD_BY_THE_GRAPH = held()
