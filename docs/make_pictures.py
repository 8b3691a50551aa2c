"""Make the pictures of README and docs with tacit's own plots: ``python docs/make_pictures.py``.

Run it again when the plots or the models change, and look at every picture.
"""

import io
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy.special import expit
from sklearn.datasets import load_wine
from sklearn.linear_model import LinearRegression

from tacit import (
    VAE,
    BayesianGaussianMixture,
    BayesianLogisticRegression,
    FactorAnalysis,
    GaussianMixture,
    KMeans,
    LatentDirichletAllocation,
    LeastAbsoluteDeviations,
    Mixture,
    MultinomialMixture,
    PoissonMixture,
    StudentTRegression,
    TriangularFlow,
    datasets,
    plots,
)
from tacit.data import Table, load
from tacit.estimators.generative_classifier import GenerativeClassifier
from tacit.evaluation.coverage import coverage
from tacit.evaluation.number_of_factors import number_of_factors
from tacit.evaluation.select import select
from tacit.plots import axes, style

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


def bayesian_pictures(sizes: np.ndarray) -> None:
    pair = sizes[:, [0, 1]]
    mixture = BayesianGaussianMixture(n_components=8, random_state=0, max_iter=500).fit(pair)
    moments = {}
    for step, model in mixture.snapshots_.items():
        weights, group = np.exp(model.log_weights), model.groups[0]
        full = weights * len(pair) >= 1.0
        moments[step] = (weights[full], group.means[full], group.covariances[full])
    keep("bayesian-evolution", plots.evolution(pair, moments, SIZES[:2]))
    keep("graph-bayesian-gaussian-mixture", mixture.graph().draw())
    complete = np.random.default_rng(0).permutation(sizes[~np.isnan(sizes).any(axis=1)])
    few, rest = complete[:60], complete[60:]
    bayes = BayesianGaussianMixture(n_components=5, max_iter=500, random_state=0).fit(few)
    point = GaussianMixture(5, reg_covar=1e-2, random_state=0).fit(few)
    held = coverage(bayes, rest)
    keep("bayesian-coverage", held.plot({"point estimates": coverage(point, rest)}, "posterior predictive"))


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


def factor_pictures(sizes: np.ndarray) -> None:
    factor = FactorAnalysis(1).fit(sizes)
    figure = plots.loading_map(factor.loadings_, SIZES)
    keep("factor-analysis", figure)
    keep("graph-factor-analysis", factor.graph().draw())


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


def robust_pictures() -> None:
    """Least squares, least absolute deviations and Student's t through the points of robust-regression.md."""
    random = np.random.default_rng(0)
    x = random.uniform(0, 10, size=(60, 1))
    y = 2.0 + 0.5 * x[:, 0] + 0.3 * random.normal(size=60)
    y[x[:, 0] > 8.5] -= 6.0
    tails = StudentTRegression().fit(x, y)
    lines = {"least squares": LinearRegression(), "least absolute deviations": LeastAbsoluteDeviations()}
    figure, ((ax,),) = axes.new_panels(1, 1, cell=(6.4, 3.6))
    size = 12.0 + 60.0 * tails.row_weights_ / tails.row_weights_.max()
    ax.scatter(x[:, 0], y, s=size, color=style.ACCENT, alpha=0.5, linewidths=0)
    ends = np.array([[0.0], [10.0]])
    ax.plot(ends, 2.0 + 0.5 * ends, color=style.DATA, linewidth=5, alpha=0.4, label="the truth")
    for (name, model), look in zip((lines | {"Student's t": tails}).items(), ("--", "-", ":"), strict=True):
        ax.plot(ends, model.fit(x, y).predict(ends), look, label=name, linewidth=1.8)
    ax.legend(frameon=False, fontsize=8)
    ax.set(xlabel="x", ylabel="y")
    keep("robust-regression", figure)
    keep("graph-student-t-regression", tails.graph().draw())


def regression_pictures(table: Table) -> None:
    """The posterior of bayesian-regression.md: a curve a draw, and their average."""
    mass, sex = table.values[:, 5], table.values[:, 6]
    chosen = np.flatnonzero((table.values[:, 0] == 0) & ~np.isnan(mass) & ~np.isnan(sex))[::6]
    model = BayesianLogisticRegression(random_state=0).fit(mass[chosen, None], sex[chosen])
    at = np.linspace(2400.0, 5200.0, 200)[:, None]
    draws = model.posterior_.draws
    figure, ((ax,),) = axes.new_panels(1, 1, cell=(6.4, 3.6))
    curves = expit(at @ draws["coef"][:60].T + draws["intercept"][:60])
    ax.plot(at, curves, color=style.DATA, linewidth=0.5, alpha=0.5)
    ax.plot([], [], color=style.DATA, linewidth=0.8, label="draws from the posterior")
    mean = expit(at @ model.coef_[0] + model.intercept_[0])
    ax.plot(at, mean, "--", color=style.GROUPS[1], linewidth=1.6, label="at the posterior mean")
    ax.plot(at, model.predict_proba(at)[:, 1], color=style.ACCENT, linewidth=2.0, label="averaged: predict_proba")
    ax.scatter(mass[chosen], sex[chosen], s=14, color=style.INK, linewidths=0, zorder=3)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set(xlabel=SIZES[3], ylabel="probability of a male")
    keep("bayesian-regression", figure)
    keep("graph-bayesian-logistic-regression", model.graph().draw())


def scree_picture() -> None:
    keep("scree", number_of_factors(load_wine(as_frame=True).data).plot())


def choice_picture(sizes: np.ndarray) -> None:
    keep("choice", select(sizes, range(1, 7), ["VVI", "EEE", "VVV"], random_state=0).plot())


def moons_and_ring(count: int, random: np.random.Generator) -> np.ndarray:
    """Two half-circles and a circle, blurred: three shapes of equal weight, none of them a Gaussian."""
    turn, which = np.pi * random.random(count), random.integers(3, size=count)
    shapes = [
        np.column_stack([np.cos(turn), np.sin(turn)]),
        np.column_stack([1 - np.cos(turn), 0.5 - np.sin(turn)]),
        np.column_stack([4 + np.cos(2 * turn), 0.25 + np.sin(2 * turn)]),
    ]
    return np.choose(which[:, None], shapes) + 0.06 * random.normal(size=(count, 2))


def infinite_mixture_picture() -> None:
    """Data, a Gaussian a shape, and the VAE's continuum of Gaussians, on one scale of densities."""
    random = np.random.default_rng(0)
    rows, unseen = moons_and_ring(2000, random), moons_and_ring(1000, random)
    across, up = np.linspace(-1.6, 5.4, 175), np.linspace(-1.2, 1.7, 73)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    few, many = (GaussianMixture(k, n_init=3, random_state=0).fit(rows) for k in (3, 20))
    deep = VAE(2, prior="mixture", learning_rate=3e-3, random_state=0).fit(rows)
    figure, cells = axes.new_panels(2, 2, cell=(4.4, 4.4 * 2.9 / 7.0))
    panels = [ax for line in cells for ax in line]
    panels[0].scatter(*rows.T, s=2, color=style.ACCENT, linewidths=0)
    axes.heading(panels[0], "2 000 rows", limit=60)
    named = {"3 Gaussians": few, "20 Gaussians": many, "VAE, 2 latent dimensions": deep}
    for ax, (name, model) in zip(panels[1:], named.items(), strict=True):
        density = np.exp(model.score_samples(grid)).reshape(up.size, across.size)
        ax.pcolormesh(across, up, np.sqrt(density), cmap="Blues", vmin=0, vmax=0.9, shading="nearest")
        axes.heading(ax, f"{name}: {style.short_number(model.score(unseen))} nats on unseen rows", limit=60)
    for ax in panels:
        ax.set(xlim=across[[0, -1]], ylim=up[[0, -1]])
    keep("infinite-mixture", figure)


def bent_shapes(name: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Two moons, a ring, or the dark fields of a checkerboard."""
    if name == "checkerboard":
        column, up = random.integers(0, 4, count), random.integers(0, 2, count)
        return np.column_stack([column + random.random(count), 2 * up + column % 2 + random.random(count)]) - 2.0
    turn, side = np.pi * random.random(count), random.random(count) < 0.5
    if name == "ring":
        rows = np.column_stack([np.cos(2 * turn), np.sin(2 * turn)])
    else:
        x, y = np.cos(turn), np.sin(turn)
        rows = np.column_stack([np.where(side, 1 - x, x), np.where(side, 0.5 - y, y)])
    return rows + 0.08 * random.normal(size=(count, 2))


def bent_clouds(name: str) -> dict[str, np.ndarray]:
    """Rows, and rows drawn from three models, by what is said of them."""
    random = np.random.default_rng(0)
    rows, unseen = bent_shapes(name, 2000, random), bent_shapes(name, 2000, random)
    models = {
        "mixture": select(rows, (2, 3, 5, 8, 12, 18, 27, 40), ["VVV"], random_state=0).best,
        "VAE": VAE(2, prior="mixture", hidden=(64, 64), learning_rate=3e-3, max_epochs=150, random_state=0).fit(rows),
        "flow": TriangularFlow(steps=4, hidden=(64, 64), max_epochs=150, random_state=0).fit(rows),
    }
    clouds = {"2 000 rows": rows}
    for kind, model in models.items():
        score = model.score(unseen)
        print(name, kind, round(score, 3), flush=True)
        drawn = model.sample(2000)
        clouds[f"{kind}, {style.short_number(score, 3)} nats"] = drawn[0] if isinstance(drawn, tuple) else drawn
    return clouds


def flow_picture() -> None:
    """Rows, and rows drawn from a mixture, a VAE and a flow; their held-out scores stand in docs/models/flows.md."""
    names = ("two moons", "ring", "checkerboard")
    figure, panels = axes.new_panels(len(names), 4, (1.6, 1.5), (0.12, 0.3), (0.45, 0.1, 0.3, 0.25))
    for name, line in zip(names, panels, strict=True):
        clouds = bent_clouds(name)
        limits = [axes.span(column, margin=0.15) for column in next(iter(clouds.values())).T]
        for place, (ax, (said, cloud)) in enumerate(zip(line, clouds.items(), strict=True)):
            colour = style.ACCENT if place else style.QUIET
            ax.scatter(*cloud.T, s=1.5, color=colour, linewidths=0, alpha=0.6)
            ax.set(xlim=limits[0], ylim=limits[1])
            axes.no_ticks(ax, "x", "y")
            axes.heading(ax, said, limit=40)
        axes.beside(line[0], name)
    keep("flows", figure)


def main() -> None:
    """All pictures."""
    FOLDER.mkdir(exist_ok=True)
    table, sizes = penguins()
    gaussian_pictures(sizes)
    bayesian_pictures(sizes)
    mixture_picture(table)
    count_pictures()
    k_means_pictures(sizes)
    factor_pictures(sizes)
    keep("graph-latent-dirichlet-allocation", LatentDirichletAllocation(3).graph().draw())
    classifier_pictures(table, sizes)
    robust_pictures()
    regression_pictures(table)
    scree_picture()
    choice_picture(sizes)
    infinite_mixture_picture()
    flow_picture()
    assert math.fsum(path.stat().st_size for path in FOLDER.glob("*.png")) < 1_000_000


if __name__ == "__main__":
    main()
