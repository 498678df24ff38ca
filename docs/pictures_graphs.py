"""The pictures of docs/drawing.md and of the README: ``python docs/pictures_graphs.py`` draws them into docs/images/.

Drawings are SVG, which follow the reader's light or dark theme; of the page, screenshots are taken in both, for which Playwright and
a Chromium are needed (without them they are left as they are). ``--check`` fails if a drawing is not what would be drawn, but for
its numbers, whose last digits depend on the machine.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_mlp as tg
from tinygrad_mlp import nn
from tinygrad_mlp.viz import Drawing

IMAGES = Path(__file__).parent / "images"


def scalar() -> Drawing:
    """An expression of numbers, micrograd's case: e and d have two users each."""
    a, b, c, f = (tg.Tensor(x, requires_grad=True) for x in (2.0, -3.0, 10.0, -0.2))
    e = a * b
    d = e + c
    L = np.tanh(d * f) + d * e
    return tg.play(L)


def mlp() -> Drawing:
    """A network with one hidden layer."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 4)), rng.integers(0, 3, 16)
    model = nn.MLP([4, 8, 3], rng=0, dtype=np.float64)
    loss = nn.cross_entropy(model(X), y)
    return tg.play(loss, compare=tg.check.compare(model, "cross_entropy", X, y))


def mnist() -> Drawing:
    """The network of seed 003, 784-128-10, on a batch of 32."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((32, 784)), rng.integers(0, 10, 32)
    model = nn.MLP([784, 128, 10], rng=0, dtype=np.float64)
    loss = nn.cross_entropy(model(X), y)
    return tg.play(loss, compare=tg.check.compare(model, "cross_entropy", X, y))


def deep() -> Drawing:
    """A hundred layers: what is repeated is folded."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((16, 64)), rng.integers(0, 64, 16)
    model = nn.MLP([64] * 101, rng=0, dtype=np.float64)
    loss = nn.cross_entropy(model(X), y)
    return tg.play(loss)


class Block(nn.Module):
    """x + f(x): the gradient has two ways back."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.linear1 = nn.Linear(n, n, dtype=np.float64, rng=rng)
        self.linear2 = nn.Linear(n, n, dtype=np.float64, rng=rng)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """x + W₂ relu(W₁ x)."""
        return x + self.linear2(tg.relu(self.linear1(x)))


def residual() -> Drawing:
    """A residual block."""
    rng = np.random.default_rng(0)
    block = Block(8, rng)
    x = tg.Tensor(rng.standard_normal((5, 8)), requires_grad=True)
    loss = nn.mse_loss(block(x), np.zeros((5, 8)))
    return tg.play(loss)


class Attention(nn.Module):
    """softmax(Q Kᵀ / √n) V."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.query, self.key, self.value = (nn.Linear(n, n, bias=False, dtype=np.float64, rng=rng) for _ in range(3))
        self.n = n

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """One head."""
        Q, K, V = self.query(x), self.key(x), self.value(x)
        weights = tg.softmax(Q @ K.mT / self.n**0.5, axis=-1)
        return weights @ V


def attention() -> Drawing:
    """One head of attention: the input has three users."""
    rng = np.random.default_rng(0)
    head = Attention(8, rng)
    x = tg.Tensor(rng.standard_normal((6, 8)), requires_grad=True)
    loss = (head(x) ** 2).mean()
    return tg.play(loss)


def nan() -> Drawing:
    """A logarithm of a negative number: where the NaN begins, and where it goes."""
    x = tg.Tensor([-1.0, 2.0, 3.0], requires_grad=True)
    w = tg.Tensor([1.0, 1.0, 0.5], requires_grad=True)
    with np.errstate(invalid="ignore"):
        s = np.log(x * w)
        loss = (s * s).sum()
    return tg.play(loss)


def second() -> Drawing:
    """Second order: the graph of a derivative, the backward pass of x³ sin x in a frame of its own."""
    x = tg.Tensor(1.5, requires_grad=True)
    y = x**3 * np.sin(x)
    slope = tg.gradients(y, x, create_graph=True)
    return tg.play(slope)


EXAMPLES = {f.__name__: f for f in (scalar, mlp, mnist, deep, residual, attention, nan, second)}

SCENES = {"scalar": 0.67, "mlp": 0.75, "mnist": 0.63, "deep": 0.0, "residual": 0.8, "attention": 0.9, "nan": 0.0, "second": 0.5}
"""At which part of its steps each page is shown."""


def without_numbers(svg: str) -> str:
    """What does not depend on the machine: no digits, no places, no identifiers, no strengths."""
    return re.sub(r"tg-[0-9a-f]+|level-?\d|[−-]?\d+(\.\d+)?(e[−-]?\d+)?|M[ \d.,CLHVQ-]+", "#", svg)


def screenshots(pages: dict[str, str]) -> None:
    """The pages in a browser, light and dark."""
    try:
        from PIL import Image  # comes with Matplotlib
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        print(f"{missing.name} is not installed: the screenshots are left as they are (pip install playwright matplotlib)")
        return
    browsers = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next((found for name in browsers if (found := shutil.which(name))), None)
    if path is None:
        print("no Chromium was found: the screenshots are left as they are")
        return

    def kept(shot: bytes, name: str) -> None:
        """Written with a palette: a third of the size."""
        picture = Image.open(io.BytesIO(shot)).convert("RGB")
        picture.quantize(256, kmeans=3, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)

    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, html in pages.items():
            file = Path(folder) / f"{name}.html"
            file.write_text(html, encoding="utf-8")
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme, reduced_motion="reduce")
                page.goto(file.as_uri())
                page.wait_for_selector(".node")
                slider = page.locator("input[type=range]").first
                last = int(slider.get_attribute("max") or 0)
                slider.fill(str(round(SCENES[name] * last)))
                page.wait_for_timeout(400)
                kept(page.screenshot(), f"page-{name}-{scheme}.png")
                if name == "scalar":
                    page.get_by_label("naive recursive order").check()
                    slider.fill(str(last - 1))
                    page.wait_for_timeout(400)
                    kept(page.screenshot(), f"page-naive-{scheme}.png")
                page.close()
        browser.close()


def main() -> int:
    """Draw everything, or compare."""
    drawings = {name: example() for name, example in EXAMPLES.items()}
    stale = []
    for name, drawing in drawings.items():
        path = IMAGES / f"graph-{name}.svg"
        new = drawing.svg
        if not path.exists() or without_numbers(path.read_text(encoding="utf-8").rstrip("\n")) != without_numbers(new.rstrip("\n")):
            stale.append(path.name)
        if "--check" not in sys.argv:
            drawing.save(path)
    if "--check" in sys.argv:
        print(
            f"out of date: {', '.join(stale)}; run python docs/pictures_graphs.py"
            if stale
            else f"up to date: {len(drawings)} drawings"
        )
        return bool(stale)
    screenshots({name: drawings[name].html for name in SCENES})
    print(f"written: {len(drawings)} drawings, screenshots of {len(SCENES)} pages")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
