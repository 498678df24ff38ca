"""Data: real digits, MNIST's IDX files, CIFAR-10's binary batches; splitting, standardising, mini-batches.

Files from outside are read with suspicion: nothing is unpickled, no more is read than the header promises and a limit
allows, and what does not fit is refused with one sentence (:class:`~tinygrad_mlp.errors.DataError`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, require

__all__ = ["Dataset", "batches", "load_cifar10", "load_digits", "load_idx", "load_mnist", "split", "standardise"]

Array: TypeAlias = NDArray[Any]
PathLike: TypeAlias = str | os.PathLike[str]

LIMIT = 2**31  # bytes: the largest array that a file may make us allocate (all of MNIST is 47 MB, all of CIFAR-10 184 MB)


class Dataset(NamedTuple):
    """Images and labels: X ``(m, …)`` as the file holds them, y ``(m,)`` integers; the name of each class.

    ``X_test`` and ``y_test`` are ``None`` where the source has no test set of its own.
    """

    X: Array
    y: Array
    classes: tuple[str, ...]
    X_test: Array | None = None
    y_test: Array | None = None


# --- sources ----------------------------------------------------------------------------------------------------------


def load_digits() -> Dataset:
    """The 1,797 handwritten digits that scikit-learn carries: X (1797, 64), 8 × 8 grey values from 0 to 16.

    Raises
    ------
    MissingExtraError
        Without scikit-learn (extra ``demos``).
    """
    X, y = require("sklearn.datasets", "demos", "the digits data set").load_digits(return_X_y=True)
    return Dataset(X, y, tuple("0123456789"))


IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def load_idx(path: PathLike) -> Array:
    """An array from an IDX file (MNIST's format), gzipped or not.

    The format: two zero bytes, a byte for the type of the entries, a byte for the number of axes, the length of each axis
    (4 bytes each, big-endian), the entries.

    Raises
    ------
    DataError
        If the file is missing, is no IDX file, is shorter or longer than its header says, or larger than 2 GiB.
    """
    path = Path(path)
    with opened(path) as stream:
        head = take(stream, 4, path)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
            raise DataError(f"{path} is no IDX file: it starts with {head.hex(' ') or 'nothing'}")
        dtype = np.dtype(IDX_TYPES[head[2]])
        if head[3] > 8:
            raise DataError(f"{path} is no IDX file that can be used: it claims {head[3]} axes, over the limit of 8")
        axes = take(stream, 4 * head[3], path)
        if len(axes) < 4 * head[3]:
            raise DataError(f"{path} is truncated: its header ends after {4 + len(axes)} bytes")
        shape = tuple(int(n) for n in np.frombuffer(axes, ">u4"))
        size = math.prod(shape) * dtype.itemsize
        if math.prod(max(n, 1) for n in shape) * dtype.itemsize > LIMIT:
            raise DataError(f"{path} claims {size:,} bytes of data, over the limit of {LIMIT:,}")
        body = take(stream, size + 1, path)
    if len(body) != size:
        told = "more" if len(body) > size else f"{len(body):,}"
        raise DataError(f"{path} is {'foreign' if len(body) > size else 'truncated'}: {shape} needs {size:,} bytes, it has {told}")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def load_mnist(directory: PathLike) -> Dataset:
    """MNIST from its IDX files, gzipped or not: X (m, 28, 28) bytes.

    With ``train-images…`` and ``t10k-images…`` the first is the training set and the second the test set; with one pair
    only, that pair is the data, and there is no test set.
    """
    pairs = {
        part: mnist_pair(folder(directory, "train-images-idx3-ubyte and t10k-images-idx3-ubyte"), part)
        for part in ("train", "t10k")
    }
    train, test = pairs["train"], pairs["t10k"]
    classes = tuple("0123456789")
    if train is not None and test is not None and train[0].shape[1:] != test[0].shape[1:]:
        raise DataError(
            f"{directory}: training images of {train[0].shape[1:]} pixels and test images of {test[0].shape[1:]} do not go together"
        )
    if train is None and test is None:
        raise DataError(
            f"no MNIST in {directory}: expected train-images-idx3-ubyte or t10k-images-idx3-ubyte (.gz or not); see --data-dir"
        )
    if train is None or test is None:
        X, y = train or test  # type: ignore[misc]  # not both are missing
        return Dataset(X, y, classes)
    return Dataset(*train, classes, *test)


def mnist_pair(directory: Path, part: str) -> tuple[Array, Array] | None:
    """The images and labels of a part, ``None`` if neither file is there."""
    found = [find(directory, f"{part}-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    if found == [None, None]:
        return None
    for path, kind in zip(found, ("images", "labels"), strict=True):
        if path is None:
            raise DataError(f"{directory} has only half of MNIST's {part} files: {part}-{kind} is missing")
    X, y = load_idx(found[0] or ""), load_idx(found[1] or "")
    if X.ndim != 3 or X.dtype != np.uint8:
        raise DataError(f"{found[0]} holds {X.dtype} of shape {X.shape}, not images (m, height, width) of bytes")
    check_labelled(X, y, 10, found[1])
    return X, y.astype(np.int64)


def find(directory: Path, stem: str) -> Path | None:
    """The file of that name, gzipped or not, also with MNIST's other spelling (a dot before ``idx``)."""
    for name in (stem, stem.replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            if (directory / (name + suffix)).is_file():
                return directory / (name + suffix)
    return None


def check_labelled(X: Array, y: Array, classes: int, path: object) -> None:
    """As many labels as images, all in range."""
    if y.dtype.kind not in "iu":
        raise DataError(f"{path} holds labels of dtype {y.dtype}: they must be integers")
    if y.ndim != 1 or len(X) != len(y):
        raise DataError(f"{path} holds labels of shape {y.shape} for {len(X):,} images")
    if len(y) == 0:
        raise DataError(f"{path} holds no samples")
    if y.min() < 0 or y.max() >= classes:
        raise DataError(f"{path} holds the label {y.max() if y.max() >= classes else y.min()}: labels run from 0 to {classes - 1}")


CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_RECORD = 1 + 3 * 32 * 32


def load_cifar10(directory: PathLike) -> Dataset:
    """CIFAR-10 from its binary batches: X (m, 3, 32, 32) bytes, red, green and blue planes.

    ``directory`` holds ``data_batch_1.bin`` …, ``test_batch.bin``, or a folder ``cifar-10-batches-bin`` with them. Flattening a
    sample gives 3,072 numbers: all of red row by row, then green, then blue.
    """
    directory = folder(directory, "data_batch_1.bin … and test_batch.bin")
    if (directory / "cifar-10-batches-bin").is_dir():
        directory = directory / "cifar-10-batches-bin"
    paths = sorted(directory.glob("data_batch_*.bin"))
    if not paths:
        raise DataError(
            f"no CIFAR-10 in {directory}: expected data_batch_1.bin … data_batch_5.bin and test_batch.bin; see --data-dir"
        )
    parts = [cifar10_batch(path) for path in paths]
    X, y = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    test = directory / "test_batch.bin"
    return Dataset(X, y, CIFAR10_CLASSES, *(cifar10_batch(test) if test.exists() else ()))


def cifar10_batch(path: Path) -> tuple[Array, Array]:
    """One binary batch: records of a label byte and 3,072 pixel bytes."""
    with opened(path) as stream:
        body = take(stream, LIMIT // 8, path)
    if not body or len(body) % CIFAR10_RECORD:
        raise DataError(
            f"{path} has {len(body):,} bytes, no whole number of records of {CIFAR10_RECORD:,}: truncated, or not CIFAR-10"
        )
    records = np.frombuffer(body, np.uint8).reshape(-1, CIFAR10_RECORD)
    X, y = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)
    check_labelled(X, y, 10, path)
    return X, y


def folder(directory: PathLike, files: str) -> Path:
    """The folder that should hold files, refused in one sentence if it is not there or cannot be looked into."""
    path = Path(directory)
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except OSError as error:
        raise DataError(f"cannot look into the folder {path} for {files}: {error.strerror or error}; see --data-dir") from error
    return path


def opened(path: Path) -> Any:
    """The file, unzipped on the way if it starts like a gzip file."""
    import gzip

    try:
        with path.open("rb") as probe:
            zipped = probe.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if zipped else path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def take(stream: Any, n: int, path: Path) -> bytes:
    """Up to n bytes of a stream, in pieces: memory grows with what is there, not with what a header claims."""
    import zlib

    pieces: list[bytes] = []
    try:
        while n > 0 and (piece := stream.read(min(n, 1 << 20))):
            pieces.append(piece)
            n -= len(piece)
        return b"".join(pieces)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from error


SOURCES: dict[str, Callable[[PathLike], Dataset]] = {
    "digits": lambda directory: load_digits(),
    "mnist": load_mnist,
    "cifar10": load_cifar10,
}

# --- preparation ------------------------------------------------------------------------------------------------------


def split(X: Array, y: Array, fraction: float, rng: np.random.Generator | int) -> tuple[Array, Array, Array, Array]:
    """A random split: X_train, y_train, X_test, y_test, with ``round(fraction · m)`` samples in the test part.

    Raises
    ------
    DataError
        If the fraction is not in (0, 1), or would leave one part empty.

    Examples
    --------
    >>> parts = split(np.arange(10.0), np.arange(10), 0.2, rng=0)
    >>> [len(part) for part in parts]
    [8, 8, 2, 2]
    """
    if len(X) != len(y):
        raise DataError(f"{len(X)} samples and {len(y)} labels do not match")
    held = round(fraction * len(X)) if 0 < fraction < 1 else 0
    if not 0 < held < len(X):
        raise DataError(f"cannot hold out a fraction of {fraction} of {len(X)} samples: both parts need at least one")
    order = np.random.default_rng(rng).permutation(len(X))
    train, test = order[held:], order[:held]
    return X[train], y[train], X[test], y[test]


def standardise(X: Array, *others: Array, dtype: Any = np.float32, common_scale: bool = False) -> tuple[Array, ...]:
    """X and others as rows of numbers, each column shifted and scaled to mean 0 and variance 1 **of X**.

    A column that is constant in X is only shifted. With ``common_scale`` all columns are divided by one number, the root of
    their mean variance: right for pixels, where a column that hardly varies is noise that should not be blown up.
    Statistics in float64, the result in ``dtype``, shape (m, n).

    >>> X, T = standardise(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[4.0, 5.0]]))
    >>> X.tolist(), T.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0]])
    """
    flat = [a.reshape(len(a), -1) for a in (X, *others)]
    if len({a.shape[1] for a in flat}) > 1:
        raise DataError(f"samples of {' and '.join(str(a.shape[1]) for a in flat)} numbers cannot be standardised together")
    mean, std = flat[0].mean(axis=0, dtype=np.float64), flat[0].std(axis=0, dtype=np.float64)
    if common_scale:
        std = np.full_like(std, np.sqrt(np.mean(np.square(std))))
        constant = np.full(len(std), bool((flat[0].max(axis=0) == flat[0].min(axis=0)).all()))
    else:
        constant = flat[0].max(axis=0) == flat[0].min(axis=0)  # the computed std of a constant column need not be exactly 0
    scale = np.where(constant, 1, std)
    results = []
    for a in flat:
        out = np.empty(a.shape, dtype)
        for start in range(0, len(a), 1024):  # in float64, but never a large copy in float64
            out[start : start + 1024] = (a[start : start + 1024] - mean) / scale
        results.append(out)
    return tuple(results)


def batches(
    X: Array, y: Array, batch_size: int, rng: np.random.Generator | None = None, *, drop_last: bool = False
) -> Iterator[tuple[Array, Array]]:
    """Mini-batches of one epoch, shuffled with ``rng`` (in order without one); the last, smaller batch is kept.

    Raises
    ------
    DataError
        If batch_size is below 1, or X and y differ in length.

    Examples
    --------
    >>> [len(labels) for _, labels in batches(np.zeros((10, 2)), np.zeros(10), 4)]
    [4, 4, 2]
    """
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise DataError(f"a batch is a whole number of samples, at least one (got batch_size={batch_size!r})")
    if len(X) != len(y):
        raise DataError(f"{len(X)} samples and {len(y)} labels do not match")
    order = np.arange(len(X)) if rng is None else rng.permutation(len(X))
    kept = len(X) - len(X) % batch_size if drop_last else len(X)
    return ((X[rows], y[rows]) for rows in (order[start : start + batch_size] for start in range(0, kept, batch_size)))
