"""Peak memory of a fit of 10⁷ × 8 numbers, and its time against the number of rows."""

from collections.abc import Iterator

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs

from benchmarks.frame import Row, in_turn, timed
from benchmarks.fresh import fresh
from benchmarks.rows import blobs, per_iteration, start
from tacit import GaussianMixture as Ours

TITLE = "Memory and scaling: 8 columns, K = 8, full covariances, float64"
NOTE = (
    "Memory: a new process; the peak of its resident memory less that after the imports, less the data's own size; "
    "two iterations. Scaling: time of an iteration as in the first part, ours and scikit-learn's in turn."
)
COMPONENTS = 8
ALLOWED = 200.0


def run(quick: bool) -> Iterator[Row]:
    """Memory from a given start and from the usual one; then the times."""
    largest = 5 if quick else 7
    for given, label in (("given", "start given"), ("usual", "start by k-means")):
        yield _peak(10**largest, given, label)
    yield from _scaling(range(3 if quick else 4, largest + 1))


def _peak(count: int, given: str, label: str) -> Row:
    mine = fresh("memory", "ours", count, COMPONENTS, "full", given)
    # scikit-learn's own k-means start alone takes minutes at this size
    peer = [fresh("memory", "theirs", count, COMPONENTS, "full", given)] if given == "given" else []
    above = mine["above"] / 1e6
    return Row(
        f"{count:.0e} rows, {label}: above imports and data".replace("e+0", "e"),
        "MB",
        (above,),
        tuple(run["above"] / 1e6 for run in peer),
        "scikit-learn",
        tuple(run["above"] / mine["above"] for run in peer),
        f"≤ {ALLOWED:g} MB",
        above <= ALLOWED,
        f"imports {mine['imported'] / 1e6:.0f} MB, data {mine['data'] / 1e6:.0f} MB, our fit took "
        f"{mine['seconds']:.1f} s with compiling" + "".join(f", theirs {run['seconds']:.1f} s" for run in peer),
    )


def _scaling(powers: range) -> Iterator[Row]:
    counts, medians = [10**power for power in powers], []
    for count in counts:
        rows = blobs(count, 8, COMPONENTS)
        settings = start(rows, COMPONENTS, "full")
        few, many = (2, 2 + max(3, min(200, 2_000_000 // count))) if count <= 10**6 else (1, 3)
        ours = lambda rows=rows, s=settings, few=few, many=many: per_iteration(Ours, rows, s, few, many)  # noqa: E731
        theirs = lambda rows=rows, s=settings, few=few, many=many: per_iteration(Theirs, rows, s, few, many)  # noqa: E731
        ours()
        if count <= 10**6:
            row = timed(
                f"{count:.0e} rows".replace("e+0", "e"),
                "ms an iteration",
                in_turn(ours, theirs, 5, 20.0),
                "scikit-learn",
            )
        else:
            row = Row(f"{count:.0e} rows".replace("e+0", "e"), "ms an iteration", tuple(ours() for _ in range(2)))
        medians.append(float(np.median(row.ours)))
        yield row
    slope = float(np.polyfit(np.log(counts), np.log(medians), 1)[0])
    spread = ", ".join(f"{1e6 * m / n:.0f}" for n, m in zip(counts, medians, strict=True))
    yield Row(
        "exponent of the time in the number of rows",
        "",
        (slope,),
        asked="at most 1.05",
        met=slope <= 1.05,
        note=f"nanoseconds a row and iteration at each size: {spread}",
    )
