"""How often the words of a group of documents stand."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style


def word_bars(words: Sequence[str], counts: Num[Array, "words"]) -> Figure:
    """How often words stand, the first at the top."""
    figure, [[ax]] = axes.new_panels(1, 1, (3.2, max(0.22 * len(words), 0.4)), margin=(1.6, 0.2, 0.15, 0.45))
    place = np.arange(len(words))[::-1].astype(np.float64)
    axes.boxes(ax, np.zeros(len(words)), place - 0.35, np.asarray(counts, np.float64), 0.7, [style.DATA])
    for word, at in zip(words, place, strict=True):
        axes.line_name(ax, float(at), word, limit=22)
    ax.set_xlim(0, max(float(np.max(counts, initial=0.0)), 1.0))
    ax.set_ylim(-0.6, len(words) - 0.4)
    axes.no_ticks(ax, "y")
    axes.below(ax, "How often")
    return figure
