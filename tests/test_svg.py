"""The drawing as SVG, PNG and PDF: well formed whatever the names are, readable, the same each time, at peace with its page."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import graphs_by_hand as by_hand
import pytest

from tinygrad_mlp.errors import MissingExtraError, UnknownNameError
from tinygrad_mlp.viz.arrange.layout import layout
from tinygrad_mlp.viz.arrange.view import visible as seen_of
from tinygrad_mlp.viz.forms import render
from tinygrad_mlp.viz.forms.palette import EDGES, KINDS, PALETTE, css, css_variables
from tinygrad_mlp.viz.forms.svg import svg
from tinygrad_mlp.viz.graph import measure
from tinygrad_mlp.viz.graph.measure import BOLD, PLAIN, shorten, visible, width

NAMESPACE = "{http://www.w3.org/2000/svg}"


def elements(text: str, name: str, **attributes: str) -> list[ET.Element]:
    """The elements of a drawing with these attributes; a class may be one of several."""
    found = []
    for element in by_hand.parsed(text).iter(NAMESPACE + name):
        given = {"class_": element.get("class", "").split()}
        if all(v in given[k] if k in given else element.get(k) == v for k, v in attributes.items()):
            found.append(element)
    return found


def words(text: str) -> str:
    """All text that is seen."""
    return "\n".join("".join(element.itertext()) for element in elements(text, "text"))


# --- widths of text ----------------------------------------------------------------------------------------------------


def fonts(bold: bool) -> list[dict[str, float]]:
    """Advances in em of the fonts that the table is made from."""
    matplotlib = pytest.importorskip("matplotlib")
    ttlib, agl = pytest.importorskip("fontTools.ttLib"), pytest.importorskip("fontTools.agl")
    folder = Path(matplotlib.get_data_path()) / "fonts"
    found = []
    for name in ("DejaVuSans-Bold.ttf", "DejaVuSans-BoldOblique.ttf") if bold else ("DejaVuSans.ttf", "DejaVuSans-Oblique.ttf"):
        font = ttlib.TTFont(folder / "ttf" / name)
        metrics, em = font["hmtx"].metrics, font["head"].unitsPerEm
        found.append({chr(code): metrics[glyph][0] / em for code, glyph in font.getBestCmap().items()})
    lines = (folder / "pdfcorefonts" / f"Helvetica{'-Bold' if bold else ''}.afm").read_text(encoding="latin-1")
    named = re.findall(r"^C .*?; WX (\d+) ; N (\w+)", lines, flags=re.MULTILINE)
    return [*found, {agl.toUnicode(name): int(wide) / 1000 for wide, name in named}]


@pytest.mark.parametrize("bold", [False, True])
def test_widths_are_those_of_the_fonts(bold: bool) -> None:
    sources = fonts(bold)
    for hundredths, characters in (BOLD if bold else PLAIN).items():
        for ch in characters:
            assert hundredths == math.ceil(round(100 * max(font[ch] for font in sources if ch in font), 6)), ch


def test_the_tables_hold_what_formulas_use() -> None:
    used = "".join(map(chr, range(32, 127))) + "ᵀ⊙Σ∂√²³⁻₀₁₂₃₄₅₆₇₈₉≤≥≠−·×→∞σπμλ…▸⚠⏎ᵧ"
    assert [ch for ch in used if measure.advance(ch, False) == measure.UNKNOWN and ch not in "".join(PLAIN.values())] == ["ᵧ"]
    assert {ch for table in (PLAIN, BOLD) for ch in "".join(table.values())} == set("".join(PLAIN.values()))


def test_widths_of_other_characters() -> None:
    assert width("é", 10) == width("e\u0301", 10) == width("e", 10)
    assert width("中😀", 10) == 25.0
    assert width("\u200d\u0301", 10) == 0
    assert width("ab", 10, True) > width("ab", 10) > 0 == width("", 10)


@pytest.mark.parametrize("text", by_hand.HOSTILE, ids=ascii)
def test_shortened_text_is_harmless(text: str) -> None:
    assert len(visible(text)) <= len(text)
    for most in (1, 2, 12, 40):
        short = shorten(text, most)
        assert not any(unicodedata.category(ch) in ("Cc", "Cs", "Zl", "Zp") for ch in short)
        assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff") & set(short)
        assert len(measure.signs_of(short)) <= most
        short.encode("utf-8")
    assert shorten(text, 1000) == visible(text)


def test_shortening_cuts_the_middle_and_no_sign_in_two() -> None:
    assert shorten("encoder.layers.11.attention.weight", 16) == "encoder.….weight"
    assert shorten("👩‍🚀" * 9, 3) == "👩‍🚀…👩‍🚀"
    assert shorten("e\u0301" * 9, 4) == "e\u0301e\u0301…e\u0301"
    assert visible("a" + "\u0301" * 50) == "a" + "\u0301" * measure.MARKS
    assert len(shorten("a\u200d" * 300, 5)) < 60


# --- colours -----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", PALETTE)
def test_contrasts(theme: str) -> None:
    c = PALETTE[theme]
    grounds = ("background", "group-a", "group-b")
    fills = tuple(f"{kind}-fill" for kind in KINDS)
    inks = ("text", "muted", "formula", "derivative", "edge-nan")
    too_low = [(ink, on, contrast(c[ink], c[on])) for ink in inks for on in grounds + fills if contrast(c[ink], c[on]) < 4.5]
    lines = [(edge, on) for edge in (*EDGES, "group-line") for on in grounds]
    lines += [(f"{kind}-line", on) for kind in KINDS for on in (*grounds, f"{kind}-fill")]
    too_low += [(line, on, contrast(c[line], c[on])) for line, on in lines if contrast(c[line], c[on]) < 3]
    assert too_low == []
    assert PALETTE["light"].keys() == PALETTE["dark"].keys()


def test_levels_of_the_gradient_grow_in_contrast() -> None:
    for c in PALETTE.values():
        steps = [contrast(c[f"edge-{i}"], c["background"]) for i in range(5)]
        assert steps == sorted(steps)


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_style_sheet_stays_in_its_drawing(theme: str) -> None:
    rules = css("tg-x", theme)
    flat = re.sub(r"@media \([^)]*\) \{|@media print \{", "", rules)
    selectors = [s.strip() for group in re.findall(r"([^{}]+)\{[^{}]*\}", flat) for s in group.split(",")]
    assert len(selectors) > 30
    assert [s for s in selectors if s != ".tg-x" and not s.startswith(".tg-x ")] == []
    assert rules.count("{") == rules.count("}")
    assert ("prefers-color-scheme" in rules, "@media print" in rules) == (theme == "auto", theme == "auto")
    assert f"--input-fill: {PALETTE['dark' if theme == 'dark' else 'light']['input-fill']};" in css_variables(theme)
    assert set(re.findall(r"var\(--([\w-]+)\)", rules)) <= PALETTE["light"].keys()
    assert "url(" not in rules
    assert "@import" not in rules


def test_an_unknown_theme() -> None:
    with pytest.raises(UnknownNameError, match="unknown theme 'drak': did you mean 'dark'"):
        by_hand.picture(by_hand.mlp(), theme="drak")


# --- the drawing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "theme", "direction"), list(itertools.product(by_hand.ALL, ["auto", "light", "dark"], ["TB", "LR"]))
)
def test_well_formed_and_complete(name: str, theme: str, direction: str) -> None:
    description = {**by_hand.ALL[name](), "direction": direction}
    text = by_hand.picture(description, theme=theme)
    root = by_hand.parsed(text)
    assert (root.tag, root.get("role")) == (NAMESPACE + "svg", "img")
    assert [child.tag for child in root][:2] == [NAMESPACE + "title", NAMESPACE + "desc"]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    seen = seen_of(description)
    assert len(elements(text, "g", class_="edge")) == len(seen["edges"])
    closed = [g for g in description["groups"] if not g["open"]]
    assert len(elements(text, "g", class_="open")) == len(description["groups"]) - len(closed)
    assert len(elements(text, "g", class_="closed")) == len(closed)
    for part in ("node", "edge", "group"):
        assert all("".join(g[0].itertext()).strip() for g in elements(text, "g", class_=part))  # a tooltip each
    assert {e.tag.removeprefix(NAMESPACE) for e in root.iter()} <= set(
        "svg title desc style rect g path polygon text tspan circle".split()
    )
    assert not re.search(r"<!|href|url\(|\son\w+=|javascript:", re.sub(r">[^<]*<", "><", text))


def test_the_picture_of_the_study() -> None:
    text = by_hand.picture(by_hand.mlp())
    assert [len(elements(text, "g", class_=c)) for c in ("node", "edge", "open")] == [12, 11, 3]
    shown = words(text)
    for part in (
        "linear1.weight",
        "(4, 8) float64",
        "dx = g Wᵀ",
        "z = max(0, x)",
        "3.9e-2",
        "model MLP",
        "linear2 Linear(8, 3)",
        "= 1.2668",
    ):
        assert part in shown
    desc = elements(text, "desc")[0].text or ""
    assert desc == (
        "6 operations, 4 parameters with 67 numbers, 12 nodes and 11 edges. Loss 1.267. "
        "In order of execution: matmul, add, relu, matmul, add, cross_entropy."
    )


def test_shapes_tell_the_kinds_apart_without_colour() -> None:
    text = by_hand.picture(by_hand.mlp())
    forms = {}
    for g in elements(text, "g", class_="node"):
        box = g.find(f"{NAMESPACE}rect")
        assert box is not None
        forms[g.get("class")] = (box.get("rx"), box.get("stroke-width"), box.get("stroke-dasharray"))
    assert forms["node input"] == ("18", "1.6", None)
    assert forms["node constant"] == ("18", "1.6", "5 4")
    assert forms["node parameter"] == (None, "1.6", None)
    assert forms["node op linear"] == ("6", "1.6", None)
    assert forms["node op loss"] == ("6", "2.8", None)
    deep = by_hand.picture(by_hand.folded())
    assert [len(g.findall(f"{NAMESPACE}rect")) for g in elements(deep, "g", class_="closed")] == [3, 2]  # a stack; a double border


@pytest.mark.parametrize("name", sorted(set(by_hand.ALL) - {"hostile"}))
def test_text_fits_its_box(name: str) -> None:
    text = by_hand.picture(by_hand.ALL[name]())
    for g in itertools.chain(elements(text, "g", class_="node"), elements(text, "g", class_="closed")):
        box = g.findall(f"{NAMESPACE}rect")[-1]
        x, wide = float(box.get("x", 0)), float(box.get("width", 0))
        y, high = float(box.get("y", 0)), float(box.get("height", 0))
        for line in g.findall(f"{NAMESPACE}text"):
            if line.text == "⚠":
                continue  # the sign on the corner
            size = float(line.get("font-size", 0))
            half = width(line.text or "", size, line.get("font-weight") == "bold") / 2
            assert x <= float(line.get("x", 0)) - half
            assert float(line.get("x", 0)) + half <= x + wide
            assert y + size * 0.7 <= float(line.get("y", 0)) <= y + high - size * 0.2


@pytest.mark.parametrize("name", by_hand.ALL)
def test_titles_and_legend_stay_inside(name: str) -> None:
    text = by_hand.picture(by_hand.ALL[name]())
    whole = float(by_hand.parsed(text).get("width", 0))
    for g in elements(text, "g", class_="legend"):
        for line in g.findall(f"{NAMESPACE}text"):
            if " " in (line.text or ""):
                assert 16 + float(line.get("x", 0)) + width(line.text or "", 12) <= whole
    for g in elements(text, "g", class_="open"):
        frame, title = g.find(f"{NAMESPACE}rect"), g.find(f"{NAMESPACE}text")
        assert frame is not None
        assert title is not None
        wide = sum(width(f"{s.text} ", float(s.get("font-size", 0)), s.get("font-weight") == "bold") for s in title)
        assert wide <= float(frame.get("width", 0))


def test_special_edges() -> None:
    text = by_hand.picture(by_hand.ailing())
    dashes = {}
    for g in elements(text, "g", class_="edge"):
        line = g.find(f"{NAMESPACE}path")
        assert line is not None
        dashes[g.get("class", "").split()[1]] = (line.get("stroke-dasharray"), line.get("stroke-width"))
    assert dashes == {"zero": ("9 5", "1.6"), "none": ("1.5 4", "1.4"), "nan": (None, "4.6"), "flow": (None, "2.8")}
    shown = words(text)
    for part in (
        "NaN!",
        "gradient exactly 0",
        "NaN or infinite",
        "no gradient flows",
        "⚠ NaN first in log, forward",
        "1e−4 … 1e−2",
    ):
        assert part in shown
    assert len(elements(text, "circle", class_="badge")) == 1
    tips = [t.text or "" for t in elements(text, "title")]
    assert any("gradient that flows back: exactly 0" in t for t in tips)
    assert any("7 entries are NaN or infinite" in t for t in tips)


def test_before_the_backward_pass() -> None:
    text = by_hand.picture(by_hand.unknown())
    assert {g.get("class") for g in elements(text, "g", class_="edge")} == {"edge unknown edge-unknown"}
    shown = words(text).replace("\n", " ")
    assert "no gradients: call loss.backward() before drawing" in shown
    assert "gradient RMS" not in shown
    assert "gradients flow back" not in shown


def test_two_uses_are_two_edges_with_numbers_at_their_heads() -> None:
    text = by_hand.picture(by_hand.square())
    assert len(elements(text, "g", class_="edge")) == 4
    numbered = [[t.text for t in g.findall(f"{NAMESPACE}text")] for g in elements(text, "g", class_="edge")]
    assert numbered == [["3", "1"], ["3", "2"], ["1"], ["−1"]]
    assert "x → multiply, argument 2: gradient that flows back: 3; 3rd of 3 contributions to x" in [
        t.text for t in elements(text, "title")
    ]


def test_nothing_is_hidden_silently() -> None:
    text = by_hand.picture(by_hand.folded())
    shown = words(text).replace("\n", " ")
    assert "showing 2 of 8 nodes: (Linear → relu) × 5 folded, head (Sequential) closed" in shown
    assert "folded" in shown
    assert "closed module" in shown
    assert "showing" not in words(by_hand.picture(by_hand.mlp()))
    silent = by_hand.picture(by_hand.folded(), legend=False)
    assert "showing 2 of 8" in (elements(silent, "desc")[0].text or "")
    assert not elements(silent, "g", class_="legend")


def test_an_open_group_warns_in_its_title() -> None:
    description = by_hand.mlp()
    description["groups"][0]["warn"] = "nan"
    text = by_hand.picture(description)
    assert "model MLP ⚠ NaN or ∞ inside" in words(text)
    assert len(elements(text, "circle", class_="badge")) == 1


def test_legend_names_only_what_is_there() -> None:
    shown = words(by_hand.picture(by_hand.mlp()))
    for part in ("input", "parameter", "linear algebra", "arithmetic", "activation", "loss", "input without gradient"):
        assert f"\n{part}\n" in shown
    for part in ("reduction", "shape", "custom rule", "closed module", "folded", "gradient exactly 0", "NaN or infinite"):
        assert f"\n{part}\n" not in shown


def test_literal_colours_in_a_forced_theme() -> None:
    for theme in ("light", "dark"):
        text = by_hand.picture(by_hand.mlp(), theme=theme)
        assert "var(" not in text
        assert "<style" not in text
        assert PALETTE[theme]["parameter-fill"] in text
    auto = by_hand.picture(by_hand.mlp())
    fills = [(r.get("fill") or "") for r in elements(auto, "rect")]
    assert set(fills) <= set(PALETTE["light"].values())  # what programs without style sheets show


# --- sameness ----------------------------------------------------------------------------------------------------------

PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import graphs_by_hand as by_hand
print(*(hashlib.sha256(by_hand.picture(make()).encode()).hexdigest() for make in by_hand.ALL.values()))
"""


def test_same_bytes_each_time() -> None:
    told = set()
    for seed in ("0", "1", "77"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.add(run.stdout)
    assert len(told) == 1
    assert by_hand.picture(by_hand.mlp()) == by_hand.picture(json.loads(json.dumps(by_hand.mlp())))


def test_two_drawings_share_no_identifier() -> None:
    pictures = [by_hand.picture(make()) for make in by_hand.ALL.values()]
    pictures += [by_hand.picture(by_hand.mlp(), theme="dark"), by_hand.picture(by_hand.mlp(), legend=False)]
    prefixes = [re.findall(r"tg-[0-9a-f]{10}", text) for text in pictures]
    assert all(len(set(found)) == 1 for found in prefixes)
    assert len({found[0] for found in prefixes}) == len(pictures)
    for text in pictures:
        assert all(g.get("id", "").startswith("tg-") for g in elements(text, "g", class_="node"))


def test_a_graph_of_ten_thousand_nodes() -> None:
    nodes = [by_hand.node(i, "op" if i else "input", "relu" if i else "x", [2]) for i in range(10_000)]
    edges = [by_hand.edge(i, i, i + 1, 0.1) for i in range(9_999)]
    description = by_hand.graph(nodes, edges)
    root = [{"id": n["id"], "width": n["width"], "height": n["height"]} for n in nodes]
    boxes = {n["id"]: [0.0, 100.0 * i, n["width"], n["height"]] for i, n in enumerate(nodes)}
    lines = {e["id"]: {"points": [[50.0, 100.0 * i + 80], [50.0, 100.0 * i + 100]], "label": None} for i, e in enumerate(edges)}
    seen = [{**e, "members": [e["id"]], "label": "", "label_width": 0.0} for e in edges]
    placed: dict[str, Any] = {"width": 200.0, "height": 1e6, "boxes": boxes, "edges": lines}
    assert svg(description, {"root": root, "edges": seen}, placed).count('class="node') == 10_000


# --- pixels and paper --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_hand.ALL)
def test_png_and_pdf(name: str) -> None:
    pytest.importorskip("matplotlib")
    text = by_hand.picture(by_hand.ALL[name](), theme="light")
    drawn = render.png(text, 1.0)
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    size = int.from_bytes(drawn[16:20], "big"), int.from_bytes(drawn[20:24], "big")
    root = by_hand.parsed(text)
    assert size == pytest.approx((float(root.get("width", 0)), float(root.get("height", 0))), abs=1)
    paper = render.pdf(text)
    assert paper[:5] == b"%PDF-"
    assert (render.png(text, 1.0), render.pdf(text)) == (drawn, paper)


def test_png_shows_boxes_where_they_are() -> None:
    pytest.importorskip("matplotlib")
    import io

    from matplotlib.image import imread

    description = by_hand.mlp()
    seen = seen_of(description)
    placed = layout(seen["root"], seen["edges"], "TB")
    text = svg(description, seen, placed, theme="light", legend=False)
    pixels = imread(io.BytesIO(render.png(text, 2.0)))
    for node in description["nodes"]:
        x, y, w, h = placed["boxes"][node["id"]]
        fill = PALETTE["light"][f"{node['category'] or node['kind']}-fill"]
        found = pixels[int(2 * (y + 16 + h - 5)), int(2 * (x + 16 + w / 2))]
        assert [round(255 * v) for v in found[:3]] == [int(fill[i : i + 2], 16) for i in (1, 3, 5)], node["title"]


def test_png_does_not_follow_the_users_settings() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    text = by_hand.picture(by_hand.hostile(), theme="light")
    usual = render.png(text, 0.5)
    with matplotlib.rc_context(
        {
            "font.family": ["serif"],
            "lines.scale_dashes": True,
            "savefig.bbox": "tight",
            "savefig.transparent": True,
            "text.antialiased": False,
        }
    ):
        assert render.png(text, 0.5) == usual
    assert len(render.png(text, 100.0)) > 0  # scaled down, not out of memory


def test_png_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (render.png, render.pdf):
        with pytest.raises(MissingExtraError, match=r"needs the package 'matplotlib', .*: pip install 'tinygrad_mlp\[pictures\]'"):
            draw("<svg/>")
