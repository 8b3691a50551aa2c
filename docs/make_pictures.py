"""Make the pictures of README and docs with tacit's own plots: ``python docs/make_pictures.py``.

Run it again when the plots or the models change, and look at every picture.
"""

import io
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tacit import GaussianMixture, KMeans, Mixture, MultinomialMixture, PoissonMixture, datasets, plots
from tacit.data import Table, load
from tacit.estimators.generative_classifier import GenerativeClassifier
from tacit.evaluation.select import select

FOLDER = Path(__file__).parent / "images"
LARGEST = 150_000
COLOURS = 64
SIZES = ("bill length (mm)", "bill depth (mm)", "flipper length (mm)", "body mass (g)")
ITEMS = ("bread", "milk", "beer", "crisps")


def penguins() -> tuple[Table, np.ndarray]:
    """The table, and the four measurements of every bird with gaps."""
    table = load(datasets.path("penguins"))
    return table, table.values[:, 2:6]


def purchases() -> np.ndarray:
    """The made-up baskets of docs/models/count-mixtures.md: 400 customers, three habits, four items."""
    random = np.random.default_rng(0)
    rates = np.array([[6.0, 5.0, 0.5, 0.5], [1.0, 1.0, 5.0, 4.0], [0.5, 4.0, 0.2, 2.0]])
    return random.poisson(rates[random.choice(3, size=400, p=[0.5, 0.3, 0.2])]).astype(float)


def keep(name: str, figure: Figure, scale: float = 1.5) -> None:
    """Write one picture, and object to a large one."""
    path = FOLDER / f"{name}.png"
    picture = Image.open(io.BytesIO(plots.to_png(figure, scale=scale))).convert("RGB")
    picture.quantize(COLOURS).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path.name} has {path.stat().st_size} bytes, more than {LARGEST}")
    print(f"{path.name} {path.stat().st_size // 1000} kB", flush=True)


def gaussian_pictures(sizes: np.ndarray) -> None:
    mixture = GaussianMixture(3, random_state=0, tol=1e-5).fit(sizes)
    shown = {"means": mixture.means_, "covariances": mixture.covariances_, "weights": mixture.weights_}
    figure = plots.pair_plot(sizes, SIZES, responsibilities=mixture.predict_proba(sizes), **shown)
    keep("penguins", figure, scale=1.2)
    pair = sizes[:, [0, 1]]
    slow = GaussianMixture(3, random_state=3, init_params="random_from_data", tol=1e-6).fit(pair)
    moments = {
        step: (np.exp(model.log_weights), model.groups[0].means, model.groups[0].covariances)
        for step, model in slow.snapshots_.items()
    }
    keep("evolution", plots.evolution(pair, moments, SIZES[:2]))
    keep("graph-gaussian-mixture", mixture.graph().draw())
    keep("missing", plots.missing_summary(np.isnan(penguins()[0].values), penguins()[0].names))


def mixture_picture(table: Table) -> None:
    columns = [1, 3, 5, 6]  # island, bill depth, body mass, sex
    chosen = {table.names[c]: table.values[:, c] for c in columns}
    families = {"island": "categorical", "sex": "bernoulli", "bill_depth_mm": "normal", "body_mass_g": "normal"}
    mixture = Mixture(4, families=families, random_state=0).fit(chosen)
    known = [table.schema.columns[c] for c in columns]
    figure = plots.marginals(
        table.values[:, columns],
        [column.name for column in known],
        [column.kind for column in known],
        responsibilities=mixture.predict_proba(chosen),
        levels={place: column.levels for place, column in enumerate(known) if column.levels},
        across=4,
    )
    keep("mixture", figure)
    keep("graph-mixture", mixture.graph().draw())


def count_pictures() -> None:
    baskets = purchases()
    mixture = PoissonMixture(3, random_state=0).fit(baskets)
    counts = ["count"] * len(ITEMS)
    figure = plots.marginals(baskets, ITEMS, counts, responsibilities=mixture.predict_proba(baskets), across=4)
    keep("count-mixtures", figure)
    keep("graph-poisson-mixture", mixture.graph().draw())
    keep("graph-multinomial-mixture", MultinomialMixture(3, random_state=0).fit(baskets).graph().draw())


def k_means_pictures(sizes: np.ndarray) -> None:
    scale = np.nanstd(sizes, axis=0)
    unit = sizes[:, [0, 1]] / scale[[0, 1]]
    clusters = KMeans(3, n_init=5, random_state=0).fit(unit)
    # the round Gaussians of which k-means is the limit: one variance for all, from the inertia
    variance = clusters.inertia_ / np.isfinite(unit).sum()
    circles = np.broadcast_to(variance * np.eye(2), (3, 2, 2))
    names = ("bill length (standard deviations)", "bill depth (standard deviations)")
    figure = plots.ellipses(unit, names, labels=clusters.labels_, means=clusters.cluster_centers_, covariances=circles)
    keep("k-means", figure)
    keep("graph-k-means", clusters.graph().draw())


def classifier_pictures(table: Table, sizes: np.ndarray) -> None:
    pair, species = sizes[:, [0, 1]], table.values[:, 0].astype(int)
    classifier = GenerativeClassifier(GaussianMixture()).fit(pair, species)
    densities = [density.model_.groups[0] for density in classifier.estimators_]
    figure = plots.ellipses(
        pair,
        SIZES[:2],
        labels=species,
        means=np.concatenate([density.means for density in densities]),
        covariances=np.concatenate([density.covariances for density in densities]),
    )
    keep("generative-classifier", figure)
    keep("graph-generative-classifier", classifier.graph().draw())


def choice_picture(sizes: np.ndarray) -> None:
    keep("choice", select(sizes, range(1, 7), ["VVI", "EEE", "VVV"], random_state=0).plot())


def main() -> None:
    """All pictures."""
    FOLDER.mkdir(exist_ok=True)
    table, sizes = penguins()
    gaussian_pictures(sizes)
    mixture_picture(table)
    count_pictures()
    k_means_pictures(sizes)
    classifier_pictures(table, sizes)
    choice_picture(sizes)
    assert math.fsum(path.stat().st_size for path in FOLDER.glob("*.png")) < 1_000_000


if __name__ == "__main__":
    main()
