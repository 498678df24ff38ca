"""A History records in order, refuses what does not fit before anything changes, and comes back from its file as it was."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle

import numpy as np
import pytest

from tinygrad_mlp import Tensor
from tinygrad_mlp.errors import DataError, SettingError, ShapeError, TensorTypeError, UnknownNameError
from tinygrad_mlp.files import replace_file
from tinygrad_mlp.history import History


def three() -> History:
    """Three epochs; the validation is not measured at each."""
    history = History("a run")
    history.record(epoch=1, train_loss=0.9, train_accuracy=0.5, lr=0.1)
    history.record(epoch=2, train_loss=0.4, validation_loss=0.6, train_accuracy=0.75, lr=0.1)
    history.record(epoch=3, train_loss=0.2, validation_loss=0.7, train_accuracy=0.8, lr=0.01)
    return history


def state(history: History) -> tuple[object, ...]:
    """Everything that a record could change; NaN as text, since it is not equal to itself."""
    return history.name, history.by, tuple(history.names), repr(list(history))


# --- reading ----------------------------------------------------------------------------------------------------------


def test_series_are_arrays_and_know_where_they_were_recorded() -> None:
    history = three()
    assert history["train_loss"].tolist() == [0.9, 0.4, 0.2]
    assert history["train_loss"].dtype == np.float64
    at, values = history.series("validation_loss")
    assert (at.tolist(), values.tolist()) == ([2, 3], [0.6, 0.7])
    assert history.at.tolist() == [1, 2, 3]
    assert (len(history), history.by) == (3, "epoch")
    assert history.names == ["train_loss", "train_accuracy", "lr", "validation_loss"]
    assert history.quantities == ["loss", "accuracy", "lr"]
    assert "lr" in history
    assert "test_loss" not in history
    assert list(history)[1] == {"epoch": 2, "train_loss": 0.4, "validation_loss": 0.6, "train_accuracy": 0.75, "lr": 0.1}
    assert all(list(record) == ["epoch", *(name for name in history.names if name in record)] for record in history)


def test_what_is_read_is_a_copy() -> None:
    history = three()
    history["train_loss"][:] = 7
    next(iter(history))["train_loss"] = 7
    assert history["train_loss"][0] == 0.9


def test_epochs_count_by_themselves_and_may_be_fractions() -> None:
    history = History()
    history.record(train_loss=1)
    history.record(train_loss=1)
    history.record(epoch=2.5, train_loss=1)
    history.record(train_loss=1)
    assert history.at.tolist() == [1, 2, 2.5, 3]
    steps = History()
    steps.record(step=0, train_loss=1)
    steps.record(train_loss=1)
    assert (steps.at.tolist(), steps.by) == ([0, 1], "step")


def test_a_second_call_at_the_same_epoch_adds_to_the_record() -> None:
    history = History()
    history.record(epoch=1, train_loss=1)
    history.record(epoch=1, test_loss=2)
    assert list(history) == [{"epoch": 1, "train_loss": 1, "test_loss": 2}]


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.array(3), np.array([[3.0]]), Tensor(3.0), Tensor([3.0], True)])
def test_every_single_number_is_taken(value: object) -> None:
    history = History()
    history.record(train_loss=value)
    assert history["train_loss"].tolist() == [3.0]


def test_repr_is_a_small_table_of_the_last_values() -> None:
    assert repr(three()).splitlines() == [
        "History 'a run': 3 records, the last at epoch 3",
        "           run  train  validation",
        "loss              0.2         0.7",
        "accuracy          0.8",
        "lr        0.01",
    ]
    assert repr(History()) == "History: nothing recorded yet"
    assert History()  # although its length is 0


# --- what is refused --------------------------------------------------------------------------------------------------

REFUSED = {
    "part": ({"trian_loss": 1}, UnknownNameError, "unknown part of a run 'trian': did you mean 'train'"),
    "val": ({"val_loss": 1}, UnknownNameError, "'val': write validation_loss"),
    "loss": ({"loss": 1}, UnknownNameError, "the loss of which part of the data[?] write train_loss=… "),
    "accuracy": ({"lr": 1, "accuracy": 1}, UnknownNameError, "write train_accuracy=… "),
    "half": ({"train_": 1}, UnknownNameError, "'train_' is no name of a series"),
    "text": ({"train_loss": "0.5"}, TensorTypeError, "train_loss must be one number"),
    "bool": ({"train_loss": True}, TensorTypeError, "train_loss must be one number"),
    "none": ({"train_loss": None}, TensorTypeError, "train_loss must be one number"),
    "complex": ({"train_loss": 1j}, TensorTypeError, "one number"),
    "many": ({"train_loss": [1.0, 2.0]}, TensorTypeError, "one number"),
    "second": ({"train_loss": 1, "test_loss": "x"}, TensorTypeError, "test_loss must be one number"),
    "nothing": ({"epoch": 4}, SettingError, "needs a number to record"),
    "back": ({"epoch": 2, "train_loss": 1}, SettingError, "epoch 2 lies before the last record, at epoch 3"),
    "twice": ({"epoch": 3, "train_loss": 1}, SettingError, "train_loss of epoch 3 is recorded already"),
    "both": ({"epoch": 4, "step": 9, "train_loss": 1}, SettingError, "at an epoch or at a step, not at both"),
    "other": ({"step": 4, "train_loss": 1}, SettingError, "this history counts epochs"),
    "negative": ({"epoch": -1, "train_loss": 1}, SettingError, "epoch must be a number from 0 up"),
    "nan": ({"epoch": math.nan, "train_loss": 1}, SettingError, "epoch must be a number from 0 up"),
    "word": ({"epoch": "four", "train_loss": 1}, TensorTypeError, "epoch must be one number"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_records_are_refused_before_anything_changes(name: str) -> None:
    values, error, words = REFUSED[name]
    history = three()
    before = state(history)
    with pytest.raises(error, match=words):
        history.record(**values)
    assert state(history) == before


def test_a_series_of_the_whole_run_needs_no_part() -> None:
    history = three()
    history.record(lr=0.001, temperature=2)
    assert history.series("temperature")[0].tolist() == [4]
    with pytest.raises(UnknownNameError, match="write train_loss="):
        history.extend(loss=[1, 2])
    assert len(history) == 4


def test_steps_are_whole() -> None:
    with pytest.raises(SettingError, match="step must be a whole number"):
        History().record(step=1.5, train_loss=1)


def test_extend_takes_all_or_nothing() -> None:
    history = three()
    history.extend(epoch=[4, 5], train_loss=np.array([0.1, 0.05]), test_loss=[1, 2])
    assert history["train_loss"].tolist() == [0.9, 0.4, 0.2, 0.1, 0.05]
    assert history.series("test_loss")[0].tolist() == [4, 5]
    before = state(history)
    with pytest.raises(ShapeError, match=r"different lengths: epoch 2, train_loss 3"):
        history.extend(epoch=[6, 7], train_loss=[1, 2, 3])
    with pytest.raises(TensorTypeError, match="one number"):
        history.extend(epoch=[6, 7], train_loss=[1, "x"])
    with pytest.raises(TensorTypeError, match="extend\\(\\) takes lists"):
        history.extend(train_loss=1.0)
    assert state(history) == before


def test_unknown_series_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'train_loss'"):
        three()["train_los"]
    with pytest.raises(UnknownNameError, match="nothing is recorded"):
        History()["train_loss"]
    with pytest.raises(TensorTypeError, match="the name of a run is text"):
        History(3)  # type: ignore[arg-type]


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_brings_everything_back(tmp_path) -> None:
    history = three()
    history.record(epoch=4.5, train_loss=math.nan, validation_loss=-math.inf, lr=1e-300, test_loss=0.1 + 0.2)
    history.record(epoch=5, train_loss=math.inf, lr=-0.0, train_accuracy=2.0**60)
    path = tmp_path / "run.json"
    history.save(path)
    back = History.load(path)
    assert state(back) == state(history)
    assert math.copysign(1, back["lr"][-1]) == -1
    assert sorted(os.listdir(tmp_path)) == ["run.json"]
    back.record(train_loss=1)  # it goes on
    assert back.at[-1] == 6

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert content["series"]["train_loss"] == [0.9, 0.4, 0.2, "nan", "inf"]
    assert content["series"]["validation_loss"] == [None, 0.6, 0.7, "-inf", None]


def test_an_empty_history_and_a_strange_name_come_back_too(tmp_path) -> None:
    for history in (History(), History("Lauf „1“ \n\x00 </script> 🎈")):
        history.save(tmp_path / "x")
        assert state(History.load(tmp_path / "x")) == state(history)


GOOD = {"format": "tinygrad_mlp.history", "version": 1, "name": "", "by": "epoch", "at": [1, 2], "series": {"train_loss": [1, 2]}}
DAMAGED = {
    "text": "hello",
    "truncated": json.dumps(GOOD)[:-3],
    "list": "[]",
    "foreign": "{}",
    "version": json.dumps(GOOD | {"version": 2}),
    "extra": json.dumps(GOOD | {"more": 1}),
    "missing": json.dumps({key: value for key, value in GOOD.items() if key != "at"}),
    "type": json.dumps(GOOD | {"name": 3}),
    "by": json.dumps(GOOD | {"by": "day"}),
    "short": json.dumps(GOOD | {"series": {"train_loss": [1]}}),
    "no list": json.dumps(GOOD | {"series": {"train_loss": 1}}),
    "NaN": json.dumps(GOOD | {"series": {"train_loss": [1, math.nan]}}),
    "word": json.dumps(GOOD | {"series": {"train_loss": [1, "two"]}}),
    "bool": json.dumps(GOOD | {"series": {"train_loss": [1, True]}}),
    "nested": json.dumps(GOOD | {"series": {"train_loss": [1, [2]]}}),
    "order": json.dumps(GOOD | {"at": [2, 1]}),
    "same": json.dumps(GOOD | {"at": [1, 1], "series": {"train_loss": [1, None], "test_loss": [None, 1]}}),
    "part": json.dumps(GOOD | {"series": {"loss": [1, 2]}}),
    "name": json.dumps(GOOD | {"series": {"loss_train": [1, 2]}}),
    "double": json.dumps(GOOD)[:-1] + ', "name": "again"}',
    "argument": json.dumps(GOOD | {"series": {"self": [1, 2]}}),
    "deep": "[" * 100_000,
    "bytes": "\x00\xff",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_refused_in_a_sentence(name: str, tmp_path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(DAMAGED[name].encode("latin-1"))
    with pytest.raises(DataError, match=r"run\.json is no history of tinygrad_mlp: "):
        History.load(path)


def test_the_file_that_the_damage_was_done_to_is_good(tmp_path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(GOOD), encoding="utf-8")
    assert History.load(tmp_path / "run.json")["train_loss"].tolist() == [1, 2]


def test_files_that_are_not_there(tmp_path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.json: No such file"):
        History.load(tmp_path / "none.json")
    with pytest.raises(DataError, match=r"cannot write .*run\.json"):
        three().save(tmp_path / "no folder" / "run.json")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "run.json"
    three().save(path)
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        replace_file(path, b"half")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.json"]


def test_copies_and_pickles_go_their_own_way() -> None:
    history = three()
    seen: list[int] = []
    history._listeners.append(lambda: seen.append(len(history)))
    for other in (copy.copy(history), copy.deepcopy(history), pickle.loads(pickle.dumps(history))):  # noqa: S301  # our own
        assert state(other) == state(history)
        other.record(test_loss=1)
    assert len(history) == 3
    assert "test_loss" not in history
    assert seen == []
    history.extend(train_loss=[1, 2])
    assert seen == [5]  # once, when all is there
