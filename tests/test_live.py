"""The live view: a terminal's table, a notebook's picture, lines elsewhere; drawn in time, and left in order."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

from tinygrad_mlp.errors import SettingError, TensorTypeError
from tinygrad_mlp.history import History
from tinygrad_mlp.viz import liveview as module
from tinygrad_mlp.viz.liveview import Clock, duration, live, scaled, sparkline


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 120 columns, and what is written to it."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return Tty()


def plain(text: str) -> str:
    """Without the codes that move the cursor and colour."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_pipe_gets_a_line_for_each_record_at_once() -> None:
    out, history = io.StringIO(), History()
    history.record(epoch=1, train_loss=9)  # before the view: not its business
    with history.live(total=3, stream=out):
        history.record(epoch=2, train_loss=0.51234567, test_loss=0.75, train_accuracy=0.5, lr=0.01)
        assert out.getvalue() == "epoch 2/3  loss 0.5123 (train) 0.75 (test)  accuracy 50.00% (train)  lr 0.01\n"
        history.record(epoch=3, train_loss=float("nan"))
        history.record(epoch=3, test_loss=1)
    history.record(epoch=4, train_loss=1)  # after the view
    assert out.getvalue().splitlines()[1:] == ["epoch 3/3  loss nan (train)", "epoch 3/3  loss 1 (test)"]
    assert "\x1b" not in out.getvalue()


def test_extend_writes_every_line() -> None:
    out, history = io.StringIO(), History()
    with live(history, stream=out):
        history.extend(step=[10, 20], train_loss=[1, 2])
    assert out.getvalue() == "step 10  loss 1 (train)\nstep 20  loss 2 (train)\n"


def test_a_dumb_terminal_gets_lines(terminal, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    history = History()
    with live(history, stream=terminal):
        history.record(train_loss=1)
    assert terminal.getvalue() == "epoch 1  loss 1 (train)\n"


def test_lines_need_no_optional_package() -> None:
    program = (
        "import sys; from tinygrad_mlp.history import History\n"
        "h = History()\nwith h.live(): h.record(train_loss=1)\n"
        "assert not {'rich', 'matplotlib', 'IPython'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "epoch 1  loss 1 (train)\n"


def test_every_quantity_that_ends_in_accuracy_is_told_in_per_cent() -> None:
    out = io.StringIO()
    history = History()
    with live(history, stream=out):
        history.record(epoch=1, train_accuracy=0.7691, train_top_k_accuracy=0.9812, train_r2_score=0.5)
    assert out.getvalue() == "epoch 1  accuracy 76.91% (train)  top_k_accuracy 98.12% (train)  r2_score 0.5 (train)\n"
    rises, at = np.array([0.5, 0.9, 0.7]), np.array([1.0, 2.0, 3.0])
    assert module.best_of("top_k_accuracy", at, rises, "epoch") == "best 90.00%, epoch 2"
    assert module.best_of("loss", at, rises, "epoch") == "best 0.5, epoch 1"
    assert module.best_of("r2_score", at, rises, "epoch") == ""


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_a_terminal_shows_a_table_with_curves(terminal) -> None:
    history = History("a run")
    with live(history, total=4, stream=terminal):
        for epoch, loss in ((1, 8.0), (2, 1.0), (3, 4.0)):
            history.record(epoch=epoch, train_loss=loss, validation_loss=2 * loss, train_accuracy=1 - loss / 10)
    last = plain(terminal.getvalue()).rstrip().splitlines()[-4:]
    assert re.match(r"a run epoch 3/4  0:0\d  0:0\d left", last[0])
    assert last[1].split() == ["loss", "train", "4", "█▁▄", "best", "1,", "epoch", "2"]
    assert last[2].split() == ["validation", "8", "█▁▄", "best", "2,", "epoch", "2"]
    assert last[3].split() == ["accuracy", "train", "60.00%", "▁█▅", "best", "90.00%,", "epoch", "2"]


def test_a_fast_training_is_drawn_four_times_a_second_and_at_its_end(terminal, monkeypatch) -> None:
    history, drawn = History(), []
    table = module.Terminal.table
    monkeypatch.setattr(module.Terminal, "table", lambda self: (drawn.append(len(self.history)), table(self))[1])
    start = time.monotonic()
    with live(history, stream=terminal):
        while time.monotonic() - start < 0.8:
            history.record(train_loss=1.0)
    assert len(history) > 100
    assert len(drawn) <= (time.monotonic() - start) / module.PAUSE + 4  # two at the beginning, two at the end
    assert drawn[-1] == len(history)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_terminal_is_left_in_order(terminal, error) -> None:
    history, stdout, threads = History(), sys.stdout, threading.active_count()
    with pytest.raises(error), live(history, stream=terminal):
        history.record(train_loss=0.125)
        raise error
    text = terminal.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor hidden, and shown again
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert plain(text).rstrip(" ").endswith("\n")
    assert "0.125" in plain(text).rstrip().splitlines()[-1]
    assert sys.stdout is stdout
    for _ in range(200):  # rich tells its thread to end, and does not wait for it
        if threading.active_count() > threads:
            time.sleep(0.01)
    assert threading.active_count() == threads
    assert history._listeners == []


def test_a_terminal_without_utf8_gets_ascii(terminal) -> None:
    terminal.encoding = "ascii"
    history = History()
    with live(history, stream=terminal):
        history.record(train_loss=1)
        history.record(train_loss=2)
    assert plain(terminal.getvalue()).isascii()
    assert "_#" in terminal.getvalue()


def test_a_real_terminal_is_recognised() -> None:
    ours, theirs = pty.openpty()
    program = "from tinygrad_mlp.history import History\nh = History('x')\nwith h.live(total=2): h.record(train_loss=0.5)"
    environment = os.environ | {"TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.Popen([sys.executable, "-c", program], stdout=theirs, stderr=subprocess.PIPE, env=environment)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    assert run.communicate()[1] == b""
    assert "epoch 1/2" in plain(text.decode())
    assert text.count(b"\x1b[?25h") == 1


# --- the notebook -----------------------------------------------------------------------------------------------------


class Kernel:
    """A fake IPython, as much of it as is asked."""

    def __init__(self, monkeypatch, kernel: object = "a kernel") -> None:
        self.shown: list[bytes] = []
        self.updates: list[bytes] = []
        package, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        package.version_info = (9, 0)  # type: ignore[attr-defined]  # matplotlib asks
        package.get_ipython = lambda: types.SimpleNamespace(kernel=kernel)  # type: ignore[attr-defined]
        display.Image = lambda data, format: (format, data)  # type: ignore[attr-defined]
        display.display = self.display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, picture, display_id):
        assert display_id is True
        assert picture[0] == "png"
        self.shown.append(picture[1])
        return types.SimpleNamespace(update=lambda new: self.updates.append(new[1]))


def test_a_notebook_shows_one_picture_that_changes(monkeypatch, capsys) -> None:
    kernel, now = Kernel(monkeypatch), [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    history = History("a run")
    with history.live(total=5):
        assert kernel.shown == []
        history.record(train_loss=4.0)
        assert len(kernel.shown) == 1
        for now[0] in (0.1, 0.2):
            history.record(train_loss=3.0)
        assert kernel.updates == []  # too soon
        now[0] = 0.3
        history.record(train_loss=2.0)
        assert len(kernel.updates) == 1
        history.record(train_loss=1.0)
        assert len(kernel.updates) == 1
    assert len(kernel.updates) == 2  # the last one always
    pictures = [*kernel.shown, *kernel.updates]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == 3
    assert capsys.readouterr().out == ""


def test_a_notebook_does_not_draw_twice_at_the_end(monkeypatch) -> None:
    kernel = Kernel(monkeypatch)
    history = History()
    with pytest.raises(KeyboardInterrupt), live(history):
        history.record(train_loss=1)
        raise KeyboardInterrupt
    assert (len(kernel.shown), len(kernel.updates)) == (1, 0)
    with live(History()):
        pass
    assert len(kernel.shown) == 1


def test_ipython_without_a_kernel_is_a_terminal_and_a_stream_is_a_stream(monkeypatch, capsys) -> None:
    kernel = Kernel(monkeypatch, kernel=None)
    history = History()
    with live(history):
        history.record(train_loss=1)
    assert capsys.readouterr().out == "epoch 1  loss 1 (train)\n"
    kernel = Kernel(monkeypatch)
    with live(history, stream=io.StringIO()):
        history.record(train_loss=1)
    assert kernel.shown == []


# --- words ------------------------------------------------------------------------------------------------------------


def test_sparklines() -> None:
    assert sparkline(np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert sparkline(np.array([2.0, 2.0])) == "▁▁"
    assert sparkline(np.array([np.nan, np.inf])) == "!!"
    assert sparkline(np.array([0.0, np.inf, 1.0])) == "▁!█"
    assert sparkline(np.repeat([0.0, 1.0], 50), 4) == "▁▁██"
    assert sparkline(np.array([])) == ""
    assert len(sparkline(np.arange(1000.0))) == module.WIDTH


def test_curves_over_decades_are_logarithmic() -> None:
    assert sparkline(scaled(np.array([1e3, 1e0, np.nan, 1e-4]))) == "█▅!▁"
    assert sparkline(scaled(np.array([8.0, 4.0, 1.0]))) == "█▄▁"
    assert np.isnan(scaled(np.array([np.nan]))).all()


def test_the_clock_knows_how_long_it_will_take() -> None:
    history, now = History(), [100.0]
    clock = Clock(history, 10, lambda: now[0])
    assert clock.told() == "waiting for the first record"
    now[0] = 120.0
    history.record(epoch=2, train_loss=1)
    clock.changed()
    assert clock.told() == "epoch 2/10  0:20  1:20 left"  # 10 seconds an epoch
    now[0] = 125.0
    assert clock.told() == "epoch 2/10  0:25  1:15 left"
    history.record(epoch=10, train_loss=1)
    assert clock.told() == "epoch 10/10  0:25"
    assert (duration(59.6), duration(3723)) == ("1:00", "1:02:03")


def test_a_training_that_goes_on_counts_from_where_it_stood() -> None:
    history, now = History(), [0.0]
    history.record(epoch=100, train_loss=1)
    clock = Clock(history, 104, lambda: now[0])
    assert clock.told() == "epoch 100/104  0:00"
    now[0] = 7.0
    history.record(epoch=101, train_loss=1)
    clock.changed()
    assert clock.told() == "epoch 101/104  0:07  0:21 left"


def test_what_is_refused() -> None:
    with pytest.raises(TensorTypeError, match="live\\(\\) follows a History"):
        live({})  # type: ignore[arg-type]
    for total in (0, -1, float("inf"), "ten"):
        with pytest.raises(SettingError, match="total must be a number above 0"):
            History().live(total=total)
    view = History().live(stream=io.StringIO())
    with view, pytest.raises(SettingError, match="open already"):
        view.__enter__()
    with view:  # closed: it may be opened again
        pass
