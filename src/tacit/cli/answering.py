"""``tacit assign``, ``impute`` and ``sample``: what a run says of rows beyond their density."""

import dataclasses
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.cli import pictures, results, talk
from tacit.cli.documents import sample_documents
from tacit.cli.failures import UsageFault
from tacit.cli.feeding import feed, in_order
from tacit.cli.judging import responsibilities
from tacit.cli.opened import New, Opened, labels
from tacit.compute import compilation_cache
from tacit.data.encode import decode, encode
from tacit.data.errors import counted, nearest
from tacit.data.read import read
from tacit.data.schema import Schema
from tacit.evaluation._rows import new_rows
from tacit.storage.errors import ModelFileError


@dataclasses.dataclass(frozen=True)
class Asked:
    """New rows on the command line.

    Attributes:
        number: how many.
        given: texts such as ``city=Paris``.
        total: of each row, for models of shares.
        mean: whether each is what its code stands for on average rather than a draw.
        temperature: what the distance of codes from 0 is multiplied by; None leaves it.
        seed: what the draws depend on.
    """

    number: int = 10
    given: tuple[str, ...] = ()
    total: int | None = None
    mean: bool = False
    temperature: float | None = None
    seed: int = 0


@compilation_cache()
def assign(run: Path, new: New, out: str | None, form: str | None) -> None:
    """Give the group of every row, numbered from 1, and the probability of every group."""
    results.check(out, form)
    opened = Opened.at(run)
    if opened.target is not None:
        raise ModelFileError(f"the model of {str(run)!r} foretells {opened.target.column.name!r}: use `tacit predict`.")
    rows = opened.read(new)
    share = responsibilities(opened.estimator, opened.feed(rows))
    if share is None:
        raise ModelFileError(f"the model of {str(run)!r} has no groups.")
    best = share.argmax(axis=1)
    columns = labels(rows) | {
        "group": pa.array(best + 1),
        "probability": pa.array(share[np.arange(len(best)), best]),
    }
    if hasattr(opened.estimator, "predict_proba"):
        columns |= {f"group_{k + 1}": pa.array(share[:, k]) for k in range(share.shape[1])}
    table = pa.table(columns)
    results.give(table, out, form, show=_rounded(table))


def _rounded(table: pa.Table) -> pa.Table:
    """Probabilities to three places, for reading."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type) and field.name != "id":
            table = table.set_column(place, field.name, pc.round(table.column(place), 3))
    return table


@compilation_cache()
def impute(run: Path, new: New, draws: int | None, seed: int, out: str | None, form: str | None) -> None:
    """Give the table with its gaps filled; columns that the model does not know stay as they are."""
    opened = Opened.at(run)
    if not hasattr(opened.estimator, "impute"):
        raise ModelFileError(f"the model of {str(run)!r} cannot fill gaps.")
    if opened.schema is None:
        _impute_images(opened, new, draws, seed, out, form)
        return
    results.check(out, form)
    if opened.long:
        raise UsageFault("a purchase log has no gaps: what is not in it was not bought.")
    reading = read(new.path)
    schema = opened.schema
    values = encode(reading.table, schema, unseen="missing" if new.unseen else "error")
    missing = np.isnan(values)
    if not missing.any():
        talk.remark("Nothing is missing in the columns that the model knows: the table is given as it is.")
    X = feed(opened.estimator, values, schema)
    if draws is None:
        table = _filled(reading.table, opened.estimator.impute(X), missing, schema)
    else:
        filled = opened.estimator.impute(X, n_draws=draws, random_state=seed)
        parts = [_filled(reading.table, each, missing, schema) for each in filled]
        numbered = [
            part.add_column(_free(part), "draw", pa.array(np.full(part.num_rows, number + 1)))
            for number, part in enumerate(parts)
        ]
        table = pa.concat_tables(numbered)
    results.give(table, out, form)
    if missing.any():
        talk.remark(f"{counted(int(missing.sum()), 'gap')} in {counted(int(missing.any(axis=1).sum()), 'row')} filled.")


def _impute_images(opened: Opened, new: New, draws: int | None, seed: int, out: str | None, form: str | None) -> None:
    """Images with their gaps filled, above them the same with the gaps in a picture."""
    pictures.check(out, form, "filled")
    if draws is not None and str(out).lower().endswith(".npy"):
        raise UsageFault("an .npy file holds one array, and every draw is one: end --out in .npz.")
    rows = opened.read(new)
    rows = pictures.some(rows) if pictures.is_picture(out) else rows
    missing = np.isnan(rows.values) if rows.values.dtype.kind == "f" else np.zeros(rows.values.shape, bool)
    if not missing.any():
        talk.remark("Nothing is missing: gaps in images are values that are no number (NaN), in arrays of floats.")
    found = opened.estimator.impute(rows.values, n_draws=draws or 0, random_state=seed)
    filled = np.where(missing, pictures.in_units(opened, found), rows.values)  # what was seen stays as it is
    shown = {"images": filled} if draws is None else {f"draw_{place + 1}": part for place, part in enumerate(filled)}
    pictures.give(opened, {"originals": rows.values} | shown, str(out), pictures.LINE)


def _filled(table: pa.Table, values: np.ndarray, missing: np.ndarray, schema: Schema) -> pa.Table:
    """The table as it was read, with the columns that had gaps replaced by their filled selves."""
    whole = decode(values, schema)
    for place, name in enumerate(schema.names):
        if missing[:, place].any():
            table = table.set_column(table.column_names.index(name), name, whole.column(place))
    return table


@compilation_cache()
def sample(run: Path, asked: Asked, out: str | None, form: str | None) -> None:
    """Give new rows drawn from the model, or from its density given some values."""
    opened = Opened.at(run)
    if not hasattr(opened.estimator, "sample"):
        raise ModelFileError(f"the model of {str(run)!r} cannot make new rows.")
    if opened.vocabulary is not None:
        sample_documents(opened, opened.vocabulary, asked, out, form)
        return
    if opened.schema is None:
        pictures.check(out, form, "new")
    else:
        results.check(out, form)
    more = _ways(opened, asked)
    if "random_state" in opened.estimator.get_params(deep=False):
        opened.estimator.set_params(random_state=asked.seed)
    if opened.schema is None:
        if asked.given or asked.total is not None:
            raise UsageFault("--given and --total are about columns, which images have none of.")
        if pictures.is_picture(out):
            pictures.enlarged(opened.images, asked.number)
        images = pictures.in_units(opened, opened.estimator.sample(asked.number, **more))
        pictures.give(opened, {"images": images}, str(out), math.ceil(math.sqrt(asked.number)))
        return
    known = _given(asked.given, opened.schema)
    if known and more:
        raise UsageFault("--given does not go together with --mean and --temperature.")
    if known:
        values = _drawn_given(opened, opened.schema, asked.number, known, asked.seed)
    else:
        values = _drawn(opened, asked.number, asked.total, more)
    results.give(decode(values, opened.schema), out, form)


def _ways(opened: Opened, asked: Asked) -> dict[str, Any]:
    """How the rows are drawn, beside their number, where the user says so."""
    wanted: dict[str, Any] = {"mean": True} if asked.mean else {}
    if asked.temperature is not None:
        wanted["temperature"] = asked.temperature
    known = inspect.signature(opened.estimator.sample).parameters
    for name in wanted:
        if name not in known:
            raise ModelFileError(f"the model of {str(opened.run.path)!r} cannot draw with --{name}.")
    return wanted


def _drawn(opened: Opened, number: int, total: int | None, more: dict[str, Any]) -> np.ndarray:
    more = more if total is None else more | {"totals": total}
    if total is not None and "totals" not in inspect.signature(opened.estimator.sample).parameters:
        raise UsageFault("totals are for multinomial columns, and this model has none: leave --total out.")
    try:
        return new_rows(opened.estimator, number, **more)
    except ValueError as error:
        if "totals" not in str(error):
            raise
        cure = "give --total N" if total is None else "leave --total out"
        raise UsageFault(f"{error}: {cure}.") from None


def _drawn_given(opened: Opened, schema: Schema, number: int, known: dict[str, float], seed: int) -> np.ndarray:
    """Rows of which some columns are as they were given."""
    if not hasattr(opened.estimator, "condition"):
        raise ModelFileError("this model cannot be asked for rows with given values (--given).")
    columns = {schema.index(name): value for name, value in known.items()}
    values = np.empty((number, len(schema)))
    for place, value in columns.items():
        values[:, place] = value
    if len(columns) < len(schema):
        density = opened.estimator.condition(columns)
        with in_order():
            values[:, list(density.columns)] = density.sample(number, random_state=seed)
    return values


def _given(texts: Sequence[str], schema: Schema) -> dict[str, float]:
    """``column=value`` as the model has it: a number, or the code of a level."""
    found: dict[str, float] = {}
    for text in texts:
        name = max((each for each in schema.names if text.startswith(f"{each}=")), key=len, default=None)
        if name is None:
            asked, sign, _ = text.partition("=")
            if not sign:
                raise UsageFault(f"--given {text!r} is not understood; write it as column=value.")
            raise UsageFault(f"--given names no column of the model: {asked!r}.{nearest(asked, schema.names)}")
        if name in found:
            raise UsageFault(f"--given names column {name!r} twice.")
        found[name] = _coded(text[len(name) + 1 :], name, schema)
    return found


def _coded(text: str, name: str, schema: Schema) -> float:
    one = pa.table({name: pa.array([text.strip() or None], pa.string())})
    value = float(encode(one, Schema((schema[name],)))[0, 0])
    if np.isnan(value):
        raise UsageFault(f"--given {name}={text}: there is no value; leave the column out if it may be anything.")
    return value


def _free(table: pa.Table) -> int:
    """Where the column ``draw`` goes: in front."""
    if "draw" in table.column_names:
        raise UsageFault("the table has a column 'draw' already; rename it to number the draws.")
    return 0
