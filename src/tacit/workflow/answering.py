"""Groups and new rows: what a run says of rows beyond their density."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.compute import compilation_cache
from tacit.data import dates
from tacit.data.encode import decode, encode
from tacit.data.errors import nearest
from tacit.data.restored_dates import DateParts, date_parts
from tacit.data.schema import Schema
from tacit.estimators.capabilities import AssignsSoftly, GivesConditionals, Samples, can
from tacit.evaluation.rows import new_rows
from tacit.storage.errors import ModelFileError
from tacit.workflow import pictures, rounding
from tacit.workflow.answers import Answer, ImageAnswer, TableAnswer
from tacit.workflow.documents import sample_documents
from tacit.workflow.errors import RequestError
from tacit.workflow.feeding import in_order
from tacit.workflow.judging import noise_share, responsibilities
from tacit.workflow.naming import group_number
from tacit.workflow.opened import Opened, labels
from tacit.workflow.sources import Rows


@dataclasses.dataclass(frozen=True)
class SampleRequest:
    """New rows to be drawn.

    Attributes:
        number: how many.
        given: texts such as ``city=Paris``.
        total: of each row, for models of shares.
        mean: whether each is what its code stands for on average rather than a draw.
        temperature: what the distance of codes from 0 is multiplied by; None leaves it.
        seed: what the draws depend on.
        exact: whether numbers stay as the model draws them, rather than with the decimals and between the ends of the
            table.
    """

    number: int = 10
    given: tuple[str, ...] = ()
    total: int | None = None
    mean: bool = False
    temperature: float | None = None
    seed: int = 0
    exact: bool = False


@compilation_cache()
def assign(opened: Opened, rows: Rows, group: str | None = None) -> TableAnswer:
    """The group of every row, numbered from 1 and −1 for noise, and the probability of every group.

    Args:
        opened: the run.
        rows: the new rows.
        group: only the members of this group, by its name or number, the surest first.
    """
    run = str(opened.run.path)
    if opened.target is not None:
        raise ModelFileError(f"the model of {run!r} predicts {opened.target.column.name!r}: use `tacit predict`.")
    share = responsibilities(opened.estimator, opened.feed(rows))
    if share is None:
        raise ModelFileError(f"the model of {run!r} has no groups.")
    best, noise = share.argmax(axis=1), np.zeros(len(share))
    if noise_share(opened.estimator) is not None:
        noise = np.maximum(1.0 - share.sum(axis=1), 0.0)
    sure = share[np.arange(len(best)), best]
    columns = labels(rows) | {
        "group": pa.array(np.where(noise > sure, -1, best + 1)),
        "probability": pa.array(np.maximum(noise, sure)),
    }
    names = [each.get("name") for each in opened.run.metrics().get("groups") or []]
    if any(names):
        called = [names[place] if noise[row] <= sure[row] else None for row, place in enumerate(best.tolist())]
        columns["group_name"] = pa.array(called, pa.string())
    if can(opened.estimator, AssignsSoftly):
        columns |= {f"group_{k + 1}": pa.array(share[:, k]) for k in range(share.shape[1])}
    if noise_share(opened.estimator) is not None:
        columns["noise"] = pa.array(noise)
    table = pa.table(columns)
    if group is not None:
        wanted = group_number(names, group, share.shape[1])
        members = np.flatnonzero((best == wanted) & (noise <= sure))
        table = table.take(pa.array(members[np.argsort(-sure[members], kind="stable")]))
    return TableAnswer(table, shown=_rounded(table))


def _rounded(table: pa.Table) -> pa.Table:
    """Probabilities to three places, for reading."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type) and field.name != "id":
            table = table.set_column(place, field.name, pc.round(table.column(place), 3))
    return table


def check_samples(opened: Opened) -> None:
    """Refuse a model that cannot be drawn from."""
    if not can(opened.estimator, Samples):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} cannot make new rows.")


@compilation_cache()
def sample(opened: Opened, wanted: SampleRequest) -> Answer:
    """New rows drawn from the model, or from its density given some values.

    Raises:
        ModelFileError: the model cannot make new rows, or not in this way.
        RequestError: what is asked does not go together, or with this model.
    """
    check_samples(opened)
    if opened.vocabulary is not None:
        if wanted.given or wanted.total is not None or wanted.mean or wanted.temperature is not None:
            raise RequestError(
                "documents are drawn as they come: leave out --given, --total, --mean and --temperature."
            )
        return sample_documents(opened, opened.vocabulary, wanted.number, wanted.seed)
    more = _ways(opened, wanted)
    opened = opened.apart()  # others may ask the same run in other threads
    if "random_state" in opened.estimator.get_params(deep=False):
        opened.estimator.set_params(random_state=wanted.seed)
    if opened.schema is None:
        if wanted.given or wanted.total is not None:
            raise RequestError("--given and --total are about columns, which images have none of.")
        images = pictures.in_units(opened, opened.estimator.sample(wanted.number, **more))
        return ImageAnswer({"images": images}, opened.pixels, math.ceil(math.sqrt(wanted.number)))
    known = _given(wanted.given, opened.schema)
    if known and more:
        raise RequestError("--given does not go together with --mean and --temperature.")
    told = [] if wanted.exact else opened.written
    values = rounding.drawn_within(
        functools.partial(_some_rows, opened, wanted, known, more), wanted.number, told, _free_columns(opened, known)
    )
    known_places = np.zeros(values.shape, bool) | ~_free_columns(opened, known)
    values = rounding.one_date(values, opened.schema, opened.written, ~known_places)
    table = rounding.like_source(decode(values, opened.schema), None, opened.schema, told)
    return TableAnswer(rounding.with_dates(table, values, opened.schema, opened.written))


def _free_columns(opened: Opened, known: Mapping[str, float]) -> np.ndarray:
    """Which columns are drawn rather than given."""
    return np.array([name not in known for name in (() if opened.schema is None else opened.schema.names)], bool)


def _some_rows(
    opened: Opened, wanted: SampleRequest, known: dict[str, float], more: dict[str, Any], number: int, again: int
) -> np.ndarray:
    """So many rows, others with every try."""
    seed = wanted.seed + 7919 * again
    if known and opened.schema is not None:
        return _drawn_given(opened, opened.schema, number, known, seed)
    if again and "random_state" in opened.estimator.get_params(deep=False):
        opened.estimator.set_params(random_state=seed)
    return _drawn(opened, number, wanted.total, more)


def _ways(opened: Opened, wanted: SampleRequest) -> dict[str, Any]:
    """How the rows are drawn, beside their number, where the user says so."""
    chosen: dict[str, Any] = {"mean": True} if wanted.mean else {}
    if wanted.temperature is not None:
        chosen["temperature"] = wanted.temperature
    known = inspect.signature(opened.estimator.sample).parameters
    for name in chosen:
        if name not in known:
            raise ModelFileError(f"the model of {str(opened.run.path)!r} cannot draw with --{name}.")
    return chosen


def _drawn(opened: Opened, number: int, total: int | None, more: dict[str, Any]) -> np.ndarray:
    more = more if total is None else more | {"totals": total}
    if total is not None and "totals" not in inspect.signature(opened.estimator.sample).parameters:
        raise RequestError("totals are for multinomial columns, and this model has none: leave --total out.")
    try:
        return new_rows(opened.estimator, number, **more)
    except ValueError as error:
        if "totals" not in str(error):
            raise
        cure = "give --total N" if total is None else "leave --total out"
        raise RequestError(f"{error}: {cure}.") from None


def _drawn_given(opened: Opened, schema: Schema, number: int, known: dict[str, float], seed: int) -> np.ndarray:
    """Rows of which some columns are as they were given."""
    if not can(opened.estimator, GivesConditionals):
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
    """``column=value`` as the model has it: a number, the code of a level, or what a date says."""
    found: dict[str, float] = {}
    bases = {parts.base: parts for parts in date_parts(schema)}
    for text in texts:
        known = [*schema.names, *bases]
        name = max((each for each in known if text.startswith(f"{each}=")), key=len, default=None)
        if name is None:
            column, sign, _ = text.partition("=")
            if not sign:
                raise RequestError(f"--given {text!r} is not understood; write it as column=value.")
            raise RequestError(f"--given names no column of the model: {column!r}.{nearest(column, known)}")
        value = text[len(name) + 1 :]
        made = _of_date(value, name, bases[name], schema) if name in bases else {name: _coded(value, name, schema)}
        for each, number in made.items():
            if each in found:
                raise RequestError(f"--given names column {each!r} twice.")
            found[each] = number
    return found


def _of_date(text: str, name: str, parts: DateParts, schema: Schema) -> dict[str, float]:
    """What a date says in all columns that were made from dates."""
    one = pa.table({name: pa.array([text.strip() or None], pa.string())})
    chosen = Schema(tuple(schema.columns[place] for place in parts.places))
    values = dates.encoded(one, chosen)[0]
    if np.isnan(values).any():
        raise RequestError(f"--given {name}={text}: there is no date; write it as 2023-03-26.")
    return dict(zip(chosen.names, values.tolist(), strict=True))


def _coded(text: str, name: str, schema: Schema) -> float:
    one = pa.table({name: pa.array([text.strip() or None], pa.string())})
    value = float(encode(one, Schema((schema[name],)))[0, 0])
    if np.isnan(value):
        raise RequestError(f"--given {name}={text}: there is no value; leave the column out if it may be anything.")
    return value
