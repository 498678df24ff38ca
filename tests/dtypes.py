"""The fuzz of dtypes: every function on its samples, with operands of every dtype, against NumPy and against itself in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from checking import function, weights
from samples import SAMPLES, Sample
from samples.makers import distinct, normal, positive

from tinygrad_mlp import Tensor, gradients
from tinygrad_mlp.dispatch import is_numpys
from tinygrad_mlp.primitive import BY_NUMPY, COMPOSED, COMPOSED_BY_NUMPY, TABLE

WHOLE = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")

NUMPYS: dict[str, Callable[..., Any]] = {}
"""NumPy's function of each name."""
for numpy_function, entry in (*BY_NUMPY.items(), *COMPOSED_BY_NUMPY.items()):
    if is_numpys(numpy_function):
        names = [name for name, f in (*TABLE.items(), *COMPOSED.items()) if f is entry]
        NUMPYS.setdefault(names[0], numpy_function)


QUANTILES = {"quantile", "percentile", "nanquantile", "nanpercentile"}
COMPUTED = {
    f"linalg.{name}"
    for name in ("cholesky", "eigh", "eigh_packed", "eigvalsh", "pinv", "eig", "eigvals", "eig_packed", "over_gap", "spectral")
}
"""Functions whose samples compute a symmetric matrix from the inputs, which wraps by itself in small numbers."""

MORE: dict[str, list[Sample]] = {  # operands that are constants in the samples, as inputs
    "ldexp": [Sample((normal(3), np.array([3.0, -4.0, 0.0]))), Sample((normal(2, 3), np.array(5.0)))],
    "quantile": [Sample((distinct(5), positive(3) / 2)), Sample((distinct(3, 4), positive(2) / 2), call=lambda x, q: (x, q, 1)), Sample((distinct(5), np.array(0.3)))],
    "percentile": [Sample((distinct(5), positive(3) * 50)), Sample((distinct(3, 4), positive(2) * 50), call=lambda x, q: (x, q, 1)), Sample((distinct(5), np.array(30.0)))],
    "nanquantile": [Sample((distinct(5), positive(3) / 2)), Sample((distinct(5), np.array(0.3)))],
    "interp": [Sample((np.array([0.1, 9.0, -3.0]), np.array([0.0, 1.0, 2.5]), normal(3), normal(), normal(seed=1)))],
    "where": [Sample((normal(3), normal(3, seed=1), normal(3, seed=2)))],
    "cov": [Sample((normal(2, 4), positive(4)), call=lambda x, a: (x, None, True, False, None, None, a)), Sample((normal(2, 4), normal(3, 4))), Sample((normal(2, 6), positive(6), positive(6, seed=1) * 3), call=lambda x, a, f: (x, None, True, True, 0, np.asarray(f.data if isinstance(f, Tensor) else f).astype(int), a))],
    "polyint": [Sample((normal(3), normal(2)), call=lambda p, k: (p, 2, k)), Sample((normal(300),))],
    "polyder": [Sample((normal(300),))],
    "polyval": [Sample((normal(3), normal(4)))],
    "ediff1d": [Sample((normal(3), normal(2), normal(1))), Sample((normal(4), normal()))],
    "trapezoid": [Sample((normal(4), positive()), call=lambda y, dx: (y, None, dx))],
    "insert": [Sample((normal(4), normal(2)), call=lambda x, v: (x, np.array([1, 3], np.uint8), v))],
    "take": [Sample((normal(300),), call=lambda x: (x, np.array([3, 200, 255], np.uint8))), Sample((normal(200),), {"mode": "wrap"}, lambda x: (x, np.array([-128, 127], np.int8))), Sample((normal(200),), {"mode": "clip"}, lambda x: (x, np.array([-128, 127], np.int8)))],
    "take_along_axis": [Sample((normal(300),), {"axis": 0}, lambda x: (x, np.array([3, 200, 255], np.uint8))), Sample((normal(300),), {"axis": 0}, lambda x: (x, np.array([-1, -128], np.int8)))],
    "choose": [Sample((normal(3), normal(3, seed=1)), call=lambda x, y: (np.array([True, False, True]), [x, y]))],
    "repeat": [Sample((normal(4),), call=lambda x: (x, np.array([200, 100, 0, 1], np.uint8)))],
    "bincount": [Sample((normal(4),), call=lambda w: (np.array([200, 100, 0, 200], np.uint8), w))],
    "delete": [Sample((normal(300),), call=lambda x: (x, np.array([200, 255], np.uint8)))],
    "array_split": [Sample((normal(300),), call=lambda x: (x, np.array([100, 200], np.uint8))), Sample((normal(300),), call=lambda x: (x, np.uint8(7)))],
    "average": [Sample((normal(300), positive(300)), call=lambda x, w: (x, None, w))],
    "convolve": [Sample((normal(40), normal(30, seed=1)))],
    "correlate": [Sample((normal(40), normal(30, seed=1)))],
    "vander": [Sample((normal(3),), {"N": 9})],
    "cross_entropy": [Sample((normal(3, 300),), call=lambda x: (x, np.array([255, 0, 200], np.uint8)))],
    "roll": [Sample((normal(300),), {"shift": 200}), Sample((normal(300, 3),), {"shift": (-128, 100), "axis": (0, 1)})],
    "resize": [Sample((normal(3),), {"new_shape": (100, 4)})],
    "nanmean": [Sample((normal(300),))], "nanvar": [Sample((normal(300),))], "nanstd": [Sample((normal(300),))], "ptp": [Sample((normal(300),))],
    "softmax": [Sample((normal(300),))], "logsumexp": [Sample((normal(300),))], "linalg.vector_norm": [Sample((normal(300),))],
}  # fmt: skip


class Fault(NamedTuple):
    """A difference: the function, what was asked, with which dtypes, and what came out."""

    name: str
    check: str
    dtypes: tuple[str, ...]
    text: str


def whole(a: np.ndarray, dtype: str, size: str, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers in the shape of a: close to a, or from the ends of the dtype."""
    if dtype == "bool":
        return np.ones(a.shape, bool) if size == "large" and rng.random() < 0.5 else rng.random(a.shape) < 0.5
    if size == "tame":
        b = np.rint(np.where(np.isfinite(a), a, 1) * 3)
        return (np.abs(b) if dtype[0] == "u" else b).astype(dtype)
    top = int(min(np.iinfo(dtype).max, 2**31))
    low = max(np.iinfo(dtype).min, -(2**31))
    choices = np.array([top, top - 1, top // 2 + 1, top // 2 + top // 4, 100, 1, 2, low, low + 1, low // 2 - 3], dtype=np.int64)
    return rng.choice(np.maximum(choices, low), a.shape).astype(dtype)


def made(a: np.ndarray, dtype: str, size: str, rng: np.random.Generator) -> np.ndarray:
    """Numbers of a dtype in place of a sample's: what increases still does."""
    if dtype in WHOLE:
        b = whole(np.real(a), dtype, size, rng)
    elif dtype in FLOATS:
        b = (np.real(a) * (20 if size == "large" and dtype == "float16" else 1)).astype(dtype)
    else:
        b = a.astype(dtype)
    if a.ndim == 1 and a.size > 1 and not np.iscomplexobj(a) and np.all(np.diff(a) > 0):
        b = np.sort(b)
    return np.asarray(b)


def arguments(name: str, sample: Sample, xs: list[Any]) -> tuple[Any, ...]:
    found = sample.call(*xs)
    return (found,) if name in TABLE and TABLE[name].variadic else found


def listed(result: Any) -> list[Any]:
    """The results of a call, of each one its array."""
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [p.data if isinstance(p, Tensor) else np.asarray(p) for p in parts]


def precision(*dtypes: Any) -> float:
    """The distance that rounding can make, in the coarsest of the dtypes."""
    floating = [np.finfo(d).eps for d in map(np.dtype, dtypes) if d.kind in "fc"]
    return float(max(floating, default=2.3e-16))


def close(found: np.ndarray, right: np.ndarray, eps: float, least: float = 1e-2) -> bool:
    """Equal within rounding of numbers of size ``least`` or larger; what is more than found's dtype can hold may be anything."""
    if found.shape != right.shape:
        return False
    if found.dtype.kind in "biu":
        return bool(np.array_equal(found, right))
    wide = np.complex128 if found.dtype.kind == "c" or right.dtype.kind == "c" else np.float64
    a, b = found.astype(wide), right.astype(wide)
    known = np.isfinite(b) & (np.abs(b) < float(np.finfo(found.dtype).max) / 2)
    scale = float(np.max(np.abs(b[known]), initial=least))
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(a[known] - b[known]) <= 256 * eps * scale))  # NaN is not


def size_of(name: str, arrays: list[np.ndarray]) -> float:
    """Down to which size rounding counts as equal: where large numbers cancel, that of the inputs."""
    cancels = name == "unwrap" or name.startswith("linalg.")
    return (
        max([1e-2, *[float(np.max(np.abs(a.astype(complex)), initial=0, where=np.isfinite(a))) for a in arrays]])
        if cancels
        else 1e-2
    )


def attempt(f: Callable[[], Any]) -> Any:
    """What f returns or raises."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # NumPy's, for what it should have refused
            return f()
    except Exception as error:
        return error


def drawn(name: str, seed: int, k: int) -> tuple[Sample, np.random.Generator]:
    """The k-th draw for a function: a sample, and what decides all else."""
    rng = np.random.default_rng([seed, crc32(name.encode()), k])
    more = MORE.get(name, [])
    samples = more if more and rng.random() < 0.3 else SAMPLES[name]
    return samples[int(rng.integers(len(samples)))], rng


def typed(
    sample: Sample, rng: np.random.Generator, names: tuple[str, ...], keep: int = -1, tame: bool = False
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """The sample's inputs with some (all but ``keep``) in other dtypes: one for all, or each its own."""
    size = "tame" if tame else str(rng.choice(["tame", "large"]))
    one = str(rng.choice(names))
    together, every = rng.random() < 0.5, rng.random() < 0.5
    arrays, dtypes = [], []
    others = [i for i in range(len(sample.inputs)) if i != keep]
    must = int(rng.choice(others)) if others else -1
    for i, a in enumerate(sample.inputs):
        a = np.asarray(a)
        if i == keep or not (every or i == must or rng.random() < 0.5):
            arrays.append(a)
        else:
            arrays.append(made(a, one if together else str(rng.choice(names)), size, rng))
        dtypes.append(str(arrays[-1].dtype))
    return arrays, (*dtypes, size)


def in_double(arrays: list[np.ndarray], whole_as: Any = np.float64) -> list[np.ndarray]:
    """The same numbers with room for all that is computed from them."""
    kinds = {"c": np.complex128, "f": np.float64}
    return [a.astype(kinds.get(a.dtype.kind, whole_as)) for a in arrays]


def value_faults(name: str, seed: int, k: int) -> Iterator[Fault]:
    """What a call with Tensors, or one with arrays or numbers, gives that NumPy does not; functions that NumPy lacks in float64.

    Results that are whole numbers are NumPy's, which wrap. One that is no whole number is that of the same numbers in float64:
    NumPy's own wraps or overflows on the way here and there.
    """
    sample, rng = drawn(name, seed, k)
    arrays, dtypes = typed(sample, rng, (*WHOLE, *FLOATS, *COMPLEX) if name in NUMPYS else (*WHOLE, *FLOATS))
    form = str(rng.choice(["tensors", "arrays", "numbers"] if name in NUMPYS else ["tensors", "arrays"]))
    made_of: dict[str, Callable[[Any], Any]] = {
        "tensors": Tensor, "arrays": np.asarray, "numbers": lambda a: (a[()] if rng.random() < 0.5 else a.item()) if a.ndim == 0 else Tensor(a),
    }  # fmt: skip
    xs = [made_of[form](a) for a in arrays]
    plain = [x.data if isinstance(x, Tensor) else x for x in xs]
    if name in NUMPYS:
        params = {sample.numpy_names.get(p, p): v for p, v in sample.params.items()}
        wanted = attempt(lambda: NUMPYS[name](*arguments(name, sample, plain), **params))
        double = attempt(lambda: NUMPYS[name](*arguments(name, sample, in_double(arrays)), **params))
    else:
        wanted = attempt(lambda: function(name)(*arguments(name, sample, in_double(arrays, np.int64)), **sample.params))
        double = attempt(lambda: function(name)(*arguments(name, sample, in_double(arrays)), **sample.params))
    if isinstance(wanted, Exception) or name in COMPUTED or (name == "setitem" and dtypes[0] == "bool"):
        return
    found = attempt(lambda: function(name)(*arguments(name, sample, xs), **sample.params))
    title = f"{form} {dtypes} {sample.params} {[a.tolist() for a in arrays]!s:.200}"
    if isinstance(found, Exception):
        if "float16 is unsupported in linalg" not in str(found) and not any(a.dtype.kind == "c" for a in arrays):
            yield Fault(name, "raises", dtypes, f"{title}: {type(found).__name__}: {found!s:.150}")
        return
    rights = listed(wanted if isinstance(double, Exception) else double)
    for a, n, right in zip(listed(found), listed(wanted), rights, strict=True):
        weak = any(type(x) in (bool, int, float, complex) for x in xs) and not isinstance(NUMPYS.get(name), np.ufunc)
        if name in NUMPYS and a.dtype != n.dtype and not weak and not stays_small(name, a.dtype, n.dtype, arrays):
            yield Fault(name, "dtype", dtypes, f"{title}: {a.dtype} for {n.dtype}")
            continue
        eps = precision(a.dtype, *[x.dtype for x in arrays])
        right = n.astype(a.dtype) if a.dtype.kind in "biu" else right
        if name == "partition":
            a, right = np.sort(a, axis=None), np.sort(right, axis=None)
        halves = "float16" in dtypes and a.dtype == np.float16 and close(a, n, eps)  # where NumPy overflows we may
        if not close(a, right, eps, size_of(name, arrays)) and not halves:
            yield Fault(name, "value", dtypes, f"{title}: {a.tolist()!s:.150} for {right.tolist()!s:.150}")


def stays_small(name: str, ours: Any, numpys: Any, arrays: list[np.ndarray]) -> bool:
    """float16 and float32 stay what they are in some functions that give float64 in NumPy, whatever they get."""
    if name == "linalg.lstsq" or (name in QUANTILES and ours == np.float64):
        return True  # the rank is an int; whole numbers as q
    floats = [a.dtype for a in arrays if a.dtype.kind in "fc"]
    return bool(floats) and ours in (np.result_type(*floats), floats[0]) and ours.itemsize < numpys.itemsize


def pulled(
    name: str, sample: Sample, arrays: list[np.ndarray], j: int, which: list[int] | None = None
) -> tuple[Any, list[int], Any]:
    """The values; which of them depend on input j (or those given); the gradient of a weighted sum of these."""
    x = Tensor(arrays[j], requires_grad=True)
    result = function(name)(*arguments(name, sample, [x if i == j else a for i, a in enumerate(arrays)]), **sample.params)
    parts = list(result) if isinstance(result, (tuple, list)) else [result]
    which = [i for i, z in enumerate(parts) if isinstance(z, Tensor) and z.requires_grad] if which is None else which
    total = sum(
        (z * weights(z.shape, i, z.dtype).astype(z.dtype)).sum().astype(np.complex128) for i, z in enumerate(parts) if i in which
    )
    return [parts[i] for i in which], which, gradients(total.real, x) if which else None


def gradient_faults(name: str, seed: int, k: int) -> Iterator[Fault]:
    """Where constants are small: value and gradient are those of the same constants in float64."""
    sample, rng = drawn(name, seed, k)
    if name in ("astype", "partition") or name in COMPUTED:  # what is asked is a dtype; an order that NumPy leaves open
        return
    n = len(sample.inputs)
    j = int(rng.integers(n))
    own = str(rng.choice(["float64", "float64", "float32", "float16"])) if n > 1 else str(rng.choice(["float32", "float16"]))
    arrays, dtypes = typed(sample, rng, (*WHOLE, *FLOATS), keep=j, tame=name.startswith("linalg."))
    if not np.iscomplexobj(arrays[j]):
        arrays[j] = arrays[j].astype(own)
        dtypes = (*dtypes[:j], f"*{own}", *dtypes[j + 1 :])
    found = attempt(lambda: pulled(name, sample, arrays, j))
    which = None if isinstance(found, Exception) else found[1]
    wanted = attempt(lambda: pulled(name, sample, in_double(arrays), j, which))
    if isinstance(wanted, Exception):
        wanted = attempt(lambda: pulled(name, sample, in_double(arrays, np.int64), j, which))
    if isinstance(wanted, Exception) or not all(np.all(np.isfinite(z.data)) for z in wanted[0]):
        return
    title = f"{dtypes} {sample.params} {[a.tolist() for a in arrays]!s:.200}"
    if isinstance(found, Exception):
        if "float16 is unsupported in linalg" not in str(found):
            yield Fault(name, "gradient raises", dtypes, f"{title}: {type(found).__name__}: {found!s:.150}")
        return
    eps = precision(*[a.dtype for a in arrays])
    if eps > 1e-4 and max((float(np.max(np.abs(z.data), initial=0)) for z in wanted[0]), default=0) > 1e4:
        return  # more than float16 can hold
    for a, b in zip(found[0], wanted[0], strict=True):
        if not close(a.data, b.data, eps, size_of(name, arrays)):
            yield Fault(name, "value of a mixture", dtypes, f"{title}: {a.data.tolist()!s:.150} for {b.data.tolist()!s:.150}")
            return
    if found[2] is not None and not close(found[2], wanted[2], eps, size_of(name, arrays)):
        yield Fault(name, "gradient", dtypes, f"{title}: {found[2].tolist()!s:.150} for {wanted[2].tolist()!s:.150}")


def parameter_faults(name: str, seed: int, k: int) -> Iterator[Fault]:
    """Whole numbers among the parameters as NumPy's small ones: nothing changes."""
    sample, rng = drawn(name, seed, k)
    dtype = np.dtype(str(rng.choice(["int8", "uint8"])))

    def small(v: Any) -> Any:
        if isinstance(v, bool) or not isinstance(v, (int, tuple, list)):
            return v
        if not isinstance(v, int):
            return type(v)(small(u) for u in v)
        return dtype.type(v) if np.iinfo(dtype).min <= v <= np.iinfo(dtype).max else v

    params = {p: small(v) for p, v in sample.params.items()}
    arrays = [np.asarray(a) for a in sample.inputs]
    wanted = attempt(lambda: pulled(name, sample, arrays, 0))
    if isinstance(wanted, Exception):
        return
    variadic = name in TABLE and TABLE[name].variadic
    given = sample._replace(params=params, call=sample.call if variadic else lambda *xs: tuple(small(a) for a in sample.call(*xs)))
    found = attempt(lambda: pulled(name, given, arrays, 0, wanted[1]))
    title = f"{dtype} {params} {[a.shape for a in arrays]}"
    if isinstance(found, Exception):
        yield Fault(name, "parameter raises", (str(dtype),), f"{title}: {type(found).__name__}: {found!s:.150}")
        return
    pairs = [*((a.data, b.data) for a, b in zip(found[0], wanted[0], strict=True)), *([(found[2], wanted[2])] if wanted[1] else [])]
    for a, b in pairs:
        if a.dtype != b.dtype or not close(a, b, 1e-15):
            yield Fault(
                name, "parameter", (str(dtype),), f"{title}: {a.dtype} {a.tolist()!s:.150} for {b.dtype} {b.tolist()!s:.150}"
            )
            return


def faults(name: str, seed: int, draws: int) -> list[Fault]:
    """All that is wrong in so many draws."""
    return [
        fault for k in range(draws) for find in (value_faults, gradient_faults, parameter_faults) for fault in find(name, seed, k)
    ]
