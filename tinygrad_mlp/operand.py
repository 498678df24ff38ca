"""What can stand in a rule in place of an array: the operators, methods and attributes that ndarray has.

:class:`Operand` is the base of every reading of the rules. Each operator is one call of ``_apply`` with its primitive, past
NumPy's protocols, which would cost more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np

from . import rules
from .composed.products import dot
from .composed.shapes import swapaxes
from .dispatch import CURES, Dispatched, plain_index, refuse
from .errors import no_member
from .primitive import COMPOSED, TABLE

__all__ = ["Operand"]

NO_PARAMS: dict[str, Any] = {}


class Operand(Dispatched):
    """Anything that can stand in a rule in place of an array. Subclasses give it ``_apply``, ``_constant`` and a shape."""

    __slots__ = ()
    __hash__: ClassVar[Callable[[Any], int]] = object.__hash__  # by identity, also where == is elementwise

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        raise NotImplementedError(f"{type(self).__name__} is no complete reading: it lacks a shape")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    # --- operators ------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return self._apply(rules.add, (self, other), NO_PARAMS)

    def __radd__(self, other: Any) -> Any:
        return self._apply(rules.add, (other, self), NO_PARAMS)

    def __sub__(self, other: Any) -> Any:
        return self._apply(rules.subtract, (self, other), NO_PARAMS)

    def __rsub__(self, other: Any) -> Any:
        return self._apply(rules.subtract, (other, self), NO_PARAMS)

    def __mul__(self, other: Any) -> Any:
        return self._apply(rules.multiply, (self, other), NO_PARAMS)

    def __rmul__(self, other: Any) -> Any:
        return self._apply(rules.multiply, (other, self), NO_PARAMS)

    def __truediv__(self, other: Any) -> Any:
        return self._apply(rules.divide, (self, other), NO_PARAMS)

    def __rtruediv__(self, other: Any) -> Any:
        return self._apply(rules.divide, (other, self), NO_PARAMS)

    def __floordiv__(self, other: Any) -> Any:
        return self._apply(rules.floor_divide, (self, other), NO_PARAMS)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._apply(rules.floor_divide, (other, self), NO_PARAMS)

    def __mod__(self, other: Any) -> Any:
        return self._apply(rules.remainder, (self, other), NO_PARAMS)

    def __rmod__(self, other: Any) -> Any:
        return self._apply(rules.remainder, (other, self), NO_PARAMS)

    def __pow__(self, other: Any) -> Any:
        return self._apply(rules.pow, (self, other), NO_PARAMS)

    def __rpow__(self, other: Any) -> Any:
        return self._apply(rules.pow, (other, self), NO_PARAMS)

    def __matmul__(self, other: Any) -> Any:
        return self._apply(rules.matmul, (self, other), NO_PARAMS)

    def __rmatmul__(self, other: Any) -> Any:
        return self._apply(rules.matmul, (other, self), NO_PARAMS)

    def __neg__(self) -> Any:
        return self._apply(rules.negative, (self,), NO_PARAMS)

    def __pos__(self) -> Any:
        return self._apply(rules.positive, (self,), NO_PARAMS)

    def __abs__(self) -> Any:
        return self._apply(rules.abs, (self,), NO_PARAMS)

    def __eq__(self, other: object) -> Any:
        return self._constant(np.equal, (self, other), NO_PARAMS)

    def __ne__(self, other: object) -> Any:
        return self._constant(np.not_equal, (self, other), NO_PARAMS)

    def __lt__(self, other: Any) -> Any:
        return self._constant(np.less, (self, other), NO_PARAMS)

    def __le__(self, other: Any) -> Any:
        return self._constant(np.less_equal, (self, other), NO_PARAMS)

    def __gt__(self, other: Any) -> Any:
        return self._constant(np.greater, (self, other), NO_PARAMS)

    def __ge__(self, other: Any) -> Any:
        return self._constant(np.greater_equal, (self, other), NO_PARAMS)

    def __and__(self, other: Any) -> Any:
        return self._constant(np.bitwise_and, (self, other), NO_PARAMS)

    def __rand__(self, other: Any) -> Any:
        return self._constant(np.bitwise_and, (other, self), NO_PARAMS)

    def __or__(self, other: Any) -> Any:
        return self._constant(np.bitwise_or, (self, other), NO_PARAMS)

    def __ror__(self, other: Any) -> Any:
        return self._constant(np.bitwise_or, (other, self), NO_PARAMS)

    def __xor__(self, other: Any) -> Any:
        return self._constant(np.bitwise_xor, (self, other), NO_PARAMS)

    def __rxor__(self, other: Any) -> Any:
        return self._constant(np.bitwise_xor, (other, self), NO_PARAMS)

    def __lshift__(self, other: Any) -> Any:
        return self._constant(np.left_shift, (self, other), NO_PARAMS)

    def __rlshift__(self, other: Any) -> Any:
        return self._constant(np.left_shift, (other, self), NO_PARAMS)

    def __rshift__(self, other: Any) -> Any:
        return self._constant(np.right_shift, (self, other), NO_PARAMS)

    def __rrshift__(self, other: Any) -> Any:
        return self._constant(np.right_shift, (other, self), NO_PARAMS)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __invert__(self) -> Any:
        return self._constant(np.invert, (self,), NO_PARAMS)

    def __getitem__(self, index: Any) -> Any:
        return self._apply(rules.getitem, (self,), {"index": plain_index(index)})

    # --- methods and attributes, where ndarray has them ------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        """The sum over axis."""
        return self._apply(rules.sum, (self,), {"axis": axis, "dtype": dtype, "keepdims": keepdims})

    def prod(self, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        """The product over axis."""
        return self._apply(rules.prod, (self,), {"axis": axis, "dtype": dtype, "keepdims": keepdims})

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The mean over axis."""
        return self._apply(rules.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The largest entry over axis; its gradient is shared equally at a tie."""
        return self._apply(rules.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """The smallest entry over axis; its gradient is shared equally at a tie."""
        return self._apply(rules.min, (self,), {"axis": axis, "keepdims": keepdims})

    def var(self, axis: Any = None, *, correction: float = 0, ddof: float | None = None, keepdims: bool = False) -> Any:
        """The variance over axis, Σ (x − mean)² / (n − correction); NumPy's older name of the correction is ddof."""
        correction = correction if ddof is None else ddof
        return self._apply(rules.var, (self,), {"axis": axis, "correction": correction, "keepdims": keepdims})

    def std(self, axis: Any = None, *, correction: float = 0, ddof: float | None = None, keepdims: bool = False) -> Any:
        """The standard deviation over axis, the root of the variance; its gradient is 0 where all entries are equal."""
        correction = correction if ddof is None else ddof
        return self._apply(rules.std, (self,), {"axis": axis, "correction": correction, "keepdims": keepdims})

    def cumsum(self, axis: int | None = None) -> Any:
        """The sums of the entries up to each one."""
        return np.cumsum(self, axis=axis)

    def cumprod(self, axis: int | None = None) -> Any:
        """The products of the entries up to each one."""
        return np.cumprod(self, axis=axis)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """The entries limited to [min, max]."""
        return self._apply(rules.clip, (self, min, max), NO_PARAMS)

    def round(self, decimals: int = 0) -> Any:
        """The entries rounded to so many decimals; constant almost everywhere."""
        return self._apply(rules.round, (self,), {"decimals": decimals})

    def __round__(self, decimals: int = 0) -> Any:
        return self.round(decimals)

    def conj(self) -> Any:
        """The complex conjugate."""
        return self._apply(rules.conj, (self,), NO_PARAMS)

    conjugate = conj

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same entries in another shape, given as a tuple or as numbers; one of them may be −1."""
        if order != "C":
            refuse(f"t.reshape with order={order!r}", "supported on tensors", CURES["order"])
        return self._apply(rules.reshape, (self,), {"shape": shape[0] if len(shape) == 1 else shape, "copy": None})

    def ravel(self, order: str = "C") -> Any:
        """The entries in one axis, in index order."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> Any:
        """The entries in one axis, in index order; a copy."""
        return self.copy().reshape(-1, order=order)

    def copy(self) -> Any:
        """A tensor of its own with the same value; gradients flow through."""
        return self._apply(rules.positive, (self,), NO_PARAMS)

    def squeeze(self, axis: Any = None) -> Any:
        """Without the axes of length 1, or without the named ones."""
        return self._apply(rules.squeeze, (self,), {"axis": axis})

    def transpose(self, *axes: Any) -> Any:
        """The axes reversed, or in the given order."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], (int, np.integer)) else axes or None
        return self._apply(rules.permute_dims, (self,), {"axes": order if order is None else tuple(order)})

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return swapaxes(self, axis1, axis2)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Each entry so many times."""
        return np.repeat(self, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """The entries at the indices along axis."""
        return np.take(self, indices, axis=axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The diagonal of two axes."""
        return np.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The sum of the diagonal of two axes."""
        return np.trace(self, offset, axis1, axis2)

    def dot(self, other: Any) -> Any:
        """NumPy's dot."""
        return dot(self, other)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """The index of the largest entry."""
        return self._constant(np.argmax, (self,), {"axis": axis, "keepdims": keepdims})

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """The index of the smallest entry."""
        return self._constant(np.argmin, (self,), {"axis": axis, "keepdims": keepdims})

    def argsort(self, axis: int | None = -1, *, stable: bool | None = None) -> Any:
        """The indices that would sort the entries."""
        return self._constant(np.argsort, (self,), {"axis": axis, "stable": stable})

    def nonzero(self) -> Any:
        """The indices of the entries that are not zero, an array for each axis."""
        return self._constant(np.nonzero, (self,), NO_PARAMS)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether any entry is true."""
        return self._constant(np.any, (self,), {"axis": axis, "keepdims": keepdims})

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """Whether all entries are true."""
        return self._constant(np.all, (self,), {"axis": axis, "keepdims": keepdims})

    @property
    def real(self) -> Any:
        """The real part."""
        return self._apply(rules.real, (self,), NO_PARAMS)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self._apply(rules.imag, (self,), NO_PARAMS)

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self._apply(rules.permute_dims, (self,), {"axes": None})

    @property
    def mT(self) -> Any:
        """The last two axes exchanged: a matrix, or each matrix of a batch, transposed."""
        return swapaxes(self, -1, -2)

    def __getattr__(self, name: str) -> NoReturn:
        raise no_member(self, "Tensor", name, f"tg.{name}(x)" if name in TABLE or name in COMPOSED else "")
