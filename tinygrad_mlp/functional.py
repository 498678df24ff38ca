"""Transforms: from a function to its gradient, Jacobian, Hessian or a product with them.

The function is written with plain NumPy and takes arrays, or tuples, lists and dicts of arrays. A transform calls it with Tensors
and differentiates the result. What comes out are ndarrays; if it depends on Tensors that require gradients (an argument, or a
parameter that the function uses), they are Tensors with a graph, so that transforms can be nested to any order, and a gradient
can be part of a loss. Under ``no_grad()`` they are always ndarrays.

A result that is a whole number or a boolean is refused: its derivative is zero wherever it exists, and zeros would hide that
nothing flows through it. With ``allow_constant=True`` they are given. A floating number that does not depend on the arguments has
the gradient zero.

For y = f(x) with Jacobian J = ∂y/∂x:

========================  ===========================================================  ========================================
transform                 result                                                       cost, in evaluations of f
========================  ===========================================================  ========================================
``grad``                  ∇f, for a single number y                                    about 3
``vjp``                   y, and the function v ↦ Jᵀ v                                 about 3
``jvp``                   y, J v                                                       about 6, however many inputs and outputs
``jacobian``              J                                                            as many products as y or x has entries,
                                                                                       whichever are fewer
``hessian``               ∂²y/∂x², for a single number y                               n products for n entries of x
``hvp``                   ∂²y/∂x² v                                                    about 6
========================  ===========================================================  ========================================
"""

from __future__ import annotations

import functools
import math
import operator
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import rules
from .derivative import gradients
from .errors import SettingError, ShapeError, TensorTypeError, TraceError
from .graph import Extras, topological
from .modes import is_recording, recording, transforming
from .operand import Operand
from .tensor import Tensor
from .trees import leaves, like, matched

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Function = Callable[..., Any]
Argnums = int | Sequence[int]


class Request(NamedTuple):
    """What is to be differentiated, with respect to what."""

    name: str
    function: Function
    argnums: Argnums
    allow_constant: bool

    def numbers(self, n: int) -> tuple[int, ...]:
        """The numbers, from 0 up, of the arguments (of n) to differentiate with respect to."""
        return numbered(self.argnums, n)

    def check(self, dtypes: Iterable[np.dtype[Any]]) -> None:
        """Refuse results that are no floating numbers: a gradient of zeros would hide that nothing can be learnt from them."""
        for dtype in dtypes:
            if dtype.kind not in "fc" and not self.allow_constant:
                raise TensorTypeError(
                    f"{self.name}() is of a function with floating numbers as result, this one's is {dtype}, which is constant "
                    f"almost everywhere: return what it was computed from, or write {self.name}(…, allow_constant=True) for zeros"
                )

    @property
    def many(self) -> bool:
        """Whether the gradients come as a tuple."""
        return not isinstance(self.argnums, (int, np.integer))


class Transform:
    """A transform of a function, called as that one, and with its name. It is copied and pickled as what it was made of."""

    def __init__(self, make: Function, request: Request, compute: Function) -> None:
        self.make, self.request, self.compute = make, request, compute
        positions(request.argnums)
        functools.update_wrapper(self, request.function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.compute(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)  # in a class it is a method, as a function is

    def __reduce__(self) -> tuple[Function, tuple[Function, Request]]:
        return again, (self.make, self.request)

    def __repr__(self) -> str:
        f = self.request.function
        return f"<tg.{self.request.name} of {getattr(f, '__name__', type(f).__name__)}>"

    @property
    def transform(self) -> Request | None:
        """What compile() is to write, if it knows this transform; else it sees a function like any other."""
        return self.request if self.make in (grad, value_and_grad) else None


def again(make: Function, request: Request) -> Transform:
    """The transform once more."""
    made: Transform = make(request.function, request.argnums, allow_constant=request.allow_constant)
    return made


def positions(argnums: Argnums) -> list[int]:
    """The numbers of arguments as a list."""
    try:
        return [operator.index(i) for i in (argnums if isinstance(argnums, Iterable) else (argnums,))]
    except TypeError:
        raise SettingError(
            f"argnums are the positions of arguments, 0 or (0, 1) (got {argnums!r}); for one that is given by name write it by "
            f"position, tg.grad(lambda k: f(x, k=k))(k)"
        ) from None


def numbered(argnums: Argnums, n: int) -> tuple[int, ...]:
    """The numbers of arguments as numbers from 0 up."""
    numbers = positions(argnums)
    for i in numbers:
        if not -n <= i < n:
            raise SettingError(f"argnums={argnums} of a function that was called with {n} arguments by position")
    return tuple(i % n for i in numbers)


def variable(x: Any, name: str) -> Tensor:
    """A Tensor to differentiate with respect to: the value of x, connected to x if that has a graph, but not x itself."""
    if isinstance(x, Tensor) and x.requires_grad:
        return rules.positive(x)  # type: ignore[no-any-return]  # a primitive of a Tensor
    if isinstance(x, Operand) and not isinstance(x, Tensor):
        raise TraceError(
            f"tg.{name} cannot be compiled, nor derived, as a part of a function: call it as it is. Of the transforms "
            f"tg.compile(tg.grad(f)) and tg.compile(tg.value_and_grad(f)) are compiled, of an f without transforms; what is "
            f"derived is a recorded loss that is made of gradients, tg.gradients(…, create_graph=True)"
        )
    if isinstance(x, bool) or not isinstance(x, (int, float, complex, np.ndarray, np.generic, Tensor)):
        raise TensorTypeError(
            f"gradients are with respect to numbers and arrays, also in tuples, lists and dicts, but an argument is {x!r} "
            f"({type(x).__name__}): name the right arguments, argnums=…"
        )
    if isinstance(x, (np.ndarray, np.generic, Tensor)) and x.dtype.kind not in "fc":
        raise TensorTypeError(
            f"gradients are with respect to floating numbers, but an argument is {x.dtype}: write f(x.astype(float))"
        )
    return Tensor(float(x) if isinstance(x, int) else x, requires_grad=True)


class Run(NamedTuple):
    """A function that has been called with variables."""

    y: Any  # what it returned
    flat: Tensor | None  # that as one axis; None if it does not depend on the variables
    xs: list[Tensor]
    tree: Any  # the arguments to differentiate with respect to: one, or a tuple of them
    nested: bool  # whether the result depends on other tensors that require gradients


def run(of: Request, args: Sequence[Any], kwargs: dict[str, Any]) -> Run:
    """Call the function with variables in place of the arguments numbered by argnums."""
    f, argnums = of.function, of.argnums
    if not callable(f):
        raise TensorTypeError(f"a transform takes a function, not {f!r}: write tg.grad(f)(x)")
    many, numbers = not isinstance(argnums, (int, np.integer)), numbered(argnums, len(args))
    nested, given = is_recording(), list(args)
    with recording(True):
        xs: list[Tensor] = []
        for n in numbers:
            mine = [variable(x, of.name) for x in leaves(args[n])]
            xs += mine
            given[n] = like(args[n], map(rules.positive, mine))  # the function may assign to its arguments: to copies
        with transforming():
            y = f(*given, **kwargs)
        ends = list(leaves(y))
        of.check(as_tensor(end).dtype for end in ends)
        flat = None
        if any(isinstance(end, Tensor) and end.requires_grad for end in ends):
            flat = rules.concat([rules.reshape(as_tensor(end), -1) for end in ends])
    nested = nested and flat is not None and any(is_outer(node, xs) for node in topological(flat))
    for x in xs:
        x.extras = x.extras or Extras()
        x.extras.internal = True
    return Run(y, flat, xs, tuple(args[n] for n in numbers) if many else args[numbers[0]], nested)


def is_outer(node: Any, xs: list[Tensor]) -> bool:
    """Whether a node is a leaf of somebody else's, not a variable of this transform or of one that is done."""
    return node.op is None and not any(node is x for x in xs) and not (node.extras is not None and node.extras.internal)


def as_tensor(end: Any) -> Tensor:
    """One output of a function; refused if it is no number."""
    if isinstance(end, Tensor):
        return end
    array = np.asarray(end)
    if array.dtype.kind not in "biufc":
        raise TensorTypeError(f"a function to differentiate returns numbers and arrays, but it returned {end!r}")
    return Tensor(array)


def plain(y: Any, nested: bool) -> Any:
    """A result for the caller: ndarrays, unless it belongs to a graph outside."""
    values = [end if nested or not isinstance(end, Tensor) else end.numpy().copy() for end in leaves(y)]
    return like(y, iter(values))


def products(y: Tensor | None, xs: Sequence[Tensor], seed: Any, nested: bool) -> list[Any]:
    """Jᵀ seed for each of xs, with a graph if it is asked for; zeros where y does not depend on x."""
    if y is None:
        return [np.zeros(x.shape, x.dtype) for x in xs]
    nested = nested or (isinstance(seed, Tensor) and is_recording())  # the vector has a graph of its own
    return list(gradients(y, list(xs), seed=seed, create_graph=True) if nested else gradients(y, list(xs), seed=seed))


def one_number(called: Run, name: str) -> None:
    """Refuse a function whose result is no single real number."""
    ends = [as_tensor(end) for end in leaves(called.y)]
    if len(ends) != 1 or ends[0].size != 1:
        told = ", ".join(str(end.shape) for end in ends)
        raise ShapeError(
            f"{name}() is of a function with one number as result, this one has shape {told}: write jacobian(f), or sum it"
        )
    if ends[0].dtype.kind == "c":
        raise TensorTypeError(f"{name}() is of a function with a real result, this one's is complex: take np.real or np.abs of it")


# --- first order ----------------------------------------------------------------------------------------------------------


def value_and_grad(f: Function, argnums: Argnums = 0, *, allow_constant: bool = False) -> Function:
    """The function x ↦ (f(x), ∇f(x)), for an f with one number as result.

    Parameters
    ----------
    f : function of arrays (or tuples, lists, dicts of arrays)
    argnums : the number of the argument to differentiate with respect to, or several, for which a tuple comes out
    allow_constant : whether the result may be a whole number or a boolean, whose gradient is zero

    Raises
    ------
    ShapeError
        If the result is not one number.
    TensorTypeError
        If an argument holds something other than numbers, or integers in an array; if the result is a whole number or a boolean.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = value_and_grad(lambda w: np.sum(np.tanh(w["a"]) * w["b"]))({"a": np.zeros(2), "b": np.array([1.0, 3.0])})
    >>> float(value), gradient["a"], gradient["b"]
    (0.0, array([1., 3.]), array([0., 0.]))
    """
    of = Request("value_and_grad", f, argnums, allow_constant)

    def transformed(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return both(of, args, kwargs)

    return Transform(value_and_grad, of, transformed)


def both(of: Request, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The value and the gradient."""
    called = run(of, args, kwargs)
    one_number(called, of.name)
    found = products(called.flat, called.xs, np.ones(1), called.nested)
    return plain(called.y, called.nested), like(called.tree, iter(found))


def grad(f: Function, argnums: Argnums = 0, *, allow_constant: bool = False) -> Function:
    """The gradient of f as a function: x ↦ ∇f(x). See :func:`value_and_grad`.

    >>> import numpy as np
    >>> grad(np.tanh)(0.0)
    array(1.)
    >>> grad(grad(grad(lambda x: x**4)))(2.0)
    array(48.)
    >>> grad(lambda x, y: x * y**2, argnums=(0, 1))(3.0, 2.0)
    (array(4.), array(12.))
    """
    of = Request("grad", f, argnums, allow_constant)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        return both(of, args, kwargs)[1]

    return Transform(grad, of, transformed)


def vjp(f: Function, *primals: Any, allow_constant: bool = False) -> tuple[Any, Function]:
    """f(*primals), and the function v ↦ Jᵀ v, which gives a tuple with one product for each of the primals.

    Raises
    ------
    ShapeError
        If v has another form or shape than the result of f.

    Examples
    --------
    >>> import numpy as np
    >>> y, pull_back = vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> pull_back(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    called = run(Request("vjp", f, range(len(primals)), allow_constant), primals, {})

    def pull_back(v: Any) -> tuple[Any, ...]:
        found = products(called.flat, called.xs, flat_as(v, called.y, "vjp"), called.nested)
        return like(called.tree, iter(found))  # type: ignore[no-any-return]  # a tuple, as called.tree is one

    return plain(called.y, called.nested), pull_back


def flat_as(v: Any, form: Any, name: str) -> Any:
    """v, which has the form and the shapes of form, as one axis."""
    given, wanted = [as_tensor(x) for x in matched(v, form, name)], [np.shape(x) for x in leaves(form)]
    if [x.shape for x in given] != wanted:
        raise ShapeError(f"{name}(): a vector of shapes {[x.shape for x in given]} does not fit {wanted}")
    parts = [rules.reshape(x, -1) for x in given]
    joined = rules.concat(parts)
    return joined if joined.requires_grad else joined.numpy()


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, allow_constant: bool = False) -> tuple[Any, Any]:
    """f(*primals), and J v: how the result changes when the arguments move along the tangents v.

    u ↦ Jᵀ u is linear; its own transpose, at v, is J v. So two backward passes do, and no rule needs a second form.

    Parameters
    ----------
    f : function
    primals, tangents : the arguments, and the directions in which they move, in the same form

    Raises
    ------
    ShapeError
        If tangents and primals differ in form or shape.

    Examples
    --------
    >>> import numpy as np
    >>> y, change = jvp(lambda x: x**2, (np.array([1.0, 2.0]),), (np.array([1.0, 0.5]),))
    >>> change
    array([2., 2.])
    """
    check_tuples(primals, tangents, "jvp")
    called = run(Request("jvp", f, range(len(primals)), allow_constant), primals, {})
    v = flat_as(tuple(tangents), tuple(primals), "jvp")
    change = transposed(called)(v)
    parts, start = [], 0
    for end in map(as_tensor, leaves(called.y)):
        part = rules.reshape(change[start : start + end.size], shape=end.shape)
        part = rules.real(part) if end.dtype.kind != "c" else part  # beside complex results all are
        parts.append(rules.astype(part, dtype=end.dtype) if end.dtype.kind in "fc" else part)
        start += end.size
    return plain(called.y, called.nested), like(called.y, iter(parts))


def check_tuples(primals: Any, tangents: Any, name: str) -> None:
    """Arguments are given in a tuple, also a single one: an array would be taken apart."""
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)) or len(primals) != len(tangents):
        raise ShapeError(f"{name}() takes the arguments and the directions in tuples of one length: write tg.{name}(f, (x,), (v,))")


def transposed(called: Run) -> Callable[[Any], Any]:
    """The function v ↦ J v on flat vectors."""
    if called.flat is None:
        size = sum(math.prod(np.shape(end)) for end in leaves(called.y))
        return lambda v: np.zeros(size)
    y = called.flat
    with recording(True):
        u = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
        pulled = gradients(y, called.xs, seed=u, create_graph=True)
        flat = rules.concat([rules.reshape(g, -1) for g in pulled])

    def product(v: Any) -> Any:
        return products(flat if flat.requires_grad else None, [u], v, called.nested or isinstance(v, Tensor))[0]

    return product


def jacobian(f: Function, argnums: Argnums = 0, *, allow_constant: bool = False) -> Function:
    """The function x ↦ ∂f/∂x, of shape y.shape + x.shape; for several outputs or inputs trees of such arrays, outputs outside.

    Computed row by row, or column by column where x has fewer entries than y.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]) @ x)(np.array([1.0, 1.0]))
    array([[1., 2.],
           [3., 4.],
           [0., 1.]])
    """
    of = Request("jacobian", f, argnums, allow_constant)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        called = run(of, args, kwargs)
        refuse_complex(called, "jacobian")
        if called.flat is None or called.flat.dtype.kind != "c":
            return blocks(matrix(called), called.y, called)
        with recording(True):
            parts = called._replace(flat=rules.concat([rules.real(called.flat), rules.imag(called.flat)]))
        rows = matrix(parts, 2 * called.flat.size)
        return blocks(rows[: called.flat.size] + 1j * rows[called.flat.size :], called.y, called)

    return Transform(jacobian, of, transformed)


def refuse_complex(called: Run, name: str) -> None:
    """A matrix of derivatives is one of real numbers; a function of complex ones has none unless it is analytic."""
    if any(x.dtype.kind == "c" for x in called.xs):
        raise TensorTypeError(
            f"{name}() is with respect to real numbers: write the function of the real and the imaginary part, f(a + 1j * b); "
            f"jvp() and vjp() take complex ones"
        )


def matrix(called: Run, outputs: int | None = None) -> Any:
    """The Jacobian with flat outputs as rows and flat inputs as columns."""
    inputs = sum(x.size for x in called.xs)
    outputs = sum(math.prod(np.shape(end)) for end in leaves(called.y)) if outputs is None else outputs
    if called.flat is None or not inputs or not outputs:
        return np.zeros((outputs, inputs))
    if inputs < outputs:
        product = transposed(called)
        return rules.stack([product(e) for e in np.eye(inputs, dtype=called.flat.dtype)], axis=1)
    return rules.stack(
        [one_row(products(called.flat, called.xs, e, called.nested)) for e in np.eye(outputs, dtype=called.flat.dtype)]
    )


def one_row(parts: Sequence[Any]) -> Any:
    """The gradients with respect to all inputs, as one axis."""
    return rules.concat([rules.reshape(g, -1) for g in parts])


def blocks(rows: Any, y: Any, called: Run) -> Any:
    """The parts of a matrix of derivatives in the form of y, and within that in the form of the arguments."""
    found, top = [], 0
    for end in leaves(y):
        shape, left, parts = np.shape(end), 0, []
        for x in called.xs:
            block = rows[top : top + math.prod(shape), left : left + x.size]
            block = rules.real(block) if block.dtype.kind == "c" and as_tensor(end).dtype.kind != "c" else block
            parts.append(rules.reshape(block, shape=shape + x.shape))
            left += x.size
        found.append(like(called.tree, iter(parts)))
        top += math.prod(shape)
    return like(y, iter(found))


# --- second order ---------------------------------------------------------------------------------------------------------


def hessian(f: Function, argnums: Argnums = 0, *, allow_constant: bool = False) -> Function:
    """The function x ↦ ∂²f/∂x², of shape x.shape + x.shape, for an f with one number as result; for trees, trees of trees.

    Row i is the gradient of the i-th entry of the gradient: n backward passes for n entries.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    of = Request("hessian", f, argnums, allow_constant)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        called, second = gradient_of(of, args, kwargs)
        refuse_complex(called, "hessian")
        return blocks(matrix(second), called.tree, called)

    return Transform(hessian, of, transformed)


def gradient_of(of: Request, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Run, Run]:
    """The function called with variables, and its gradient in place of its result."""
    called = run(of, args, kwargs)
    one_number(called, of.name)
    with recording(True):
        first = products(called.flat, called.xs, np.ones(1), nested=True)
        flat = one_row(first)
    tracked = isinstance(flat, Tensor) and flat.requires_grad
    return called, called._replace(y=like(called.tree, iter(first)), flat=flat if tracked else None)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, allow_constant: bool = False) -> tuple[Any, ...]:
    """The Hessian of f times a vector, ∂²f/∂x² v, without the Hessian: the gradient of ⟨∇f, v⟩.

    Parameters
    ----------
    f : function with one number as result
    primals, tangents : the arguments, and the vector v in the same form

    Returns
    -------
    A product for each of the primals, in its form.

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([  6., 120.]),)
    """
    check_tuples(primals, tangents, "hvp")
    called, second = gradient_of(Request("hvp", f, range(len(primals)), allow_constant), primals, {})
    found = products(second.flat, called.xs, flat_as(tuple(tangents), tuple(primals), "hvp"), called.nested)
    return like(called.tree, iter(found))  # type: ignore[no-any-return]  # a tuple, as called.tree is one
