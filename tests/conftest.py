"""What all tests share: a switch for longer runs, and the real MNIST and CIFAR-10 where they lie beside the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import program_memory
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True, print_blob=True)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=300, help="random architectures of the identity test (default: 300)")
    parser.addoption("--networks", type=int, default=400, help="random networks that are trained compiled and eager (default: 400)")


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many random architectures to try."""
    number: int = request.config.getoption("--examples")
    return number


@pytest.fixture(autouse=True)
def memory_of_programs() -> Iterator[None]:
    """Every program that a test compiles runs under observation before its first call."""
    with program_memory.watched():
        yield


@pytest.fixture
def real_mnist() -> Path:
    """The folder of the real MNIST files, if this checkout lies beside them."""
    folder = ROOT.parent / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("the real MNIST files are not beside this checkout")
    return folder


@pytest.fixture
def real_cifar10() -> Path:
    """The archive of the real CIFAR-10, one JPEG a member (split/class/name), if this checkout lies beside it."""
    archive = ROOT.parent / "shared" / "data" / "cifar10-jpeg.tar.xz"
    if not archive.is_file():
        pytest.skip("the real CIFAR-10 is not beside this checkout")
    return archive
