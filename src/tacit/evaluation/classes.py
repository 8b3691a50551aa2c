"""How well each class is told from the others, on rows with known classes."""

import dataclasses

import numpy as np
import sklearn.metrics
from jaxtyping import Float, Int

Curve = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """One class against all others; NaN where no row, or every row, is of it.

    Attributes:
        rows: rows of the class.
        called: rows that were put into it.
        recall: of its rows the share that was put into it.
        precision: of those put into it the share that is of it.
        auc: how often one of its rows is given a higher probability of it than a row of another class.
        average_precision: the area under precision over recall.
        told: the mean probability that all rows were given for it; beside the share of its rows it says whether the
            probabilities are too high.
    """

    rows: int
    called: int
    recall: float
    precision: float
    auc: float
    average_precision: float
    told: float


def confusion(
    chances: Float[np.ndarray, "rows classes"], observed: Int[np.ndarray, " rows"]
) -> Int[np.ndarray, "classes classes"]:
    """Rows of every class (down) that were put into every class (across); unknown ones (−1) are left out."""
    number = chances.shape[1]
    seen = observed >= 0
    return np.bincount(observed[seen] * number + chances[seen].argmax(axis=1), minlength=number * number).reshape(
        number, number
    )


def class_scores(
    chances: Float[np.ndarray, "rows classes"], observed: Int[np.ndarray, " rows"]
) -> tuple[ClassScore, ...]:
    """Every class by itself.

    Args:
        chances: the probability of every class.
        observed: the class of every row, −1 where it is none of them.
    """
    said = chances.argmax(axis=1)
    found = []
    for place in range(chances.shape[1]):
        own, called = observed == place, said == place
        both = float((own & called).sum())
        apart = 0 < own.sum() < len(own)
        found.append(
            ClassScore(
                int(own.sum()),
                int(called.sum()),
                both / own.sum() if own.any() else float("nan"),
                both / called.sum() if called.any() else float("nan"),
                float(sklearn.metrics.roc_auc_score(own, chances[:, place])) if apart else float("nan"),
                float(sklearn.metrics.average_precision_score(own, chances[:, place])) if apart else float("nan"),
                float(chances[:, place].mean()),
            )
        )
    return tuple(found)


def roc(chances: Float[np.ndarray, " rows"], own: np.ndarray) -> Curve:
    """The share of others that are called it (to the right) against the share of its own, over all thresholds."""
    wrong, right, _ = sklearn.metrics.roc_curve(own, chances)
    return wrong, right


def precision_recall(chances: Float[np.ndarray, " rows"], own: np.ndarray) -> Curve:
    """Recall (to the right) against precision, over all thresholds."""
    precision, recall, _ = sklearn.metrics.precision_recall_curve(own, chances)
    return recall, precision
