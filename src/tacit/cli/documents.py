"""What a topic model says of new documents: ``tacit score`` and ``tacit transform``."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.cli import results, talk
from tacit.cli.failures import UsageFault
from tacit.cli.judging_topics import word_scores
from tacit.cli.opened import New, Opened, labels
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.texts import Vocabulary
from tacit.evaluation.conformal import Calibration
from tacit.plots.style import short_number
from tacit.storage.errors import ModelFileError


def score_documents(
    opened: Opened, new: New, calibration: Calibration | None, alarm: float | None, out: str | None, form: str | None
) -> None:
    """Say how likely each document is, in nats a word, and which are odd; a document without a known word has none."""
    rows = opened.read(new)
    lengths = np.asarray(rows.values.sum(axis=1)).ravel()
    each = word_scores(opened.estimator, rows.values)
    known = lengths > 0
    columns = labels(rows) | {
        "words": pa.array(lengths.astype(np.int64)),
        "log_probability": pa.array(np.where(known, each * lengths, 0.0)),
        "nats_a_word": pa.array([float(value) if there else None for value, there in zip(each, known, strict=True)]),
    }
    order = np.argsort(np.where(known, each, np.inf), kind="stable")
    told = order
    if calibration is not None:
        p_values = calibration.p_values(np.where(known, each, 0.0))
        columns["p_value"] = pa.array([float(p) if there else None for p, there in zip(p_values, known, strict=True)])
        if alarm is not None:
            odd = calibration.flag(np.where(known, each, 0.0), alarm) & known
            columns["odd"] = pa.array(odd)
            told = order[odd[order]]
    table = pa.table(columns)
    results.give(table, out, form, what="document", show=table.take(pa.array(told[: results.SHOWN])))
    if not known.all():
        talk.remark(f"{counted(int((~known).sum()), 'document')} without any word that the model knows: no score.")
    if calibration is None:
        talk.remark("No p-values: the fit kept no documents aside (--holdout 0).")
    if alarm is not None:
        talk.remark(
            f"{counted(len(told), 'odd document')} of {len(rows):,}; of ordinary ones at most "
            f"{short_number(100 * alarm)} % would be flagged on average."
        )


def sample_documents(opened: Opened, vocabulary: Vocabulary, asked: Any, out: str | None, form: str | None) -> None:
    """Give new documents drawn from the model, a line for each word of each: document, word, count."""
    results.check(out, form)
    if asked.given or asked.total is not None or asked.mean or asked.temperature is not None:
        raise UsageFault("documents are drawn as they come: leave out --given, --total, --mean and --temperature.")
    opened.estimator.set_params(random_state=asked.seed)
    counts, _ = opened.estimator.sample(asked.number)
    entries = counts.tocoo()
    order = np.lexsort((entries.col, -entries.data, entries.row))
    table = {
        "document": pa.array(entries.row[order].astype(np.int64) + 1),
        "word": pa.array([vocabulary.words[place] for place in entries.col[order]]),
        "count": pa.array(entries.data[order].astype(np.int64)),
    }
    results.give(pa.table(table), out, form, what="line")


@compilation_cache()
def transform(run: Path, new: New, out: str | None, form: str | None) -> None:
    """Give what the model makes of every row: the topic shares of a document, or the numbers of ``transform``."""
    results.check(out, form)
    opened = Opened.at(run)
    if not hasattr(opened.estimator, "transform"):
        raise ModelFileError(f"the model of {str(run)!r} has nothing to turn rows into.")
    rows = opened.read(new)
    found = np.asarray(opened.estimator.transform(opened.feed(rows)), np.float64)
    columns = labels(rows)
    name = "value"
    if opened.vocabulary is not None:
        name = "topic_"
        columns["words"] = pa.array(np.asarray(rows.values.sum(axis=1)).ravel().astype(np.int64))
        columns["topic"] = pa.array(found.argmax(axis=1) + 1)
    columns |= {f"{name}{place + 1}": pa.array(column) for place, column in enumerate(found.T)}
    results.give(pa.table(columns), out, form)
