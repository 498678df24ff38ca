"""How many mistakes the tests would miss: a random sample of small changes to the package, each run against the tests that can see it.

    python tests/mutation.py FOLDER --count 300 --seed 1 --only tinygrad_mlp/rules tinygrad_mlp/manual.py

Each mutant is one change (an operator, a sign, a bound, a flag, a condition, two arguments swapped, a keyword or a statement dropped,
the text of an error emptied) in a copy of the checkout; the checkout itself is never written. First every test is run once, to see how
long it takes and which functions it runs. Then a mutant meets the tests that run the changed function, first those that are fast and
run little else, until one fails (killed) or none is left (survived). A change at the top of a module (a line of the table, say) meets
the tests of the functions that stand in it, then the cases of its name, those of its file, and all others, as far as the budget goes.
Survivors that no test can kill stand in mutation.toml, each with its reason.

FOLDER keeps what was measured and found, line by line: a run that was interrupted goes on, and --again asks only the survivors. A test
file is measured again when it has changed; when the package has changed much, remove FOLDER/tests.jsonl.
Exit codes: 0 no survivor without a reason, 1 some, 2 it could not be measured. Needs fork and alarm: Linux or macOS.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import linecache
import multiprocessing
import os
import queue
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".katex", ".*_cache", "__pycache__", "node_modules", "prove", "site")
SLOW = "test_(page|live|demos|doctor|seeds|exercise|draw|plots|rivals|cli|viz|svg|layout|history|watching|rehearsal|fit|metrics)"
"""Tests of what lies above the engine: they would see a mistake in it too, but late."""

OPERATORS: dict[type[ast.AST], list[tuple[str, str]]] = {
    ast.Add: [("+", "-")], ast.Sub: [("-", "+")], ast.Mult: [("*", "/")], ast.Div: [("/", "*")], ast.FloorDiv: [("//", "/")],
    ast.Mod: [("%", "*")], ast.Pow: [("**", "*")], ast.BitAnd: [("&", "|")], ast.BitOr: [("|", "&")], ast.BitXor: [("^", "|")],
    ast.Lt: [("<", "<="), ("<", ">")], ast.LtE: [("<=", "<"), ("<=", ">")], ast.Gt: [(">", ">="), (">", "<")], ast.GtE: [(">=", ">"), (">=", "<")],
    ast.Eq: [("==", "!=")], ast.NotEq: [("!=", "==")], ast.Is: [("is", "is not")], ast.IsNot: [("is not", "is")],
    ast.In: [("in", "not in")], ast.NotIn: [("not in", "in")], ast.And: [("and", "or")], ast.Or: [("or", "and")],
}  # fmt: skip
NOT_COMMUTATIVE = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)


class Mutant(NamedTuple):
    """The bytes from start to end of a file replaced by others."""

    path: str
    kind: str
    start: int
    end: int
    new: bytes

    def apply(self, text: bytes) -> bytes:
        return text[: self.start] + self.new + text[self.end :]

    def line(self, text: bytes) -> int:
        return text.count(b"\n", 0, self.start) + 1

    def diff(self, text: bytes) -> list[str]:
        """The lines that go (-) and those that come (+)."""
        first, last = text.rfind(b"\n", 0, self.start) + 1, text.find(b"\n", self.end) % (len(text) + 1)
        old, new = text[first:last], text[first : self.start] + self.new + text[self.end : last]
        return [sign + line for sign, part in (("-", old), ("+", new)) for line in part.decode().splitlines()]

    def name(self, text: bytes) -> str:
        """Its name in the folder: another one once the file is another."""
        return hashlib.sha256(b"\0".join([text, self.path.encode(), f"{self.start}:{self.end}".encode(), self.new])).hexdigest()[
            :16
        ]


class Source:
    """A file, and where its parts are."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path, self.text, self.tree = path, text, ast.parse(text)
        self.lines = [0]
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: Any) -> tuple[int, int]:
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: Any) -> bytes:
        return self.text[slice(*self.span(node))]

    def mutants(self) -> Iterator[Mutant]:
        """Every change that is tried here, in the order of the text."""
        found = [m for node in self.code(self.tree) for m in self.changes(node) if self.text[m.start : m.end] != m.new]
        return iter(sorted(set(found), key=lambda m: (m.start, m.end, m.new)))

    def code(self, node: ast.AST, inside: type[ast.AST] | None = None) -> Iterator[ast.AST]:
        """What runs: no annotation, no docstring, nothing for type checkers, no list of public names."""
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                typed = isinstance(child, ast.If) and b"TYPE_CHECKING" in self.of(child.test)
                listed = isinstance(child, ast.Assign) and self.of(child.targets[0]) == b"__all__"
                if isinstance(child, ast.AST) and name not in ("annotation", "returns") and not (text or typed or listed):
                    yield child
                    yield from self.code(child)

    def changes(self, node: Any) -> Iterator[Mutant]:
        def mutant(kind: str, start: int, end: int, new: bytes) -> Mutant:
            return Mutant(self.path, kind, start, end, new)

        def operator(op: ast.AST, left: Any, right: Any) -> Iterator[Mutant]:
            start, end = self.span(left)[1], self.span(right)[0]
            for old, new in OPERATORS.get(type(op), []):
                token = re.compile(re.escape(old).replace(r"\ ", r"\s+").encode())
                yield mutant("operator", start, end, token.sub(new.encode(), self.text[start:end], count=1))

        def swap(left: Any, right: Any) -> Mutant:
            (start, a), (b, end) = self.span(left), self.span(right)
            return mutant("swap", start, end, b"(%s)%s(%s)" % (self.text[b:end], self.text[a:b], self.text[start:a]))

        match node:
            case ast.BinOp():
                yield from operator(node.op, node.left, node.right)
                if isinstance(node.op, NOT_COMMUTATIVE):
                    yield swap(node.left, node.right)
            case ast.BoolOp():
                for left, right in pairwise(node.values):
                    yield from operator(node.op, left, right)
            case ast.Compare():
                for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators, strict=False):
                    yield from operator(op, left, right)
            case ast.AugAssign() if type(node.op) in OPERATORS:
                yield from operator(node.op, node.target, node.value)
            case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
                yield mutant("sign", self.span(node)[0], self.span(node.operand)[0], b"")
            case ast.Constant(value=bool()):
                yield mutant("flag", *self.span(node), str(not node.value).encode())
            case ast.Constant(value=int() | float()):
                for new in (node.value + 1, node.value - 1):
                    yield mutant("bound", *self.span(node), b"%s" % repr(new).encode() if new >= 0 else b"(%d)" % new)
            case ast.If() | ast.IfExp() | ast.While():
                yield mutant("condition", *self.span(node.test), b"(not (%s))" % self.of(node.test))
            case ast.comprehension():
                for test in node.ifs:
                    yield mutant("condition", *self.span(test), b"(not (%s))" % self.of(test))
            case ast.Call():
                for left, right in pairwise(node.args):
                    if not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
                        yield swap(left, right)
                parts = [*node.args, *node.keywords]
                for before, part in pairwise(parts):
                    if isinstance(part, ast.keyword) and part.arg and not self.of(part.value).lstrip(b"rf").startswith(b'"'):
                        yield mutant("keyword", self.span(before)[1], self.span(part)[1], b"")
            case ast.Raise():
                for child in ast.walk(node):
                    if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
                        yield mutant("text", *self.span(child), b"''")
                        break
        if isinstance(node, (ast.AugAssign, ast.Raise, ast.Delete)) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ):
            yield mutant("statement", *self.span(node), b"pass")
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
            yield mutant("statement", *self.span(node), b"pass")

    def functions(self, mutant: Mutant) -> tuple[set[str], str | None]:
        """The functions that the change is in. If it runs at import: all of the same statement, and what that defines ("" if nothing)."""
        around: Any = None
        for node in ast.walk(self.tree):  # outer ones first
            if isinstance(node, (ast.FunctionDef, ast.Lambda)) and self.within(node, mutant):
                around = node
        if around is not None and any(
            self.within(part, mutant) for part in (around.body if isinstance(around.body, list) else [around.body])
        ):
            return {self.named(around)}, None
        statement: Any = self.tree
        while inner := [part for part in getattr(statement, "body", []) if self.within(part, mutant)]:
            statement = inner[0]
            if isinstance(statement, ast.FunctionDef):
                break
        entry = (
            re.match(rb'[^"]*= \w+\("([^"]+)"', self.of(statement)) if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
        )
        defined = entry[1].decode() if entry else getattr(statement, "name", "")
        return {self.named(node) for node in ast.walk(statement) if isinstance(node, (ast.FunctionDef, ast.Lambda))}, defined

    def named(self, node: Any) -> str:
        line = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        return function_name(self.path.partition("/")[2], self.text[self.lines[line - 1] : self.lines[line]].decode())

    def within(self, node: Any, mutant: Mutant) -> bool:
        start, end = self.span(node)
        start = min([start, *(self.span(d)[0] for d in getattr(node, "decorator_list", []))])
        return start <= mutant.start and mutant.end <= end


def function_name(within: str, line: str) -> str:
    """What a function is known by: its file in the package and its first line, which stays when lines above it change."""
    return f"{within}: {line.strip()}"


# --- in a process of its own: pytest in a copy -------------------------------------------------------------------------


class Measured:
    """For each test that passes: its seconds, and the functions of the package that it ran."""

    def __init__(self, package: str) -> None:
        self.package, self.passed, self.tests = package, set[str](), list[tuple[str, float, list[str]]]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        seen: dict[int, Any] = {}

        def trace(frame: Any, event: str, arg: Any) -> None:
            seen[id(frame.f_code)] = frame.f_code

        threading.settrace(trace)
        start = time.perf_counter()
        sys.settrace(trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            seconds = time.perf_counter() - start
            ran = {self.named(code) for code in list(seen.values()) if code.co_filename.startswith(self.package)}
            if item.nodeid in self.passed:
                self.tests.append((item.nodeid, round(seconds, 4), sorted(ran)))

    def named(self, code: Any) -> str:
        return function_name(code.co_filename[len(self.package) + 1 :], linecache.getline(code.co_filename, code.co_firstlineno))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


class Chosen:
    """Only the chosen tests, in their order, each with a time limit; the first failure is noted."""

    def __init__(self, seconds: dict[str, float], note: Path, patience: float) -> None:
        self.seconds, self.note, self.patience = seconds, note, patience
        self.order = {name: i for i, name in enumerate(seconds)}
        self.functions = {name.partition("[")[0] for name in seconds}
        self.ids = {name.partition("[")[2].removesuffix("]") for name in seconds}

    def pytest_pycollect_makeitem(self, collector: Any, name: str, obj: Any) -> Any:
        """Functions without a chosen test are not collected, and of long tables only the chosen cases: that is most of the time."""
        if not name.startswith("test_") or not callable(obj) or isinstance(obj, type):
            return None
        if f"{collector.nodeid}::{name}" not in self.functions:
            return []
        marks = getattr(obj, "pytestmark", [])
        if len(marks) == 1 and marks[0].name == "parametrize" and len(marks[0].args) == 2:
            cases = list(marks[0].args[1])
            if all(getattr(case, "id", None) for case in cases):
                obj.pytestmark = [pytest.mark.parametrize(marks[0].args[0], [c for c in cases if c.id in self.ids]).mark]
        return None

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda i: self.order[i.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        signal.setitimer(signal.ITIMER_REAL, self.patience + 20 * self.seconds[item.nodeid])
        return (yield)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.note.exists():
            self.note.write_text(report.nodeid)


def in_copy(root: str, copy: str, log: str, given: list[str], chosen: dict[str, float] | None, patience: float) -> None:
    """Runs pytest in a copy; what it measures or which test fails first is written beside the log."""
    os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.chdir(copy)
    sys.dont_write_bytecode = chosen is not None
    sys.path[:] = [copy, f"{copy}/tests", *(p for p in sys.path if not (p or root).startswith(root) or ".venv" in p)]
    os.environ.pop("PYTEST_ADDOPTS", None)  # meant for the run that called this one
    os.environ |= {"PYTHONPATH": f"{copy}{os.pathsep}{copy}/tests", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    note = Path(f"{log}.note")
    note.unlink(missing_ok=True)
    early = "ignore::pytest.PytestAssertRewriteWarning"  # of what the fork server has imported
    arguments = ["-q", "-p", "no:cacheprovider", "-W", early, "--rootdir", copy, *given]
    if chosen is None:
        plugin = Measured(f"{copy}/tinygrad_mlp")
        pytest.main(arguments, plugins=[plugin])
        note.write_text(json.dumps(plugin.tests))
        os._exit(0)
    signal.setitimer(signal.ITIMER_REAL, 60)  # to collect; the alarm ends the process
    os._exit(pytest.main(["-x", *arguments], plugins=[Chosen(chosen, note, patience)]))


class Laboratory:
    """Copies of the checkout, one for each process at a time."""

    def __init__(self, root: Path, folder: Path, jobs: int, patience: float, options: list[str]) -> None:
        self.root, self.folder, self.jobs, self.patience, self.options = root, folder, jobs, patience, options
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["numpy", "pytest", "hypothesis", "autograd.numpy", "scipy.special"])
        self.place = tempfile.TemporaryDirectory(prefix="mutation-")
        self.copies: queue.Queue[Path] = queue.Queue()
        for i in range(jobs):
            self.copies.put(Path(shutil.copytree(root, Path(self.place.name) / str(i), ignore=LEFT_OUT)))

    def run(
        self, files: list[str], chosen: dict[str, float] | None, mutant: Mutant | None = None, limit: float = 3600
    ) -> tuple[int, str]:
        """The exit code of pytest in a copy (minus the signal that ended it), and what it noted."""
        copy = self.copies.get()
        log = f"{copy}.log"
        try:
            if mutant is not None:
                target = copy / mutant.path
                text = target.read_bytes()
                for stale in (target.parent / "__pycache__").glob(f"{target.stem}.*.pyc"):
                    stale.unlink()
                target.write_bytes(mutant.apply(text))
            process = self.context.Process(
                target=in_copy, args=(str(self.root), str(copy), log, [*self.options, *files], chosen, self.patience)
            )
            process.start()
            process.join(limit)
            code = process.exitcode if process.exitcode is not None else -signal.SIGALRM
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)  # what a test started, too
            process.join()
            note = Path(f"{log}.note")
            return code, note.read_text() if note.exists() else ""
        finally:
            if mutant is not None:
                target.write_bytes(text)
            self.copies.put(copy)

    def measure(self, files: list[str]) -> dict[str, tuple[float, set[str]]]:
        """Seconds and functions of every test, measured once for each test file as it is."""
        key = {f: hashlib.sha256((self.root / f).read_bytes() + "\0".join(self.options).encode()).hexdigest()[:16] for f in files}
        known = {line["key"]: line["tests"] for line in lines_of(self.folder / "tests.jsonl")}
        with ThreadPoolExecutor(self.jobs) as pool:
            runs = {pool.submit(self.run, [f], None): f for f in files if key[f] not in known}
            for run in as_completed(runs):
                code, note = run.result()
                if code or not note:
                    raise RuntimeError(f"pytest {runs[run]} ended with {code} in a copy")
                known[key[runs[run]]] = tests = json.loads(note)
                print(f"{runs[run]}: {len(tests)} tests, {sum(t[1] for t in tests):.1f} s", flush=True)
                append(self.folder / "tests.jsonl", {"key": key[runs[run]], "tests": tests})
        return {name: (seconds, set(ran)) for f in files for name, seconds, ran in known[key[f]]}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a record; the last one may have been cut off."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def append(path: Path, entry: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def choose(source: Source, mutant: Mutant, tests: dict[str, tuple[float, set[str]]], budget: float) -> dict[str, float]:
    """The tests that a mutant meets, in order, with their seconds."""
    wanted, defined = source.functions(mutant)
    direct = {name for name, (_, ran) in tests.items() if not wanted.isdisjoint(ran)}
    groups = [direct]
    if defined is not None or not direct:
        case = re.compile(rf"\[(.*[-\]])?{re.escape(defined or '')}[-\]]")
        within = function_name(mutant.path.partition("/")[2], "")
        groups += [
            {name for name in tests if defined and case.search(name)},
            {name for name, (_, ran) in tests.items() if any(f.startswith(within) for f in ran)},
            set(tests),
        ]
    chosen: dict[str, float] = {}
    for group in groups:
        left = budget / sum(map(bool, groups))
        for name in sorted(group - chosen.keys(), key=lambda n: ((tests[n][0] + 0.002) * len(tests[n][1]), n)):
            left -= tests[name][0] + 0.002
            if left < 0 and chosen:
                break
            chosen[name] = tests[name][0]
    return chosen


def sample(sources: dict[str, Source], count: int, seed: int) -> list[Mutant]:
    """That many mutants that are Python and another program, drawn at random."""

    def rank(mutant: Mutant) -> bytes:
        """Chance that is the same as long as the line is: a sample hardly changes with the rest of the package."""
        return hashlib.sha256("\0".join([str(seed), mutant.path, *mutant.diff(sources[mutant.path].text)]).encode()).digest()

    pool = sorted((mutant for source in sources.values() for mutant in source.mutants()), key=rank)
    drawn: list[Mutant] = []
    for mutant in pool:
        if len(drawn) == count:
            break
        source = sources[mutant.path]
        try:
            changed = ast.parse(mutant.apply(source.text))
        except SyntaxError:
            continue
        if ast.dump(changed) != ast.dump(source.tree):
            drawn.append(mutant)
    return drawn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where results are kept")
    parser.add_argument("--count", type=int, default=100, help="how many mutants (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    parser.add_argument(
        "--only", nargs="+", default=["tinygrad_mlp"], metavar="PATH", help="files or folders to change (default: all)"
    )
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="test files (default: all of the engine, and the doctests)")
    parser.add_argument("--pytest", default="", metavar="OPTIONS", help="more options of pytest, in one string")
    parser.add_argument("--budget", type=float, default=30, help="seconds of tests that a mutant meets at most (default: 30)")
    parser.add_argument(
        "--patience", type=float, default=15, help="seconds that a test may take, and 20 times its own besides (default: 15)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time (default: 1)")
    parser.add_argument("--again", action="store_true", help="run the survivors in FOLDER again")
    parser.add_argument("--list", action="store_true", help="print the sample, run nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    root: Path = options.root.resolve()
    if missing := [path for path in options.only if not (root / path).exists()]:
        parser.error(f"there is no {missing[0]} in {root}")
    paths = sorted({p for path in options.only for p in ([root / path] if path.endswith(".py") else (root / path).rglob("*.py"))})
    sources = {str(p.relative_to(root)): Source(str(p.relative_to(root)), p.read_bytes()) for p in paths}
    drawn = sample(sources, options.count, options.seed)
    if options.list or not drawn:
        for mutant in drawn:
            print(
                f"{mutant.path}:{mutant.line(sources[mutant.path].text)} {mutant.kind}",
                *mutant.diff(sources[mutant.path].text),
                sep="\n",
            )
        return 0 if drawn else 2
    options.folder.mkdir(parents=True, exist_ok=True)
    with_doctests = [p for p in sorted((root / "tinygrad_mlp").rglob("*.py")) if b">>> " in p.read_bytes()]
    files = options.tests or [
        str(p.relative_to(root))
        for p in [*sorted((root / "tests").glob("test_*.py")), *with_doctests]
        if not re.match(SLOW, p.name)
    ]
    laboratory = Laboratory(root, options.folder, options.jobs, options.patience, shlex.split(options.pytest))
    tests = laboratory.measure(files)
    if not tests:
        print("no test passed in a copy of the checkout", file=sys.stderr)
        return 2
    return report(drawn, sources, examine(laboratory, drawn, sources, tests, options), root)


def examine(laboratory: Laboratory, drawn: list[Mutant], sources: dict[str, Source], tests: Any, options: Any) -> dict[Mutant, str]:
    """What became of each mutant: killed, timeout or survived."""
    record = options.folder / "mutants.jsonl"
    known = {line["name"]: line["result"] for line in lines_of(record)}
    names = {mutant: mutant.name(sources[mutant.path].text) for mutant in drawn}
    results = {m: known[n] for m, n in names.items() if n in known and not (options.again and known[n] == "survived")}

    def one(mutant: Mutant) -> tuple[Mutant, str, str, float]:
        start = time.perf_counter()
        chosen = choose(sources[mutant.path], mutant, tests, options.budget)
        files = sorted({name.partition("::")[0] for name in chosen}, key=lambda f: next(iter(chosen)).partition("::")[0] != f)
        code, note = laboratory.run(files, chosen, mutant, limit=120 + 10 * options.budget)
        result = "survived" if code in (0, 5) else "timeout" if code == -signal.SIGALRM else "killed"
        return mutant, result, note or str(code), time.perf_counter() - start

    with ThreadPoolExecutor(options.jobs) as pool:
        for run in as_completed([pool.submit(one, mutant) for mutant in drawn if mutant not in results]):
            mutant, result, by, seconds = run.result()
            text = sources[mutant.path].text
            entry = {"name": names[mutant], "result": result, "by": by, "seconds": round(seconds, 1), "kind": mutant.kind}
            append(record, entry | {"at": f"{mutant.path}:{mutant.line(text)}", "diff": mutant.diff(text)})
            results[mutant] = result
            print(
                f"{len(results)}/{len(drawn)} {result} {mutant.path}:{mutant.line(text)} {mutant.kind} {seconds:.1f} s", flush=True
            )
    return results


def report(drawn: list[Mutant], sources: dict[str, Source], results: dict[Mutant, str], root: Path) -> int:
    """Prints the survivors as differences, those with a reason apart, and the numbers."""
    listed = root / "tests" / "mutation.toml"
    entries = tomllib.loads(listed.read_text(encoding="utf-8"))["equivalent"] if listed.exists() else []
    reasons = {
        (e["file"], *(tuple(map(str.strip, e[part].strip().splitlines())) for part in ("old", "new"))): e["why"] for e in entries
    }
    argued = unargued = 0
    for mutant in (m for m in drawn if results[m] == "survived"):
        text = sources[mutant.path].text
        diff = mutant.diff(text)
        old, new = (tuple(line[1:].strip() for line in diff if line[0] == sign) for sign in "-+")
        why = reasons.get((mutant.path, old, new))
        argued, unargued = argued + (why is not None), unargued + (why is None)
        print(f"\n{mutant.path}:{mutant.line(text)}: {mutant.kind} {f'survives: {why}' if why else 'SURVIVES'}", *diff, sep="\n")
    count = {result: sum(r == result for r in results.values()) for result in ("killed", "timeout")}
    print(
        f"\n{len(drawn)} mutants: {count['killed']} killed, {count['timeout']} ended by the time limit, {argued} argued, {unargued} survived"
    )
    return 1 if unargued else 0


if __name__ == "__main__":
    sys.exit(main())
