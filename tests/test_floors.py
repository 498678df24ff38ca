"""The drawing of docs/architecture.md holds: nothing imports from a floor above, and optional packages stay outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_mlp

PACKAGE = Path(tinygrad_mlp.__file__).parent

FLOORS: dict[str, int] = {
    "version": 0, "errors": 0, "elsewhere": 0, "files": 0, "kernels": 0, "primitive": 0, "derivations": 0, "rules": 0, "passthrough": 0,
    "composed": 1, "graph": 1, "sweep": 1, "dispatch": 1, "operand": 1, "modes": 1, "guard": 1, "anomaly": 1, "values": 1, "recording": 1, "assignment": 1, "tensor": 1,
    "derivative": 1, "symbols": 1, "namespace": 1, "linalg": 1, "fft": 1,
    "nn": 2, "optim": 2, "data": 2, "functional": 2, "rounding": 2, "trees": 2, "extend": 2,
    "manual": 3, "check": 3, "doctor": 3, "viz": 3, "chainrule": 3, "compiler": 3, "listing": 3, "options": 3, "history": 3, "watching": 3, "train": 3,
    "prove": 4, "exercise": 4, "cli": 4, "__main__": 4,
    "__init__": 5,
}  # fmt: skip
ALONE = {"manual": {"numpy"}}
CORE = {"numpy", "graphviz"}


def sources() -> dict[Path, str]:
    """Each file of the package, and the name of the part that it belongs to."""
    return {path: path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path, text: str | None = None) -> list[tuple[str, bool]]:
    """What a file imports: names of our parts and of foreign packages, and whether it is imported with the file."""
    tree = ast.parse(path.read_text(encoding="utf-8") if text is None else text)
    late = {id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)}
    package = ("tinygrad_mlp", *path.relative_to(PACKAGE).parts[:-1])
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            whole = ".".join(part for part in (base, node.module or "") if part)
            modules = [f"{whole}.{alias.name}" for alias in node.names] if whole == "tinygrad_mlp" else [whole]
        for module in modules:
            parts = module.split(".")
            name = f"tinygrad_mlp.{parts[1] if len(parts) > 1 else '__init__'}" if parts[0] == "tinygrad_mlp" else parts[0]
            found.append((name, id(node) not in late))
    return found


def violations(path: Path, part: str, text: str | None = None) -> list[str]:
    """What a file may not import."""
    wrong = []
    for name, at_import in imports(path, text):
        top, _, ours = name.partition(".")
        if top == "tinygrad_mlp":
            if part in ALONE or FLOORS.get(ours, 99) > FLOORS[part]:
                wrong.append(f"{part} imports {ours}, from a floor above")
        elif (
            top not in sys.stdlib_module_names and (at_import or part in ALONE) and top not in ALONE.get(part, CORE - {"graphviz"})
        ):
            wrong.append(f"{part} imports {top} at its top")
    return wrong


def test_every_file_has_a_floor() -> None:
    assert set(sources().values()) == set(FLOORS)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_from_above(path: Path) -> None:
    assert violations(path, sources()[path]) == []


def test_this_test_can_fail() -> None:
    assert violations(PACKAGE / "graph.py", "graph", "from .tensor import Tensor") == []  # same floor; the next test forbids it
    assert violations(PACKAGE / "rules.py", "rules", "from .tensor import Tensor")
    assert violations(PACKAGE / "rules.py", "rules", "def f():\n    from . import nn")
    assert violations(PACKAGE / "nn" / "layers.py", "nn", "from ..check import compare")
    assert violations(PACKAGE / "optim.py", "optim", "import matplotlib.pyplot")
    assert not violations(PACKAGE / "optim.py", "optim", "def f():\n    import matplotlib.pyplot")
    assert violations(PACKAGE / "manual.py", "manual", "from . import rules")
    assert violations(PACKAGE / "manual.py", "manual", "def f():\n    import scipy")


def test_graph_never_imports_tensor() -> None:
    assert "tinygrad_mlp.tensor" not in {name for name, _ in imports(PACKAGE / "graph.py")}


def test_manual_runs_alone(tmp_path: Path) -> None:
    (tmp_path / "by_hand.py").write_bytes((PACKAGE / "manual.py").read_bytes())
    program = (
        "import doctest, sys, by_hand; r = doctest.testmod(by_hand); print(r.attempted, r.failed, 'tinygrad_mlp' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    attempted, failed, loaded = run.stdout.split()
    assert int(attempted) > 4
    assert (failed, loaded) == ("0", "False")


OPTIONAL = ("graphviz", "rich", "matplotlib", "sklearn", "autograd", "scipy", "torch", "jax")


def loaded_by(statement: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_importing_the_package_imports_only_numpy() -> None:
    assert not set(OPTIONAL) & loaded_by("import tinygrad_mlp as tg; tg.nn, tg.optim, tg.check, tg.data, tg.manual")
    assert "rich" in loaded_by("import rich, tinygrad_mlp")  # this test can see a package
    light = loaded_by("import tinygrad_mlp")
    assert not {"tinygrad_mlp.nn", "numpy.random", "dataclasses", "argparse"} & light


def test_type_checkers_see_what_the_door_gives() -> None:
    """mypy --strict takes an imported name for public only as ``X as X``."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    named = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names if a.asname == a.name}
    assert named == {*tinygrad_mlp.ENGINE, *tinygrad_mlp.LIBRARY, *tinygrad_mlp.LATER}
