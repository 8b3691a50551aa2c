"""Files that are truncated, foreign, newer or made to do harm: a clear error, and nothing of them is run."""

import io
import json
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

from tacit.storage import ModelFileError, container, describe, load, save
from tacit.storage.encode import DEPTH

Place = tuple[str | int, ...]


def at(body: dict, *place: str | int):
    for key in place:
        body = body[key]
    return body


STATE: Place = ("estimator", "state")
MODEL: Place = (*STATE, "model_", "fields")
GROUP: Place = (*MODEL, "groups", "items", 0, "fields")


class Harm:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return (exec, ("import sys; sys.tacit_was_harmed = True",))


def npz() -> bytes:
    held = io.BytesIO()
    np.savez(held, a=np.zeros(3))
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"abc", "damaged"),
        (npz(), "zip archive"),
        (pickle.dumps([Harm()]), "Python pickle, which tacit never opens"),
        (pickle.dumps([Harm()], protocol=0), "not a safetensors file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b'{"json": [1, 2, 3]}', "JSON text"),
        (b"<!doctype html><html>", "HTML"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "not a safetensors file"),
        (bytes(100), "not a safetensors file"),
        (to_bytes({"a": np.zeros(3)}), "not one that tacit wrote"),
        (to_bytes({"a": np.zeros(3)}, metadata={"tacit": "gibberish"}), "description cannot be read"),
        (to_bytes({"a": np.zeros(3)}, metadata={"tacit": "[]"}), "lacks a body or a checksum"),
        (to_bytes({}, metadata={"tacit": '{"body": {"format": NaN}, "sha256": ""}'}), "NaN is not JSON"),
        (to_bytes({}, metadata={"tacit": '{"body": {"format": true}, "sha256": ""}'}), "names no format version"),
        (to_bytes({}, metadata={"tacit": "[" * 100_000}), "nested too deeply"),
        (to_bytes({}, metadata={"tacit": "1" * 10_000}), "description cannot be read"),
        (struct.pack("<Q", 2**63) + b"{" + bytes(50), "header has 9,223,372,036,854,775,808 bytes"),
        (struct.pack("<Q", 40) + b"{" + bytes(20), "header has 40 bytes, and the whole file has 29"),
    ],
)
def test_a_foreign_file_is_refused_in_words(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    for read in (load, describe):
        with pytest.raises(ModelFileError, match=words) as caught:
            read(path)
        assert "a.safetensors" in str(caught.value)
    assert not hasattr(sys, "tacit_was_harmed")


def test_a_huge_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", container.HEADER_LIMIT + 1) + b"{")
        file.truncate(container.HEADER_LIMIT + 100)  # a hole: it takes no room on the disk
    with pytest.raises(ModelFileError, match=r"claims 67,108,865 bytes, and at most 67,108,864 are read"):
        load(path)


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(ModelFileError, match="is not a file"):
        load(tmp_path)


@pytest.fixture(scope="module")
def content(fitted, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return save(fitted, tmp_path_factory.mktemp("whole")).read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken") / "a.safetensors"


@settings(max_examples=60)
@given(where=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(where: float, content: bytes, scratch: Path) -> None:
    scratch.write_bytes(content[: int(where * len(content))])
    with pytest.raises(ModelFileError):
        load(scratch)


@settings(max_examples=150)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_anywhere_is_seen(where: float, flip: int, content: bytes, scratch: Path) -> None:
    changed = bytearray(content)
    place = int(where * len(content))
    changed[place] ^= flip
    if content[place : place + 1].isspace() and changed[place : place + 1].isspace():
        return  # white space between the header and the arrays means nothing
    scratch.write_bytes(changed)
    with pytest.raises(ModelFileError):
        load(scratch)


def test_bytes_behind_the_end_are_refused(content: bytes, scratch: Path) -> None:
    scratch.write_bytes(content + b"\x00" * 8)
    with pytest.raises(ModelFileError, match="damaged"):
        load(scratch)


def test_a_newer_format_asks_for_an_update(file: Path, monkeypatch: pytest.MonkeyPatch, fitted) -> None:
    monkeypatch.setattr(container, "FORMAT", 3)
    save(fitted, file)
    monkeypatch.setattr(container, "FORMAT", 2)
    with pytest.raises(ModelFileError, match=r"written by tacit .* in format 3, .* up to 2: update tacit"):
        load(file)


def test_another_kind_of_file_of_ours_is_refused(tmp_path: Path) -> None:
    container.write(tmp_path / "a", "arrays", {}, {"a": np.zeros(2)})
    with pytest.raises(ModelFileError, match="holds 'arrays' of tacit, not 'model'"):
        load(tmp_path / "a")


def test_numbers_beyond_all_numbers_are_refused(tmp_path: Path) -> None:
    body = '{"format": 1, "kind": "model", "a": 1e999}'
    data = to_bytes({}, metadata={"tacit": f'{{"body": {body}, "sha256": "0"}}'})
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ModelFileError, match="checksum"):
        load(tmp_path / "a")


def put(*place: str | int, value):
    def change(body, _):
        at(body, *place[:-1])[place[-1]] = value

    return change


def array(name: str, value):
    def change(_, arrays):
        assert name in arrays
        arrays[name] = value

    return change


def bomb(levels: int):
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


LIES = {
    "a function as a class": (
        put(*STATE, "model_", "class", value="os.system"),
        r"'os\.system', which is not a class of this tacit",
    ),
    "a builtin as a class": (put(*STATE, "model_", "class", value="builtins.eval"), "not a class of this tacit"),
    "a private class": (put(*STATE, "model_", "class", value="inference._Loop"), "not a class of this tacit"),
    "a list as a class": (put(*STATE, "model_", "class", value=["a"]), "model_ lacks 'class'"),
    "an unknown estimator": (put("estimator", "name", value="os.system"), "no model 'os.system'"),
    "a path as an estimator": (put("estimator", "name", value="tacit.cli.main"), "no model"),
    "an unknown setting": (put("estimator", "parameters", "shell", value="rm"), "no setting 'shell'"),
    "no estimator": (put("estimator", value=[1, 2]), "does not hold an estimator"),
    "nothing": (put("estimator", value=None), "does not hold an estimator"),
    "an unknown kind": (put(*STATE, "n_iter_", value={"$": "pickle", "at": "x"}), "unknown kind 'pickle'"),
    "no kind": (put(*STATE, "n_iter_", value={"a": 1}), "unknown kind None"),
    "a kind that is a list": (put(*STATE, "n_iter_", value={"$": []}), "unknown kind"),
    "a dunder": (put(*STATE, "__class__", value=1), "not the name of a fitted attribute"),
    "a method": (put(*STATE, "predict", value=1), "'predict' is a method or a setting"),
    "a setting as attribute": (put(*STATE, "n_components", value=1), "is a method or a setting"),
    "no word": (put(*STATE, "a b", value=1), "not the name of a fitted attribute"),
    "text for columns": (put(*GROUP, "columns", value="abc"), r"GaussianComponent\.columns should be tuple"),
    "floats for columns": (
        put(*GROUP, "columns", value={"$": "tuple", "items": [0.5, 1, 2]}),
        r"GaussianComponent\.columns should be tuple",
    ),
    "a number for a name": (put(*GROUP, "structure", value=3), r"structure should be str, and is 3"),
    "an unknown form": (put(*GROUP, "form", value="exact"), r"form should be Literal.*is 'exact'"),
    "no truth": (put(*GROUP, "complete", value=1), r"complete should be bool"),
    "an unknown field": (put(*GROUP, "command", value="rm"), "has no field 'command'"),
    "a missing field": (lambda body, _: at(body, *GROUP).pop("structure"), "needs the field 'structure'"),
    "another class in a field": (put(*MODEL, "rule", value={"$": "tuple", "items": []}), r"Model\.rule should be"),
    "a group that is none": (put(*MODEL, "groups", "items", 0, value=7), r"MixtureModel\.groups should be"),
    "means of other columns": (array("model_.groups.0.means", np.zeros((2, 5))), r"covariances should be.*\(2, 3, 3\)"),
    "means of one component": (array("model_.groups.0.means", np.zeros((1, 3))), r"GaussianComponent\.covariances"),
    "flat means": (array("model_.groups.0.means", np.zeros(6)), r"means should be.*float64 of shape \(6,\)"),
    "whole means": (array("model_.groups.0.means", np.zeros((2, 3), int)), r"means should be.*int64"),
    "more weights than groups": (
        lambda _, arrays: arrays.update({"model_.log_weights": np.zeros(5), "model_.active": np.ones(5, dtype=bool)}),
        "MixtureModel has 5 components, and its groups 2",
    ),
    "an array used twice": (
        put(*GROUP, "noise_floor", value={"$": "array", "at": "model_.groups.0.means"}),
        "'model_.groups.0.means' is used twice",
    ),
    "an array that is not there": (
        put(*GROUP, "noise_floor", value={"$": "array", "at": "x"}),
        "'x' is not in the file",
    ),
    "an array that nobody wants": (
        lambda _, arrays: arrays.update(extra=np.zeros(3)),
        "nothing refers to the array 'extra'",
    ),
    "a bomb of lists": (put(*STATE, "n_iter_", value=bomb(DEPTH + 1)), "nested deeper than"),
    "numbers of two axes": (
        put(*GROUP, "means", value={"$": "numbers", "at": "model_.groups.0.means", "in": "list", "plain": True}),
        "not a list of numbers",
    ),
    "numbers in a set": (
        put(*MODEL, "log_weights", value={"$": "numbers", "at": "model_.log_weights", "in": "set", "plain": True}),
        "not a list of numbers",
    ),
    "numbers that are not there": (
        put(*STATE, "n_iter_", value={"$": "numbers", "at": "x", "in": "list", "plain": True}),
        "'x' is not in the file",
    ),
    "a number that is none": (put(*STATE, "n_iter_", value={"$": "float", "value": "0x1"}), "not a number: '0x1'"),
    "texts that claim too much": (
        put(*STATE, "n_iter_", value={"$": "texts", "width": 10**9, "shape": [1], "values": ["a"]}),
        "claims texts of 1000000000",
    ),
    "texts of a false shape": (
        put(*STATE, "n_iter_", value={"$": "texts", "width": 1, "shape": [3], "values": ["a"]}),
        r"holds 1 values, and its shape is \(3,\)",
    ),
    "an impossible shape": (
        put(*STATE, "n_iter_", value={"$": "texts", "width": 1, "shape": [0, 2**80], "values": []}),
        "damaged",
    ),
    "objects as texts": (
        put(*STATE, "n_iter_", value={"$": "texts", "width": None, "shape": [1], "values": [[1]]}),
        "neither text nor number",
    ),
    "a list as a key": (put(*STATE, "n_iter_", value={"$": "dict", "items": [[[1], 2]]}), "neither text nor number"),
    "a dict without pairs": (put(*STATE, "n_iter_", value={"$": "dict", "items": [1]}), "not a list of pairs"),
    "an unknown type": (put(*STATE, "_dtype", value={"$": "dtype", "name": "O"}), "unknown type 'O'"),
    "an unknown generator": (
        put("estimator", "parameters", "random_state", value={"$": "random", "class": "os"}),
        "unknown kind 'os'",
    ),
    "a network": (put(*STATE, "n_iter_", value={"$": "network", "class": "Net", "leaves": []}), "needs a network"),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_with_the_right_checksum_is_refused(lie: str, forge) -> None:
    change, words = LIES[lie]
    with pytest.raises(ModelFileError, match=words) as caught:
        load(forge(change))
    assert "forged.safetensors" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_checkpoint_of_a_true_copy_loads(forge, rows: np.ndarray, fitted) -> None:
    assert (load(forge(lambda *_: None)).predict(rows) == fitted.predict(rows)).all()


def test_what_is_unknown_names_both_versions(forge) -> None:
    def newer(body, _):
        body["versions"]["tacit"] = "7.1"
        at(body, *STATE, "model_")["class"] = "models.mixture.Cleverer"

    with pytest.raises(ModelFileError, match=r"written by tacit 7\.1 and cannot be read by tacit .*Update tacit"):
        load(forge(newer))


@pytest.mark.parametrize(
    "change",
    [put("estimator", value=3), put("versions", value=3), put("schema", value={"columns": [3]})],
    ids=["estimator", "versions", "schema"],
)
def test_a_description_is_checked_too(change, forge) -> None:
    with pytest.raises(ModelFileError):
        describe(forge(change))


def test_the_checksum_covers_document_and_arrays(file: Path) -> None:
    body, arrays = container.read(file, "model")
    document = json.dumps({"body": body, "sha256": "0" * 64})
    file.write_bytes(to_bytes(arrays, metadata={"tacit": document}))
    with pytest.raises(ModelFileError, match="does not match its checksum"):
        load(file)
