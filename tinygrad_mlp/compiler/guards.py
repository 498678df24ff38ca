"""What a program was made of, and whether it is so still: tensors, parameters, and what the traced code reads by name."""

from __future__ import annotations

import collections
import dis
import functools
import itertools
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import attrgetter, is_
from types import CellType, CodeType, FunctionType, MappingProxyType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Node
from ..nn import Module
from ..nn import module as modules
from ..symbols import Trace
from ..tensor import Tensor

__all__ = ["Guards"]

TRACKED = attrgetter("tracked")

ENDS = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype, np.random.Generator, CodeType)
"""Values that refer to nothing else."""

MAPPINGS = (dict, collections.UserDict, collections.ChainMap, MappingProxyType)
CONTAINERS = (*MAPPINGS, list, tuple, set, frozenset, collections.deque, collections.UserList)

SMALL = 1 << 14
"""Up to how many bytes of an array are compared in each call, if the program does not read the array itself."""

COMPARED = (bool, int, float, complex, str, bytes, np.generic)
"""Values of which two objects may be the same: equal ones of one type."""

FOREIGN = {"tinygrad_mlp", "numpy", *sys.stdlib_module_names}
INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
"""Packages whose code and constants nobody changes while a program runs."""

Entry = tuple[Callable[[str], Any], str]
"""Where a value is found: get(name). Entries of one dict have one ``get``."""


class Guards:
    """Notes what a function's code reads, and tells whether it is the same still.

    Code is followed from the function to whatever it refers to by name: variables of its closure, globals, defaults, methods,
    attributes of objects and classes, the modules that it calls, the contents of lists, tuples, dicts and sets. An attribute counts
    if the code that was followed names it anywhere; a method's code is followed if it may be called: if it is named, or has a name
    of Python's (``__call__``), or if names are computed. Of arrays and Tensors the program reads the numbers anew at each call; if
    one is not part of it, the function has computed with it while it was traced, so its numbers count. What the function changes
    itself while it is traced is left out: otherwise no program would ever hold.

    Parameters
    ----------
    f : the function, before it is traced
    parameters : the optimiser's list
    """

    def __init__(self, f: Callable[..., Any], parameters: list[Tensor]) -> None:
        self.parameters, self.listed, self.changed = parameters, list(parameters), ""
        self.seen: dict[int, Any] = {}  # by id, so that what cannot be hashed is found too; the objects are kept alive
        self.names = {"forward", "__call__"}
        self.asked: set[str] = set()
        self.whole: set[type] = set()  # classes whose methods look attributes up by names that are computed
        self.computed = False  # whether anything else does
        self.classes: dict[type, None] = {}
        self.of_class: dict[type, dict[str, Any]] = {}
        self.functions: list[FunctionType] = []
        self.objects: list[Any] = []
        self.containers: list[Any] = []
        self.arrays: list[Any] = []
        self.follow(f)
        self.before = {(id(x), name): value for x, name, _, value in self.values()}
        self.filled = {id(x): snapshot(x) for x in self.containers}

    def settle(self, trace: Trace, modes: list[tuple[Module, bool]]) -> None:
        """The function has been traced: from now on everything is to stay as it is, also the given modes of modules."""
        self.modes = modes
        self.tensors = [node for node in trace.of_tensor if node.op is None]
        self.tracked = list(map(TRACKED, self.tensors))
        self.follow(*(m for m, _ in (*modes, *trace.modes)))
        entries = [entry for entry in self.values() if same(self.before.get((id(entry[0]), entry[1]), entry[3]), entry[3])]
        self.of_modules = Values(entry[1:] for entry in entries if isinstance(entry[0], Module))
        self.of_others = Values(entry[1:] for entry in entries if not isinstance(entry[0], Module))
        contents = [part for x in self.containers for part in self.filled.get(id(x), snapshot(x))]
        self.contents = [part for part in contents if is_unchanged(*part)]
        read = {id(owner(array_of(s.value))) for s in trace.symbols if isinstance(s.value, (np.ndarray, Node))}
        outside = [x for x in self.arrays if id(owner(array_of(x))) not in read and array_of(x).nbytes <= SMALL]
        self.numbers = [(x, array_of(x).tobytes()) for x in outside if not (isinstance(x, Node) and x.tracked)]
        self.changes = modules.changes
        del self.seen, self.names, self.asked, self.whole, self.of_class
        del self.classes, self.functions, self.objects, self.containers, self.arrays, self.before, self.filled

    def hold(self) -> bool:
        """Whether everything is as it was when the function was traced; else ``changed`` says what is not."""
        self.changed = self.first_change()
        return not self.changed

    def first_change(self) -> str:
        """What has changed, in words; empty if nothing."""
        if list(map(TRACKED, self.tensors)) != self.tracked:
            return "what requires gradients"
        if len(self.parameters) != len(self.listed) or not all(map(is_, self.parameters, self.listed)):
            return "the optimiser's list of parameters"
        if any(module.training is not mode for module, mode in self.modes):
            return "a module's mode"
        if changed := self.of_others.first_change():
            return changed
        for part, listed in self.contents:
            if not is_unchanged(part, listed):
                return "the content of a list, a dict or a set"
        for x, numbers in self.numbers:
            if array_of(x).tobytes() != numbers:
                return "what is in an array that the function computes with before it meets a value"
        if self.changes != modules.changes:  # some attribute of some module was assigned to: one of these?
            if changed := self.of_modules.first_change():
                return changed
            self.changes = modules.changes
        return ""

    # --- what the code refers to ----------------------------------------------------------------------------------------

    def follow(self, *roots: Any) -> None:
        """Find all that these refer to. Each new name may be that of an attribute of an object that is known already."""
        for x in roots:
            self.add(x)
        known = None
        while known != (known := (len(self.seen), len(self.names))):
            for kind in list(self.classes):
                self.read_class(kind)
            for _, _, _, value in list(self.values()):
                self.add(value)

    def add(self, x: Any) -> None:
        """Note an object, and what is inside."""
        if isinstance(x, ENDS) or id(x) in self.seen:
            return
        self.seen[id(x)] = x
        if isinstance(x, FunctionType):
            self.functions.append(x)
            if not is_foreign(x.__module__):
                self.read(x.__code__)
        elif isinstance(x, MethodType):
            self.add(x.__func__)
            self.add(x.__self__)
        elif isinstance(x, functools.partial):
            for part in (x.func, x.args, x.keywords):
                self.add(part)
        elif isinstance(x, (np.ndarray, Node)):
            self.arrays.append(x)
        elif isinstance(x, CONTAINERS):
            self.containers.append(x)
            for part in itertools.chain(*contents(x)):
                self.add(part)
            if attributes(x):  # of a subclass
                self.add_object(x)
        elif isinstance(x, ModuleType):
            if not is_foreign(x.__name__):
                self.objects.append(x)
        elif isinstance(x, type):
            for kind in x.__mro__:
                if not is_foreign(kind.__module__):
                    self.objects.append(kind)
                    self.classes[kind] = None
                    self.seen[id(kind)] = kind
            self.add(type(x))
        else:
            self.add_object(x)

    def add_object(self, x: Any) -> None:
        """Note an object, and its classes."""
        self.objects.append(x)
        home = type(x).__module__
        if callable(x) and is_foreign(home) and home not in ("builtins", "numpy") and not isinstance(x, Module):
            self.computed = True  # operator.methodcaller, np.vectorize: it may call anything
            self.add(getattr(x, "__wrapped__", None))
        for kind in type(x).__mro__:
            if kind is not Module and (isinstance(x, Module) or not is_foreign(kind.__module__)) and kind is not object:
                self.add(kind)
                self.classes[kind] = None

    def read_class(self, kind: type) -> None:
        """Note what the methods of a class name, of those that may be called."""
        every = self.computed or any(map(calls_by_name, kind.__mro__)) or any(issubclass(kind, k) for k in self.whole)
        for name, value in list(vars(kind).items()):
            if not every and name not in self.names and not is_special(name):
                continue
            if isinstance(value, property) and not isinstance(value.fget, FunctionType):
                self.whole.add(kind)  # property(operator.attrgetter(…))
            for function in (value, *(getattr(value, part, None) for part in ("__func__", "fget", "func", "__wrapped__"))):
                if isinstance(function, FunctionType):
                    variables, attributes = loaded(function.__code__)
                    if variables & {"getattr", "vars"} or "__dict__" in attributes:
                        self.whole.add(kind)
                    self.names |= attributes
                    if not is_foreign(kind.__module__):
                        self.add(function)

    def read(self, code: CodeType) -> None:
        """Note all that code, with what is defined in it, names.

        ``getattr(x, "scale", 1)`` and ``except AttributeError`` ask for names that may be missing.
        """
        variables, attributes = loaded(code)
        self.names |= attributes
        self.computed = self.computed or not variables.isdisjoint({"getattr", "vars"}) or "__dict__" in attributes
        if "AttributeError" in variables:  # try: x.scale
            self.asked |= attributes
        if variables & {"getattr", "hasattr"}:
            self.asked.update(c for c in code.co_consts if isinstance(c, str) and c.isidentifier())
            self.names |= self.asked
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                self.read(inner)

    def values(self) -> Iterator[tuple[Any, str, Callable[[str], Any], Any]]:
        """All that is read by name: whose it is, the name, where it is found, its value now."""
        for f in self.functions:
            for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
                if is_full(cell):
                    yield cell, name, functools.partial(content, cell), cell.cell_contents
            if is_foreign(f.__module__):
                continue
            for name in self.names & vars(f).keys():
                yield f, name, vars(f).get, vars(f)[name]
            for part in ("__defaults__", "__kwdefaults__", "__code__"):
                yield f, part, f.__getattribute__, getattr(f, part)
            for name in loaded(f.__code__)[0] & f.__globals__.keys():
                yield f.__globals__, name, f.__globals__.get, f.__globals__[name]
        for x in self.objects:
            own = attributes(x)
            for name in own if self.whole.intersection(type(x).__mro__) else self.names & own.keys():
                yield x, name, own.get, own[name]
            if isinstance(x, ModuleType):
                continue
            shared = self.shared(x if isinstance(x, type) else type(x))
            for name in self.names & shared.keys() - own.keys():
                member = shared[name]
                if not isinstance(member, MemberDescriptorType):
                    yield x, name, own.get, None  # an attribute of the object would hide that of its class
                elif (value := slot(x, member, name)) is not None:
                    yield x, name, functools.partial(slot, x, member), value
            for name in self.asked - own.keys() - shared.keys():
                if not hasattr(type(x), name):
                    yield x, name, own.get, None

    def shared(self, kind: type) -> dict[str, Any]:
        """What the classes of an object have by name: __slots__ and what an object's own would hide."""
        if kind not in self.of_class:
            own = [vars(k) for k in reversed(kind.__mro__) if not is_foreign(k.__module__)]
            known = {"forward": kind.forward} if issubclass(kind, Module) else {}
            self.of_class[kind] = known | {name: x for members in own for name, x in members.items() if not is_special(name)}
        return self.of_class[kind]


class Values:
    """Values by name, with where to find them, compared all at once."""

    def __init__(self, entries: Iterable[tuple[str, Callable[[str], Any], Any]]) -> None:
        found = [*entries]
        self.pairs: list[tuple[Callable[[str], Any], str]] = [(get, name) for name, get, _ in found]
        self.expected = [value for _, _, value in found]

    def first_change(self) -> str:
        """The name of one that is neither the same object as before nor an equal number; empty if there is none."""
        try:
            now = [get(name) for get, name in self.pairs]
        except (AttributeError, ValueError):
            return "a variable that was deleted"
        if not all(map(is_, now, self.expected)):
            for (_, name), a, b in zip(self.pairs, now, self.expected, strict=True):
                if not same(a, b):
                    return name
            self.expected = now
        return ""


def same(a: Any, b: Any) -> bool:
    """The same object, or an equal number or text."""
    return a is b or (type(a) is type(b) and isinstance(a, COMPARED) and bool(a == b))


def contents(container: Any) -> list[Collection[Any]]:
    """What is in a list, a tuple, a dict or a set, as views that show what is in it later."""
    return [container.keys(), container.values()] if isinstance(container, MAPPINGS) else [container]


def snapshot(container: Any) -> list[tuple[Collection[Any], tuple[Any, ...]]]:
    """What is in a container that can be changed: the view, and what it shows now."""
    return [] if isinstance(container, (tuple, frozenset)) else [(part, tuple(part)) for part in contents(container)]


def is_unchanged(part: Collection[Any], listed: tuple[Any, ...]) -> bool:
    """Whether a view of a container shows what it has shown."""
    return len(part) == len(listed) and (all(map(is_, part, listed)) or all(map(same, part, listed)))


@functools.lru_cache(maxsize=1024)
def loaded(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The global variables and the attributes that code reads, with what is defined in it."""
    instructions = [(i.opname, i.argval) for i in dis.get_instructions(code)]
    variables = {name for opname, name in instructions if opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    attributes = {name for opname, name in instructions if opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")}
    inner = [loaded(c) for c in code.co_consts if isinstance(c, CodeType)]
    return frozenset(variables.union(*(v for v, _ in inner))), frozenset(attributes.union(*(a for _, a in inner)))


def attributes(x: Any) -> Mapping[str, Any]:
    """The attributes of an object, without asking it: some answer what they are asked for."""
    if isinstance(x, (type, ModuleType)):
        return vars(x)
    try:
        found: Mapping[str, Any] = object.__getattribute__(x, "__dict__")
    except AttributeError:
        return {}
    return found


def slot(x: Any, member: MemberDescriptorType, name: str) -> Any:
    """The value of an attribute that is declared in __slots__."""
    try:
        return member.__get__(x)
    except AttributeError:
        return None


def array_of(x: Any) -> np.ndarray[Any, Any]:
    """The numbers of an array or a Tensor."""
    found: np.ndarray[Any, Any] = x.array if isinstance(x, Node) else x
    return found


def owner(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array that a view is a part of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def is_special(name: str) -> bool:
    """Whether Python itself calls what has this name."""
    return name.startswith("__") and name.endswith("__")


@functools.cache
def calls_by_name(kind: type) -> bool:
    """Whether a class comes from a package whose code is not read and may call any method; Module calls forward alone."""
    functions = (name for name, x in vars(kind).items() if isinstance(x, FunctionType) and not is_special(name))
    return is_foreign(kind.__module__) and not issubclass(kind, Module) and any(functions)


@functools.cache
def is_foreign(module: str | None) -> bool:
    """Whether a module belongs to Python, to this library or to an installed package."""
    if module is None or module.partition(".")[0] in FOREIGN:
        return module is not None
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and file.startswith(INSTALLED)


def content(cell: CellType, name: str) -> Any:
    """The value of a variable of a closure."""
    return cell.cell_contents


def is_full(cell: CellType) -> bool:
    """Whether a variable of a closure has a value."""
    try:
        cell.cell_contents  # noqa: B018  # asking is the test
    except ValueError:
        return False
    return True
