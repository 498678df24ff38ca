"""The time and the memory of one training step of an MLP, of all contenders in turns; and the time of the import.

    .venv/bin/python tests/benchmarks/steps.py --python /tmp/peers/bin/python    # measures, under 25 minutes
    .venv/bin/python tests/benchmarks/report.py                                  # tables, plots and verdicts from what was measured

Each figure comes from processes of their own, one after the other, ``--rounds`` of them: the least time of a step within
each, and the median over the processes; the memory is the peak of the training run above what the imports alone took. All
contenders must compute the same first loss. Settings that pin a BLAS to an older instruction set are dropped.

A contender runs in the first interpreter that has its packages: those given by ``--python``, then the running one. What
has been measured is kept in results.json beside this file after each workload; the command goes on from there, and
``--again`` measures anew. Last comes growth.py, unless ``--no-growth``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from processes import HERE, RESULTS, load, machine, progress, run, save, warn_if_busy

OURS = ("tg.compile", "tg.compile exact", "tg.eager", "manual.py")
NAMES = ("numpy", "products only", *OURS, "torch", "torch.compile", "jax.jit", "autograd", "mygrad", "sklearn")
PACKAGE = {"torch.compile": "torch", "jax.jit": "jax", "sklearn": "scikit-learn"}
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def memory(peak: bool) -> float:
    """The memory of this process in MB: now, or the most since it was forgotten by ``forget``."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM" if peak else "VmRSS")) / 1024
    except OSError:  # not Linux: the peak since the start
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def forget() -> None:
    """Let the peak start from the present memory, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def measure(name: str, workload: str, budget: float, threads: int) -> list[float]:
    """One process: the least time of a step in seconds, the first loss, the peak memory above the imports in MB."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > threads:  # for JAX, which takes all it sees
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import contenders

    modules = contenders.IMPORTS.get(name, [])
    makers = contenders.MAKERS
    if name in OURS:
        ours = importlib.import_module("makers")
        makers, modules = ours.MAKERS, ours.IMPORTS
    for module in ["numpy.random", *modules]:  # NumPy imports its generators when they are asked for
        importlib.import_module(module)
    before = memory(peak=False)
    step = makers[name](contenders.WORKLOADS[workload])
    forget()  # the making of the data is no part of the run
    first = step()
    end = time.perf_counter() + budget / 2
    while time.perf_counter() < end:
        step()
    times: list[float] = []
    end = time.perf_counter() + budget
    while time.perf_counter() < end or len(times) < 3:
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < 0.02:
            step()
            count += 1
        times.append((time.perf_counter() - start) / count)
    return [min(times), first, memory(peak=True) - before]


def imports(python: str, rounds: int, threads: int) -> dict[str, list[float]]:
    """The times of the imports in seconds, in turns."""
    found: dict[str, list[float]] = {"numpy": [], "tinygrad_mlp": []}
    for i in range(4 * rounds + 1):
        for name, times in found.items():
            seconds = run(python, "-c", IMPORT.format(name), threads=threads)
            if i:  # the first may have to compile to bytecode
                times.append(seconds)
    return found


def compete(workload: str, where: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """All contenders in turns: [seconds, first loss, MB] of each process, or why there is none."""
    found: dict[str, list[list[float]]] = {}
    failed: dict[str, str] = {}
    for _ in range(options.rounds):
        for name, python in where.items():
            if name in failed:
                continue
            arguments = (__file__, "--measure", name, workload, str(options.budget), str(options.threads))
            try:
                found.setdefault(name, []).append(run(python, *arguments, threads=options.threads))
            except RuntimeError as error:
                failed[name] = str(error)
                progress(f"  {name} failed: {error}")
    loss = found["numpy"][0][1]
    for name, runs in found.items():
        if name != "products only" and any(abs(first - loss) > 1e-3 * abs(loss) for _, first, _ in runs):
            raise SystemExit(f"{name} computes another loss on {workload}: {runs[0][1]}, not {loss}. The comparison is void.")
    return {"runs": {name: runs for name, runs in found.items() if name not in failed}, "failed": failed}


def interpreters(names: list[str], pythons: list[str], facts: list[dict[str, Any]]) -> dict[str, str]:
    """The first interpreter for each contender that has its packages; contenders that none has are left out."""
    where = {}
    for name in names:
        package = PACKAGE.get(name, name)
        for python, fact in zip(pythons, facts, strict=True):
            if package in fact["versions"] or name in ("numpy", "products only", *OURS):
                where[name] = python
                break
        else:
            progress(f"{name} is not measured: no interpreter has it.")
    return where


def main() -> None:
    """Measure what has not been measured yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="an interpreter that has peers; may be given more than once")
    parser.add_argument("--only", default=",".join(NAMES), help="contenders, with commas between (default: all)")
    parser.add_argument("--workloads", default="", help="only those with this in their name")
    parser.add_argument("--rounds", type=int, default=5, help="processes for each figure (default: 5)")
    parser.add_argument("--budget", type=float, default=0.4, help="seconds of measuring in a process (default: 0.4)")
    parser.add_argument("--threads", type=int, default=2, help="threads of the matrix products (default: 2)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="the file of results (default: results.json beside this file)")
    parser.add_argument("--again", action="store_true", help="measure anew what has been measured")
    parser.add_argument("--no-growth", action="store_true", help="leave out growth.py")
    options = parser.parse_args()
    from contenders import WORKLOADS

    unknown = sorted(set(options.only.split(",")) - set(NAMES))
    if unknown:
        parser.error(f"--only: unknown {', '.join(unknown)}; the contenders are {', '.join(NAMES)}")
    names = [name for name in NAMES if name == "numpy" or name in options.only.split(",")]
    pythons = list(dict.fromkeys([*options.python, sys.executable]))
    settings = {key: getattr(options, key) for key in ("rounds", "budget", "threads")}
    settings["machine"] = machine(pythons, options.threads)
    results = load(options.json)
    warn_if_busy()
    if results.get("settings", settings) != settings and not (options.again and not options.workloads):
        raise SystemExit(
            f"{options.json} was measured with other settings. Use them again, another --json, or --again to start anew."
        )
    if options.again and not options.workloads:
        results = {}
    results |= {"settings": settings}
    results.setdefault("workloads", {})
    where = interpreters(names, pythons, settings["machine"]["interpreters"])
    if "imports" not in results:
        results["imports"] = imports(pythons[0], options.rounds, options.threads)
        save(options.json, results)
    for workload in WORKLOADS:
        known = results["workloads"].get(workload, {"runs": {}, "failed": {}})
        done = set(where) <= {*known["runs"], *known["failed"]}
        if options.workloads not in workload or (done and not options.again):
            continue
        start = time.perf_counter()
        results["workloads"][workload] = compete(workload, where, options)
        save(options.json, results)
        medians = {name: statistics.median(s for s, _, _ in runs) for name, runs in results["workloads"][workload]["runs"].items()}
        told = ", ".join(f"{name} {seconds / medians['numpy']:.2f}" for name, seconds in medians.items())
        progress(f"{workload} ({time.perf_counter() - start:.0f} s): {told}")
    if not options.no_growth and (options.again or "growth" not in results):
        import growth

        growth.grow(options.json, pythons[0], options.threads, growth.BUDGET)
    progress(f"Measured: {options.json}. Tables and plots: {sys.executable} {HERE / 'report.py'} --json {options.json}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))))
    else:
        main()
