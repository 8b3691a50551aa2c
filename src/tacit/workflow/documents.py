"""What a topic model says of new documents, and any model with `transform` of rows."""

import numpy as np
import pyarrow as pa

from tacit import workflow
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.texts import Vocabulary
from tacit.estimators.capabilities import Transforms, can
from tacit.estimators.factors.capabilities import HasFactors
from tacit.evaluation.conformal import Calibration
from tacit.plots.style import short_number
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import FIRST_ROWS, TableAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.opened import Opened, labels
from tacit.workflow.sources import Rows


def score_documents(opened: Opened, rows: Rows, calibration: Calibration | None, alarm: float | None) -> TableAnswer:
    """How likely each document is, in nats a word, and which are anomalies; one without a known word has no score."""
    lengths = np.asarray(rows.values.sum(axis=1)).ravel()
    each = workflow.judging_topics.word_scores(opened.estimator, rows.values)
    known = lengths > 0
    columns = labels(rows) | {
        "words": pa.array(lengths.astype(np.int64)),
        "log_probability": pa.array(np.where(known, each * lengths, 0.0)),
        "nats_a_word": pa.array([float(value) if there else None for value, there in zip(each, known, strict=True)]),
    }
    order = np.argsort(np.where(known, each, np.inf), kind="stable")
    told, remarks = order, []
    if calibration is not None:
        p_values = calibration.p_values(np.where(known, each, 0.0))
        columns["p_value"] = pa.array([float(p) if there else None for p, there in zip(p_values, known, strict=True)])
        if alarm is not None:
            flagged = calibration.flag(np.where(known, each, 0.0), alarm) & known
            columns["odd"] = pa.array(flagged)
            told = order[flagged[order]]
    if not known.all():
        lacking = counted(int((~known).sum()), "document")
        remarks.append(f"{lacking} without any word that the model knows: no score.")
    if calibration is None:
        remarks.append("No p-values: the fit kept no documents aside (--holdout 0).")
    if alarm is not None:
        remarks.append(
            f"{counted(len(told), 'odd document')} of {len(rows):,}; of ordinary ones at most "
            f"{short_number(100 * alarm)} % would be flagged on average."
        )
    table = pa.table(columns)
    return TableAnswer(table, "document", table.take(pa.array(told[:FIRST_ROWS])), remarks=tuple(remarks))


def sample_documents(opened: Opened, vocabulary: Vocabulary, number: int, seed: int) -> TableAnswer:
    """New documents drawn from the model, a line for each word of each: document, word, count."""
    opened.estimator.set_params(random_state=seed)
    counts, _ = opened.estimator.sample(number)
    entries = counts.tocoo()
    order = np.lexsort((entries.col, -entries.data, entries.row))
    table = {
        "document": pa.array(entries.row[order].astype(np.int64) + 1),
        "word": pa.array([vocabulary.words[place] for place in entries.col[order]]),
        "count": pa.array(entries.data[order].astype(np.int64)),
    }
    return TableAnswer(pa.table(table), "line")


@compilation_cache()
def transform(opened: Opened, rows: Rows, topic: int | None = None) -> TableAnswer:
    """What the model makes of every row: the topic shares of a document, its scores on factors and their standard
    deviations, or the numbers of ``transform``.

    Args:
        opened: the run.
        rows: the new rows.
        topic: only the documents of which this topic, from 1, has the greatest share, those with most of it first.
    """
    if not can(opened.estimator, Transforms):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} has nothing to turn rows into.")
    columns, name, deviations = labels(rows), "value", np.zeros((0, 0))
    if can(opened.estimator, HasFactors):
        name = "factor_"
        found, deviations = opened.estimator.transform(opened.feed(rows), return_std=True)
    else:
        found = opened.estimator.transform(opened.feed(rows))
    found = np.asarray(found, np.float64)
    if opened.vocabulary is not None:
        name = "topic_"
        columns["words"] = pa.array(np.asarray(rows.values.sum(axis=1)).ravel().astype(np.int64))
        columns["topic"] = pa.array(found.argmax(axis=1) + 1)
    columns |= {f"{name}{place + 1}": pa.array(column) for place, column in enumerate(found.T)}
    columns |= {f"sd_{place + 1}": pa.array(np.asarray(column, float)) for place, column in enumerate(deviations.T)}
    table = pa.table(columns)
    if topic is not None:
        if opened.vocabulary is None:
            raise RequestError("--topic is about topics, and this model has none.")
        if not 1 <= topic <= found.shape[1]:
            raise RequestError(f"--topic {topic}: there are {found.shape[1]} topics, from 1.")
        own = np.flatnonzero(found.argmax(axis=1) == topic - 1)
        table = table.take(pa.array(own[np.argsort(-found[own, topic - 1], kind="stable")]))
    return TableAnswer(table)
