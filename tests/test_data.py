"""Reading files that others have written, and preparing what they hold."""

import gzip
import math
import struct
import time
import tracemalloc

import numpy as np
import pytest

from tinygrad_mlp import data
from tinygrad_mlp.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def header(code, shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def idx(array):
    """The bytes of an IDX file."""
    kind = array.dtype.str[1:]
    return header(CODES[kind], array.shape) + np.asarray(array, f">{kind}").tobytes()


def refused(path, message, read=data.load_idx):
    """The file is refused by name, in one line."""
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def peak_of(call):
    """The largest number of bytes that were allocated at once during a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- IDX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", CODES)
def test_idx_files_of_every_type_are_read(tmp_path, kind, zipped, shape):
    array = np.random.default_rng(0).uniform(0, 100, shape).astype(kind)
    array = -array if kind[0] in "if" else array
    path = tmp_path / "some.file"  # gzip is seen in the content, not in the name
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    read = data.load_idx(str(path))
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert np.array_equal(read, array)
    assert read.shape == shape


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
WHOLE = idx(IMAGES)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file: it starts with nothing"),
        (WHOLE[:3], "no IDX file: it starts with 00 00 08"),
        (WHOLE[:4], "truncated: its header ends after 4 bytes"),
        (WHOLE[:15], "truncated: its header ends after 15 bytes"),
        (WHOLE[:16], "truncated: .* needs 24 bytes, it has 0"),
        (WHOLE[:-1], "truncated: .* needs 24 bytes, it has 23"),
        (WHOLE + b"\0", "foreign: .* needs 24 bytes, it has more"),
        (b"\x01" + WHOLE[1:], "no IDX file: it starts with 01 00 08 03"),
        (b"\0\0\x0a" + WHOLE[3:], "no IDX file"),
        (b"\x89PNG\r\n\x1a\n", "no IDX file: it starts with 89 50 4e 47"),
        (header(8, [1] * 65) + b"x", "."),  # more axes than NumPy has
        (header(8, [0, 2**32 - 1, 2**32 - 1, 2**32 - 1]), "."),  # no bytes, and still too large for NumPy
    ],
)
def test_broken_idx_files_are_refused(tmp_path, content, message, zipped):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if zipped else content)
    refused(path, message)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "none", "cannot read .*No such file")
    refused(tmp_path, "cannot read .*directory")


@pytest.mark.parametrize("shape", [[2**20, 2**20], [2**31 + 1], [2**32 - 1] * 100])
def test_a_header_that_claims_too_much_is_refused_at_once(tmp_path, shape):
    path = tmp_path / "images"
    path.write_bytes(header(8, shape) + bytes(10))
    start = time.perf_counter()
    assert peak_of(lambda: refused(path, "over the limit")) < 1e6
    assert time.perf_counter() - start < 5


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(header(8, [10]) + bytes(2**26), compresslevel=1))
    assert path.stat().st_size < 2**20
    assert peak_of(lambda: refused(path, r"foreign: \(10,\) needs 10 bytes, it has more")) < 2e6


@pytest.mark.parametrize(
    "damage",
    [
        lambda z: z[:-10],  # truncated
        lambda z: z[:12],
        lambda z: z[:-5] + bytes([z[-5] ^ 1]) + z[-4:],  # wrong checksum
        lambda z: z[:10] + b"\xff" + z[11:],  # a kind of block that there is not
        lambda z: z + b"garbage",
    ],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    path = tmp_path / "images.gz"
    path.write_bytes(damage(gzip.compress(idx(np.random.default_rng(0).integers(0, 255, 500).astype(np.uint8)), mtime=0)))
    refused(path, "cannot read")


# --- MNIST ------------------------------------------------------------------------------------------------------------


def mnist_files(folder, m=20, part="train", labels=None, images=None, suffix="", name="-idx"):
    rng = np.random.default_rng(m)
    X = rng.integers(0, 256, (m, 4, 5)).astype(np.uint8) if images is None else images
    y = (np.arange(m) % 10).astype(np.uint8) if labels is None else labels
    pack = gzip.compress if suffix else bytes
    (folder / f"{part}-images{name}3-ubyte{suffix}").write_bytes(pack(idx(X)))
    (folder / f"{part}-labels{name}1-ubyte{suffix}").write_bytes(pack(idx(y)))
    return X, y


@pytest.mark.parametrize("name", ["-idx", ".idx"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_reads_the_training_and_the_test_files(tmp_path, suffix, name):
    X, y = mnist_files(tmp_path, 20, "train", suffix=suffix, name=name)
    X_test, y_test = mnist_files(tmp_path, 10, "t10k", suffix=suffix, name=name)
    found = data.load_mnist(tmp_path)
    assert np.array_equal(found.X, X)
    assert np.array_equal(found.y, y)
    assert np.array_equal(found.X_test, X_test)
    assert np.array_equal(found.y_test, y_test)
    assert found.X.dtype == np.uint8
    assert found.y.dtype == np.int64
    assert found.classes == tuple("0123456789")


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_one_pair_of_mnist_is_the_data(tmp_path, part):
    X, _ = mnist_files(tmp_path, part=part)
    found = data.load_mnist(str(tmp_path))
    assert np.array_equal(found.X, X)
    assert found.X_test is found.y_test is None


@pytest.mark.parametrize(("removed", "missing"), [("train-labels-idx1-ubyte", "labels"), ("train-images-idx3-ubyte", "images")])
def test_half_a_pair_is_refused(tmp_path, removed, missing):
    mnist_files(tmp_path)
    mnist_files(tmp_path, part="t10k")
    (tmp_path / removed).unlink()
    refused(tmp_path, f"only half of MNIST's train files: train-{missing}", data.load_mnist)


@pytest.mark.parametrize("folder", ["", "none", "file"])
def test_a_folder_without_mnist_is_refused(tmp_path, folder):
    (tmp_path / "file").touch()
    refused(
        tmp_path / folder,
        "cannot look into the folder .*--data-dir" if folder else "no MNIST in .*t10k-images-idx3-ubyte",
        data.load_mnist,
    )


TEN = (np.arange(20) % 10).astype(np.uint8)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"labels": TEN[:19]}, r"labels of shape \(19,\) for 20 images"),
        ({"labels": TEN.reshape(20, 1)}, r"labels of shape \(20, 1\)"),
        ({"labels": np.array(3, np.uint8)}, r"labels of shape \(\)"),
        ({"labels": np.where(TEN == 9, 10, TEN).astype(np.uint8)}, "holds the label 10: labels run from 0 to 9"),
        ({"labels": -TEN.astype(np.int8)}, "holds the label -9"),
        ({"labels": TEN + np.float32(0.5)}, "."),
        ({"labels": np.full(20, np.nan, np.float32)}, "."),
        ({"images": np.zeros((20, 4), np.uint8)}, r"not images \(m, height, width\)"),
        ({"images": np.zeros((20, 4, 5), np.float32)}, "holds float32"),
        ({"images": np.zeros((0, 4, 5), np.uint8), "labels": TEN[:0]}, "no samples"),
    ],
)
def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path, files, message):
    mnist_files(tmp_path, **files)
    with pytest.raises(DataError, match=message):
        data.load_mnist(tmp_path)


def test_training_and_test_images_of_different_sizes_are_refused(tmp_path):
    mnist_files(tmp_path)
    mnist_files(tmp_path, part="t10k", images=np.zeros((20, 6, 6), np.uint8))
    with pytest.raises(DataError):  # by either
        found = data.load_mnist(tmp_path)
        data.standardise(found.X, found.X_test)


def test_the_real_mnist_test_files(real_mnist):
    found = data.load_mnist(real_mnist)
    assert found.X.shape == (10_000, 28, 28)
    assert found.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(found.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (found.X.min(), found.X.max()) == (0, 255)


# --- CIFAR-10 ---------------------------------------------------------------------------------------------------------


def cifar10_records(labels):
    """Records of a label, then a red, a green and a blue plane; pixel r, c of plane p is unlike its neighbours'."""
    planes = np.add.outer(np.arange(3) * 80, np.add.outer(np.arange(32), np.arange(32))).astype(np.uint8)
    return b"".join(bytes([label]) + (planes + np.uint8(label)).tobytes() for label in labels)


def cifar10_files(folder, parts=("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin")):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(parts):
        (folder / name).write_bytes(cifar10_records(np.arange(i, 10)))
    return folder


@pytest.mark.parametrize("nested", ["", "cifar-10-batches-bin"])
def test_cifar10_reads_its_batches_in_order(tmp_path, nested):
    cifar10_files(tmp_path / nested)
    found = data.load_cifar10(tmp_path)
    assert found.X.shape == (19, 3, 32, 32)
    assert found.X_test.shape == (8, 3, 32, 32)
    assert found.y.tolist() == [*range(10), *range(1, 10)]
    assert found.y_test.tolist() == list(range(2, 10))
    assert (found.X.dtype, found.y.dtype) == (np.uint8, np.int64)
    assert found.X[4, 2, 30, 7] == 2 * 80 + 30 + 7 + 4
    assert found.X[4].reshape(-1)[1024 * 1 + 32 * 5 + 9] == 80 + 5 + 9 + 4  # green, row 5, column 9
    assert (len(found.classes), found.classes[0], found.classes[9]) == (10, "airplane", "truck")


def test_cifar10_without_test_batch_has_no_test_set(tmp_path):
    found = data.load_cifar10(cifar10_files(tmp_path, ["data_batch_1.bin"]))
    assert found.X_test is found.y_test is None


@pytest.mark.parametrize("name", ["data_batch_2.bin", "test_batch.bin"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes"),
        (cifar10_records([1, 2])[:-1], "has 6,145 bytes, no whole number of records of 3,073"),
        (cifar10_records([1]) + b"\0", "has 3,074 bytes"),
        (cifar10_records([1, 10]), "holds the label 10: labels run from 0 to 9"),
        (cifar10_records([255]), "holds the label 255"),
        (gzip.compress(cifar10_records([1]))[:-9], "cannot read"),
    ],
)
def test_broken_batches_are_refused(tmp_path, name, content, message):
    (cifar10_files(tmp_path) / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} {message}|{message} .*{name}"):
        data.load_cifar10(tmp_path)


@pytest.mark.parametrize("folder", ["", "none", "file"])
def test_a_folder_without_cifar10_is_refused(tmp_path, folder):
    (tmp_path / "file").touch()
    refused(
        tmp_path / folder,
        "cannot look into the folder .*--data-dir" if folder else "no CIFAR-10 in .*data_batch_1.bin",
        data.load_cifar10,
    )


def test_the_test_batch_alone_is_not_enough(tmp_path):
    refused(cifar10_files(tmp_path, ["test_batch.bin"]), "no CIFAR-10", data.load_cifar10)


def test_a_folder_in_place_of_a_batch_is_refused(tmp_path):
    (cifar10_files(tmp_path) / "data_batch_3.bin").mkdir()
    with pytest.raises(DataError, match=r"cannot read .*data_batch_3.bin"):
        data.load_cifar10(tmp_path)


def test_no_more_than_the_limit_is_read_of_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "LIMIT", 2**23)
    (cifar10_files(tmp_path) / "data_batch_1.bin").write_bytes(gzip.compress(bytes(2**25), compresslevel=1))

    def read():
        with pytest.raises(DataError):
            data.load_cifar10(tmp_path)

    assert peak_of(read) < 2**22


# --- the digits ---------------------------------------------------------------------------------------------------------


def test_digits():
    pytest.importorskip("sklearn")
    found = data.load_digits()
    assert (found.X.shape, found.y.shape, found.classes) == ((1797, 64), (1797,), tuple("0123456789"))
    assert (found.X.min(), found.X.max(), found.y.min(), found.y.max()) == (0, 16, 0, 9)


# --- split --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "fraction", "held"), [(10, 0.2, 2), (7, 0.5, 4), (100, 0.333, 33), (2, 0.5, 1)])
def test_split_keeps_every_sample_once_and_its_label(m, fraction, held):
    X, y = np.arange(m * 3.0).reshape(m, 3), np.arange(m)
    X_train, y_train, X_test, y_test = data.split(X, y, fraction, rng=0)
    assert (len(X_test), len(X_train)) == (held, m - held)
    assert sorted([*y_train, *y_test]) == list(range(m))
    assert np.array_equal(X_train, X[y_train])
    assert np.array_equal(X_test, X[y_test])


def test_split_is_random_and_fixed_by_its_seed():
    first, again, other = (data.split(np.arange(50), np.arange(50), 0.3, seed)[3].tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first != list(range(15))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, 0.01, 0.99, math.nan])
def test_split_refuses_to_leave_a_part_empty(fraction):
    with pytest.raises(DataError, match="both parts need at least one"):
        data.split(np.ones(10), np.ones(10), fraction, 0)


@pytest.mark.parametrize("call", [lambda X, y: data.split(X, y, 0.5, 0), lambda X, y: list(data.batches(X, y, 2))])
def test_as_many_labels_as_samples(call):
    with pytest.raises(DataError, match="4 samples and 3 labels do not match"):
        call(np.ones(4), np.ones(3))


# --- standardise --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 6), (50, 2, 3), (50,)])
def test_standardised_columns_have_mean_0_and_variance_1(shape, dtype):
    X = np.random.default_rng(0).normal(3, 5, shape)
    (Z,) = data.standardise(X, dtype=dtype)
    flat = X.reshape(50, -1)
    np.testing.assert_allclose(Z, (flat - flat.mean(axis=0)) / flat.std(axis=0), rtol=1e-4, atol=1e-6)
    assert Z.dtype == dtype


def test_the_statistics_are_those_of_the_first_array_only():
    X, T = data.standardise(np.array([[0.0], [2.0]]), np.array([[100.0], [1.0], [0.0]]))
    assert X.tolist() == [[-1], [1]]
    assert T.tolist() == [[99], [0], [-1]]


def test_bytes_are_standardised_without_overflow():
    (Z,) = data.standardise(np.array([[0, 255], [255, 255]], np.uint8))
    assert Z.tolist() == [[-1, 0], [1, 0]]


def test_a_common_scale_is_the_root_of_the_mean_variance():
    X = np.array([[0.0, 10.0, 5.0], [2.0, 24.0, 5.0]])  # variances 1, 49, 0
    Z, T = data.standardise(X, X[:1], dtype=np.float64, common_scale=True)
    np.testing.assert_allclose(Z, np.array([[-1, -7, 0], [1, 7, 0]]) / np.sqrt(50 / 3))
    assert np.array_equal(T, Z[:1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, -1 / 3, 1e-30])
def test_a_constant_column_is_only_shifted(value, dtype):
    X, T = data.standardise(np.full((1438, 1), value), np.array([[value], [value + 1]]), dtype=dtype)
    np.testing.assert_allclose(X, 0, atol=1e-6)  # its computed deviation may be 1e-17 instead of 0
    np.testing.assert_allclose(T, [[0], [1]], atol=1e-6)


# --- batches ------------------------------------------------------------------------------------------------------------

X10, Y10 = np.arange(20.0).reshape(10, 2), np.arange(10)


@pytest.mark.parametrize(
    ("size", "drop", "lengths"),
    [
        (4, False, [4, 4, 2]),
        (4, True, [4, 4]),
        (5, True, [5, 5]),
        (10, False, [10]),
        (99, False, [10]),
        (99, True, []),
        (1, False, [1] * 10),
    ],
)
@pytest.mark.parametrize("seed", [None, 0])
def test_batches_have_the_size_asked_for_and_the_last_is_kept(size, drop, lengths, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    found = list(data.batches(X10, Y10, size, rng, drop_last=drop))
    assert [len(y) for _, y in found] == lengths
    assert all(np.array_equal(X, X10[y]) for X, y in found)
    labels = [label for _, y in found for label in y]
    assert len(set(labels)) == len(labels) == sum(lengths)


def test_batches_are_in_order_without_a_generator_and_shuffled_anew_with_one():
    def order(rng):
        return [int(label) for _, y in data.batches(X10, Y10, 3, rng) for label in y]

    rng = np.random.default_rng(0)
    assert order(None) == list(range(10))
    assert order(rng) != order(rng) != list(range(10))
    assert order(np.random.default_rng(0)) == order(np.random.default_rng(0))


@pytest.mark.parametrize("size", [0, -1])
def test_batches_below_one_sample_are_refused(size):
    with pytest.raises(DataError, match=f"batch_size={size}"):
        next(data.batches(X10, Y10, size))
