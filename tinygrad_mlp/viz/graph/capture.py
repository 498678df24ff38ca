"""From a recorded graph to its description: every node, edge and module call, with the numbers as they are now, copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...chainrule.forms import operation
from ...chainrule.names import known_objects, stored_names
from ...graph import Node as Recorded
from ...kernels.shapes import Array
from ...nn import Parameter
from .calls import Stretch, attribute_name, call_tree, common, dissolve, lineage, owners, parameter_titles
from .comparing import Slope, numeric_slopes
from .formulas import Formulas, Told, category, letters
from .ir import VERSION, Edge, Graph, Group, Node
from .labels import box_size, label_width, leaf_lines, operation_lines, shorten
from .measure import visible
from .numbers import brief, json_number, statistics
from .outputs import backward_order, checked_seeds
from .ramp import graded
from .rehearsal import Naive, Rehearsal, naive, rehearse
from .titles import by_use, heading, source_line

__all__ = ["Capture"]

NUMBERS_UP_TO = 2000
"""In graphs with more operations the formulas are not repeated with numbers: that would take longer than the whole rest."""

NAIVE_UP_TO = 500
"""The naive order is of use where one can follow it."""

DATA = {("linear", 0), ("matmul", 0), ("conv", 0), ("cross_entropy", 1), ("mse_loss", 1), ("binary_cross_entropy_with_logits", 1)}
"""Where an array without a name is taken for data, which came from outside of all modules."""


class Capture:
    """A graph that is being described.

    Parameters
    ----------
    outputs : Tensors, before their graph is freed
    variables : where names are looked up, nearest first
    seeds : the gradients that arrive at the outputs; by default 1 where an output has one entry
    gradients : whether the backward pass is run (nothing is changed by it)
    full : whether the result of each operation gets a box of its own
    parameters : whether parameters are drawn

    Raises
    ------
    GraphError
        If the graph has been freed by a ``backward()``.
    ShapeError, TensorTypeError
        For seeds that do not fit.
    """

    def __init__(
        self,
        outputs: Sequence[Recorded],
        variables: Sequence[Mapping[str, Any]] = (),
        *,
        seeds: Sequence[Array | None] | None = None,
        gradients: bool = True,
        full: bool = False,
        parameters: bool = True,
    ) -> None:
        self.outputs, self.variables, self.full, self.with_parameters = list(outputs), variables, full, parameters
        self.order = backward_order(self.outputs)
        self.made = sorted((n for n in self.order if n.op is not None), key=lambda n: n.stamp)
        self.seeds, self.why = checked_seeds(self.outputs, seeds)
        self.passed = Rehearsal()
        self.naive: Naive | None = None
        if not gradients:
            self.seeds, self.why = {}, "gradients were not asked for"
        if self.seeds:
            self.passed = rehearse(self.order, self.seeds)
            sums = any(len(edges) > 1 and node.op is not None for node, edges in self.passed.arrivals.items())
            if sums and len(self.made) <= NAIVE_UP_TO:
                self.naive = naive(self.order, self.seeds, self.passed)
        self.uses: dict[Any, list[tuple[Recorded, int]]] = {}
        for node in self.made:
            for i, x in self.drawn_inputs(node):
                self.uses.setdefault(key_of(x), []).append((node, i))
        self.rank = {e: (i, len(es)) for es in self.passed.arrivals.values() for i, e in enumerate(es, 1)}
        self.objects = known_objects((), *variables)
        self.given = {id(value): name for name, value in variables[0].items()} if variables else {}
        self.roots = call_tree(self.made, variables)
        self.owner = owners([x for x in self.uses if isinstance(x, Recorded)] + self.order, self.roots)
        self.titles = parameter_titles(self.roots)
        self.stored = stored_names(self.made)
        self.formulas = Formulas()
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.ids: dict[Any, str] = {}
        self.results: dict[Any, str] = {}
        self.homes: dict[str, list[Stretch | None]] = {}

    def graph(self, title: str = "") -> Graph:
        """The whole description. To be asked for once."""
        for node in self.made:
            for i, x in self.drawn_inputs(node):
                if key_of(x) not in self.ids:
                    self.leaf(x, node, i)
            self.operation(node)
        for node in self.outputs:
            if node not in self.ids:
                self.leaf(node, None, 0)
        groups = self.grouped()
        bad, naive_order = self.first_bad(), self.naive_order()
        dissolve(self.roots)
        ramp = graded(self.edges)
        return {
            "version": VERSION, "title": visible(str(title)) or heading(self.outputs, self.roots, self.variables),
            "detail": "full" if self.full else "op", "direction": "TB",
            "gradients": bool(self.seeds), "why": self.why, "counts": self.counts(), "ramp": ramp,
            "loss": self.loss(), "bad": bad, "nodes": self.nodes, "edges": self.edges, "groups": groups,
            "steps": {"forward": [self.ids[n] for n in self.made], "backward": [self.ids[n] for n in self.passed.order]},
            "naive": naive_order, "compare": None,
        }  # fmt: skip

    def gradients(self) -> dict[str, Array]:
        """The gradients of the leaves, by the identifiers of their nodes."""
        return {self.ids[x]: g for x, g in self.passed.arrived.items() if x.op is None and x in self.ids}

    def slopes(self) -> dict[str, Slope]:
        """The same by numeric differences; empty if those would take too long."""
        found = numeric_slopes(self.order, self.seeds, {x: g for x, g in self.passed.arrived.items() if x.op is None})
        return {self.ids[x]: slope for x, slope in found.items() if x in self.ids}

    def drawn_inputs(self, node: Recorded) -> Iterator[tuple[int, Any]]:
        """The inputs that have a box: Tensors and arrays; numbers stand in the formula."""
        tracked = dict(node.edges)  # of an input that was assigned to since, what it was
        for i, array in enumerate(node.arrays or ()):
            x = tracked.get(i, node.inputs[i])
            if isinstance(x, Recorded):
                if self.with_parameters or not (isinstance(x, Parameter) and x.op is None and x.tracked):
                    yield i, x
            elif isinstance(array, np.ndarray):
                yield i, x if isinstance(x, np.ndarray) else array

    # --- nodes --------------------------------------------------------------------------------------------------------

    def new(self, key: Any, array: Array, gradient: Array | None, **fields: Any) -> Node:
        """A node with all its fields."""
        node: Node = {
            "id": f"n{len(self.nodes)}", "kind": "", "category": "", "title": "", "name": "", "op": "", "shape": list(array.shape),
            "dtype": array.dtype.name, "group": None, "lines": [], "width": 0.0, "height": 0.0, "formula": "", "numbers": "",
            "derivatives": [], "value": statistics(array), "gradient": None if gradient is None else statistics(gradient),
            "source": "", "users": len(self.uses.get(key, ())), "tracked": False, "output": any(key is y for y in self.outputs),
        }  # fmt: skip
        node.update(fields)  # type: ignore[typeddict-item]  # fields of a Node
        self.nodes.append(node)
        return node

    def leaf(self, x: Any, user: Recorded | None, place: int) -> None:
        """An input, a parameter or a constant."""
        key = key_of(x)
        array: Array = x.array if isinstance(x, Recorded) else x
        if user is not None:  # as it was when it was used
            array = np.asarray((user.arrays or ())[place])
        tracked = isinstance(x, Recorded) and x.tracked
        attribute = attribute_name(x, self.owner.get(user)) if user is not None else ""
        # a leaf with a gradient is a parameter if a module has it, and where there are no modules
        owned = key in self.titles or (tracked and (isinstance(x, Parameter) or not self.titles or attribute != ""))
        kind = "parameter" if owned else "input" if tracked or (array.dtype.kind in "fc" and array.ndim) else "constant"
        name = self.titles.get(key, "") or attribute or self.objects.get(id(x), "")
        shown = name or by_use(user, place, kind)
        node = self.new(key, array, self.passed.arrived.get(key), kind=kind, title=shown, name=shown, tracked=tracked)
        node["lines"] = leaf_lines(shown, array.shape, array.dtype.name, node["value"], node["gradient"], self.arrivals(key))
        node["width"], node["height"] = box_size(node["lines"])
        self.ids[key] = self.results[key] = node["id"]
        self.homes[node["id"]] = self.homes_of(x, bool(name))

    def homes_of(self, x: Any, named: bool) -> list[Stretch | None]:
        """The calls in which a leaf may be drawn: those of its users for what belongs to modules, else the one that made it."""
        uses = self.uses.get(key_of(x), [])
        users = [self.owner.get(node) for node, _ in uses]
        if key_of(x) in self.titles or any(attribute_name(x, call) for call in users):
            return [
                call for call in users if call is not None and call.module is not None
            ] or users  # a penalty uses it from outside
        if isinstance(x, Recorded):
            return [self.owner.get(x)]
        data = named or any(node.op is not None and (node.op.name, i) in DATA for node, i in uses)
        return [None] if data else users

    def operation(self, node: Recorded) -> None:
        """An operation and its result."""
        op = operation(node)
        arrived = self.passed.arrived.get(node)
        flows: dict[int, Array | None] = {
            i: self.passed.sent.get((node, i)) for i, _ in node.edges if op.rules[0 if op.variadic else i] is not None
        }
        told = self.formulas.of(node, flows, arrived, len(self.made) <= NUMBERS_UP_TO)
        name = self.name_of(node)
        box = self.new(
            node, node.array, arrived, kind="op", category=category(op), title=op.name, name=name, op=op.name, tracked=True,
            formula=told.formula, numbers=told.numbers, derivatives=told.derivatives, source=source_line(node),
        )  # fmt: skip
        lines = operation_lines(
            op.name, name, told.formula, told.derivatives, node.array.shape, box["value"], box["gradient"], self.arrivals(node)
        )
        if node.array.dtype.kind == "c":
            lines.append(("muted", "sizes of complex numbers; g, dx: conjugates"))
        box["lines"] = lines if not self.full else [line for line in lines if line[0] in ("title", "formula", "derivative")]
        box["width"], box["height"] = box_size(box["lines"])
        drawn = sum(1 for _ in self.drawn_inputs(node))
        box["width"] = max(box["width"], 28.0 * min(drawn, 5) + 30) if drawn > 2 else box["width"]  # room for arrows with letters
        self.ids[node] = self.results[node] = box["id"]
        self.homes[box["id"]] = [self.owner.get(node)]
        self.connect(node, told)
        if self.full:
            self.result(node, box, arrived)

    def name_of(self, node: Recorded) -> str:
        """What a result is called: the variable that the user's line stores it in, or one that holds it."""
        return self.given.get(id(node), "") or self.stored.get(node, "") or self.objects.get(id(node), "")

    def result(self, node: Recorded, box: Node, arrived: Array | None) -> None:
        """The box of an operation's result, and the edge to it."""
        shown = self.name_of(node) or "z"
        found = self.new(node, node.array, arrived, kind="tensor", title=shown, name=shown, tracked=True, source=box["source"])
        found["lines"] = leaf_lines(shown, node.array.shape, node.array.dtype.name, found["value"], found["gradient"])
        found["width"], found["height"] = box_size(found["lines"])
        box["output"] = False
        self.results[node] = found["id"]
        self.homes[found["id"]] = self.homes[box["id"]]
        self.edge(box["id"], found["id"], 0, "", arrived, None, (1, 1), differentiable=True)

    # --- edges --------------------------------------------------------------------------------------------------------

    def arrivals(self, key: Any) -> int:
        """How many contributions a gradient is the sum of."""
        return len(self.passed.arrivals.get(key, ()))

    def connect(self, node: Recorded, told: Told) -> None:
        """The edges into an operation."""
        drawn = list(self.drawn_inputs(node))
        names = letters(node.op, len(node.arrays or ())) if node.op is not None and not node.op.variadic else []
        differentiable = {d["argument"] for d in told.derivatives}
        for i, x in drawn:
            place = (node, i)
            sign = names[i] if len(drawn) > 1 and names else ""
            order, of = self.rank.get(place, (0, 0))
            running = self.passed.running.get(place) if of > 1 else None
            sent = self.passed.sent.get(place)
            self.edge(self.results[key_of(x)], self.ids[node], i, sign, sent, running, (order, of), i in differentiable)

    def edge(
        self,
        source: str,
        target: str,
        argument: int,
        sign: str,
        sent: Array | None,
        running: Array | None,
        rank: tuple[int, int],
        differentiable: bool,
    ) -> None:
        """An edge, with what flows back along it."""
        gradient = None if sent is None else brief(sent)
        state, label = "none", ""
        if gradient is not None:
            state = "nan" if gradient["nan"] else "zero" if gradient["zero"] else "flow"
            label = {"nan": "NaN!" if sent is not None and np.isnan(sent).any() else "∞!", "zero": "0"}.get(state, gradient["text"])
        elif differentiable:
            state = "unknown" if not self.seeds else "none"
        self.edges.append({
            "id": f"e{len(self.edges)}", "source": source, "target": target, "argument": argument, "label": label,
            "label_width": label_width(label), "state": state, "level": 0, "sign": sign, "gradient": gradient,
            "order": rank[0], "of": rank[1],
            "running": None if running is None else brief(running),
        })  # fmt: skip

    # --- groups -------------------------------------------------------------------------------------------------------

    def grouped(self) -> list[Group]:
        """A group for each call of a module with more than one box in it; every node is told its group."""
        homes = {name: common(places) for name, places in self.homes.items()}
        inside: dict[Stretch, int] = {}
        for node in self.nodes:
            for call in lineage(homes[node["id"]]):
                inside[call] = inside.get(call, 0) + (node["kind"] != "tensor")
        groups: dict[Stretch, Group] = {}
        for node in self.nodes:
            chain = [call for call in lineage(homes[node["id"]]) if inside[call] > 1]
            for call in reversed(chain):
                if call not in groups:
                    parent = next((c for c in lineage(call.parent) if inside[c] > 1), None)
                    groups[call] = new_group(f"g{len(groups)}", groups[parent]["id"] if parent is not None else None, call)
            node["group"] = groups[chain[0]]["id"] if chain else None
        return list(groups.values())

    # --- what is told of the whole ------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """How much there is of everything."""
        parameters = [n for n in self.nodes if n["kind"] == "parameter"]
        return {
            "operations": len(self.made), "parameters": len(parameters), "numbers": sum(n["value"]["size"] for n in parameters),
            "nodes": len(self.nodes), "edges": len(self.edges),
        }  # fmt: skip

    def loss(self) -> float | str | None:
        """The value of a single output with one entry."""
        alone = self.outputs[0].array if len(self.outputs) == 1 else np.zeros(0)
        return json_number(alone.ravel()[0].item()) if alone.size == 1 and alone.dtype.kind != "c" else None

    def first_bad(self) -> dict[str, str] | None:
        """Where a NaN begins, or an infinity that reaches the end: in an input, in a result, or else on the way back.

        Infinities on the way are no fault: a mask may hold them.
        """
        for bad, ends in ((np.isnan, self.made), (np.isinf, self.outputs)):
            if any(has(bad, node.array) for node in ends):
                for node in self.made:
                    if has(bad, node.array) and not any(has(bad, a) for a in node.arrays or ()):
                        return self.told_bad(self.ids[node], "forward", bad, f"{self.placed(node)}: the result")
                spoilt = next(n for n in self.nodes if n["kind"] != "op" and n["value"]["nan" if bad is np.isnan else "inf"])
                return self.told_bad(spoilt["id"], "forward", bad, f"{spoilt['title']}, which goes in")
        for node in self.passed.order:
            sent = [self.passed.sent[node, i] for i, _ in node.edges if (node, i) in self.passed.sent]
            for bad in (np.isnan, np.isinf):
                if np.isfinite(self.passed.arrived[node]).all() and any(has(bad, g) for g in sent):
                    return self.told_bad(self.ids[node], "backward", bad, f"{self.placed(node)}: the gradient that it sends back")
        return None

    def placed(self, node: Recorded) -> str:
        """An operation, with its module and the user's line."""
        call = self.owner.get(node)
        line = source_line(node)
        return f"{operation(node).name}{f' in {call.path}' if call is not None else ''}{f' ({line})' if line else ''}"

    def told_bad(self, node: str, phase: str, bad: Any, where: str) -> dict[str, str]:
        """Where a NaN or an infinity began, in words."""
        return {"node": node, "phase": phase, "words": f"{'NaN' if bad is np.isnan else '∞'} begins at {where}"}

    def naive_order(self) -> dict[str, Any] | None:
        """The naive order, if it makes a difference."""
        if self.naive is None:
            return None
        steps = [
            {
                "node": self.ids[v.node], "arrived": v.arrived, "of": v.of, "gradient": brief(v.gradient),
                "early": v.arrived < v.of, "sent": [{"argument": i, "gradient": brief(g)} for i, g in v.sent],
            }
            for v in self.naive.steps
        ]  # fmt: skip
        wrong = [
            {"node": self.ids[x], "naive": brief(g), "right": brief(self.passed.arrived[x])}
            for x, g in self.naive.wrong if x in self.ids
        ]  # fmt: skip
        return {"steps": steps, "wrong": wrong}


def key_of(x: Any) -> Any:
    """What tells an input from others: a Tensor itself, an array's identity."""
    return x if isinstance(x, Recorded) else ("array", id(x))


def new_group(name: str, parent: str | None, call: Stretch) -> Group:
    """The group of a call; what depends on its contents is entered later."""
    module = call.module
    subtitle = shorten(f"{type(module).__name__}({module.describe()})", 48) if module is not None else ""
    return {
        "id": name, "parent": parent, "kind": "module" if module is not None else "phase", "title": call.title,
        "subtitle": subtitle,
        "path": call.path, "lines": [], "width": 0.0, "height": 0.0, "title_width": 0.0, "operations": 0, "parameters": 0,
        "numbers": 0, "shape": None, "warn": "", "open": True,
    }  # fmt: skip


def has(bad: Callable[[Any], Any], x: Any) -> bool:
    """Whether an input or a result has a NaN, or an infinity."""
    return isinstance(x, (np.ndarray, np.generic, float, complex)) and np.asarray(x).dtype.kind in "fc" and bool(np.any(bad(x)))
