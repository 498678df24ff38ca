"""Processes of their own, free of settings that a user's machine does not have; the machine; the file of results."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results.json"

PINS = ("OPENBLAS", "MKL", "ATEN", "DNNL", "ONEDNN", "NPY", "BLIS", "OMP", "NVPL")
"""Variables that begin so can pin a library to an older instruction set, or set its threads."""

FACTS = """
import json, platform
from importlib.metadata import version
from importlib.util import find_spec
import numpy as np
blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
versions = {}
for name in ("torch", "jax", "autograd", "mygrad", "scikit-learn"):
    if find_spec({"scikit-learn": "sklearn"}.get(name, name)):
        versions[name] = version(name)
print(json.dumps({"python": platform.python_version(), "numpy": np.__version__,
                  "blas": blas["name"] + " " + blas["version"], "versions": versions}))
"""


def environment(threads: int) -> dict[str, str]:
    """The variables of a measuring process: no pins, so many threads, tinygrad_mlp from this checkout."""
    kept = {name: value for name, value in os.environ.items() if name.split("_")[0] not in PINS}
    kept |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's second import finds the bytecode of the first
    kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept


def run(python: str, *arguments: str, threads: int) -> Any:
    """What a process prints in its last line, as JSON. Raises RuntimeError with the last line of its error."""
    done = subprocess.run([python, "-W", "ignore", *arguments], capture_output=True, text=True, env=environment(threads))
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200])
    return json.loads(done.stdout.strip().splitlines()[-1])


def cpu() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    wide = [
        name for name in ("amx_bf16", "avx512f", "avx2", "asimd") if name in facts.get("flags", facts.get("Features", "")).split()
    ]
    name = facts.get("model name") or platform.processor() or platform.machine()
    return f"{name} ({platform.machine()}{', ' + ', '.join(wide) if wide else ''})"


def machine(pythons: list[str], threads: int) -> dict[str, Any]:
    """The CPU, the system, and what each interpreter has."""
    facts = [run(python, "-c", FACTS, threads=threads) for python in pythons]
    return {"cpu": cpu(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}", "interpreters": facts}


def load(path: Path) -> dict[str, Any]:
    """The results so far."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(path: Path, results: dict[str, Any]) -> None:
    """Write the results, whole or not at all."""
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def progress(text: str) -> None:
    """Say what is being measured, on the error channel."""
    print(text, file=sys.stderr, flush=True)


def warn_if_busy() -> None:
    """Two threads of a product wait for each other: where something else takes a core, a step takes a hundred times as long."""
    if hasattr(os, "getloadavg") and (load_now := os.getloadavg()[0]) > 0.5:
        progress(f"This machine is busy (load {load_now:.1f}): figures with several threads will be far too high. Better wait.")
