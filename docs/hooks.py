"""Mathematics in the built site: where KaTeX is installed in .katex, formulas become MathML, which browsers show without scripts."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
KATEX = ROOT / ".katex" / "node_modules" / "katex"
FORMULA = re.compile(r'<pre><code class="language-math">(.*?)</code></pre>|\$<code>(.*?)</code>\$', re.DOTALL)

ALIGNED = """<style>
mtable[columnalign^="right left"] > mtr > mtd:nth-child(odd) { text-align: right; }
mtable[columnalign^="right left"] > mtr > mtd:nth-child(even) { text-align: left; }
</style>"""
"""Browsers do not read the attribute that says so."""


def on_page_content(content: str, /, **others: Any) -> str:
    """Called by MkDocs with the HTML of each page."""
    formulas = [html.unescape(block or inline) for block, inline in FORMULA.findall(content)]
    if not formulas or shutil.which("node") is None or not KATEX.exists():
        return content
    command = ["node", str(ROOT / "tests" / "katex" / "render.js"), str(KATEX), "mathml"]
    run = subprocess.run(command, input=json.dumps(formulas), capture_output=True, text=True, check=True)
    rendered = iter(json.loads(run.stdout))

    def mathematics(found: re.Match[str]) -> str:
        text = re.sub(r"<annotation.*?</annotation>", "", next(rendered), flags=re.DOTALL)
        return text if found[1] else text.replace(' display="block"', "")

    return ALIGNED + FORMULA.sub(mathematics, content)
