"""How well each class is told from the others: who is taken for whom, recall and precision, ROC."""

import numpy as np

from tacit import plots
from tacit.evaluation import classes
from tacit.plots.style import short_number
from tacit.report import sentences
from tacit.report.html import Child, table, tag
from tacit.report.parts import framed, picture
from tacit.report.predictions import Prediction

_CURVES = 8
"""Classes that get a curve each, at most: the commonest."""
_CLASSES = 20
"""Classes of a table of who is taken for whom, at most."""


def class_part(prediction: Prediction) -> Child:
    """What there is to say of classes, from the rows kept aside; nothing where there are none."""
    if prediction.chances is None or prediction.observed is None or not len(prediction.chances):
        return None
    chances, observed = np.asarray(prediction.chances, np.float64), np.asarray(prediction.observed, np.int64)
    scores = classes.class_scores(chances, observed)
    return [
        _confusion(prediction.classes, classes.confusion(chances, observed)),
        _by_class(prediction.classes, scores, len(observed)),
        _curves(prediction.classes, chances, observed, scores),
    ]


def _confusion(names: tuple[str, ...], counts: np.ndarray) -> Child:
    if len(names) > _CLASSES:
        return None
    body: list[list[Child]] = []
    for place, name in enumerate(names):
        most = max(int(counts[place].sum()), 1)
        cells: list[Child] = []
        for other in range(len(names)):
            share = counts[place, other] / most
            depth = int(np.searchsorted([0.02, 0.15, 0.5], share, side="right"))
            side = "more" if other == place else "less"
            text = short_number(int(counts[place, other]), 15)
            cells.append(tag("td", text, class_=f"number {side}-{depth}" if depth else "number"))
        body.append([name, *cells])
    caption = (
        "Who is taken for whom (confusion matrix), rows kept aside: down the true class, across the class they were "
        "put into. Blue: right; orange: wrong."
    )
    head: list[Child] = ["True class", *names]
    shown = table(caption, head, body, numbers=tuple(range(1, len(names) + 1)), class_="confusion")
    return [tag("h3", "Class by class"), shown]


def _by_class(names: tuple[str, ...], scores: tuple[classes.ClassScore, ...], rows: int) -> Child:
    body: list[list[Child]] = [
        [
            name,
            short_number(score.rows, 15),
            sentences.percent(score.recall),
            sentences.percent(score.precision),
            short_number(score.auc, 3),
            short_number(score.average_precision, 3),
            f"{sentences.percent(score.told)} against {sentences.percent(score.rows / max(rows, 1))}",
        ]
        for name, score in zip(names, scores, strict=True)
    ]
    caption = (
        "Found (recall): of the rows of a class, how many were put into it. Right (precision): of those put into it, "
        "how many are of it. AUC: how often a row of the class gets a higher probability of it than a row of another; "
        "0.5 is chance. Told: the mean probability that was given, against the share there is."
    )
    head: list[Child] = ["Class", "Rows", "Found", "Right", "AUC (ROC)", "Area (precision–recall)", "Told"]
    return table(caption, head, body, numbers=(1, 2, 3, 4, 5))


def _curves(
    names: tuple[str, ...], chances: np.ndarray, observed: np.ndarray, scores: tuple[classes.ClassScore, ...]
) -> Child:
    places = [place for place, score in enumerate(scores) if np.isfinite(score.auc)]
    if len(names) == 2:
        places = places[-1:]
    places = sorted(sorted(places, key=lambda place: -scores[place].rows)[:_CURVES])
    if not places:
        return None
    own = [observed == place for place in places]
    found = [classes.roc(chances[:, place], mine) for place, mine in zip(places, own, strict=True)]
    other = [classes.precision_recall(chances[:, place], mine) for place, mine in zip(places, own, strict=True)]
    called = [f"{names[place]} (AUC {short_number(scores[place].auc, 2)})" for place in places]
    areas = [f"{names[place]} (area {short_number(scores[place].average_precision, 2)})" for place in places]
    one = plots.curves_plot(found, called, across="Of the others, called it", up="Found of the class", diagonal=True)
    two = plots.curves_plot(other, areas, across="Found of the class (recall)", up="Right (precision)")
    caption = (
        "As the probability from which a row is put into a class is lowered, more of its rows are found and more of "
        "the others are called it: left the ROC curve (the diagonal is chance), right precision against recall."
    )
    return framed(
        caption,
        picture(one, "roc", "ROC curves"),
        picture(two, "precision-recall", "Precision against recall"),
        class_="tiles",
    )
