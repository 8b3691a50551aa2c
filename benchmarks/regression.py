"""Bayesian logistic regression: gradient noise, distance from a long NUTS run, and a race against NumPyro's SVI."""

import functools
import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer

from benchmarks.frame import Row, clock
from benchmarks.regression_peers import long_run, svi_race
from tacit import BayesianLogisticRegression, watch
from tacit.compute import single_precision
from tacit.inference.black_box import BlackBox, Guided
from tacit.inference.objectives import Batch
from tacit.models.regression.by_gradient import guide_of, joint_around
from tacit.models.regression.fitting import RegressionTable

TITLE = "Bayesian logistic regression: gradient noise, distance from NUTS, time to the bound"
NOTE = (
    "Breast cancer (569 × 30, standardised; prior N(0, 2.5²), intercept N(0, 10²)). Noise: the variance of one "
    "gradient of the bound a row, summed over the guide's parameters, 64 draws each, at Laplace's posterior. Distances "
    "from NUTS: means in posterior standard deviations (root mean square over coefficients), the median ratio of "
    "standard deviations, and log evidence by importance sampling less that of a mixture proposal fitted to NUTS."
)
ESTIMATORS = (
    "score-function",
    "score-function-leave-one-out",
    "score-function-control-variate",
    "reparameterised",
    "sticking-the-landing",
)
SAMPLES, GRADIENTS = 64, 200
METHODS = (
    ("jaakkola-jordan", "full"),
    ("bohning", "full"),
    ("bouchard", "full"),
    ("laplace", "full"),
    ("reparameterised", "full"),
    ("jaakkola-jordan", "mean-field"),
    ("laplace", "mean-field"),
    ("reparameterised", "mean-field"),
    ("score-function-leave-one-out", "mean-field"),
    ("score-function-control-variate", "mean-field"),
    ("score-function", "mean-field"),
)
RACE_ROWS, RACE_COLUMNS = 1_000_000, 50
CLOSE = 1e-3


def run(quick: bool) -> Iterator[Row]:
    """Noise of the gradients, distances of the methods, and the race."""
    warnings.simplefilter("ignore")
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    if quick:
        X, y = X[:, :5], y
    yield from _noise(X, y, 20 if quick else GRADIENTS)
    yield from _distances(X, y, quick)
    yield from _race(quick)


def _noise(X: np.ndarray, y: np.ndarray, number: int) -> Iterator[Row]:
    for posterior in ("mean-field", "full"):
        model = BayesianLogisticRegression("laplace", posterior=posterior, n_draws=0, random_state=0).fit(X, y)
        table = RegressionTable(X, y.astype(float), np.ones(len(y)), model._view)
        noises = {name: _variance(model.model_, table, name, number) for name in ESTIMATORS}
        for name in ESTIMATORS:
            note = f"{noises['score-function'] / noises[name]:,.0f} times less than the plain score function's"
            yield Row(f"variance of a gradient, {posterior}, {name}", "nats²", (noises[name],), note=note)


@single_precision
def _variance(model: Any, table: RegressionTable, estimator: Any, number: int) -> float:
    """Trace of the covariance of one gradient of the bound a row, over all rows."""
    joint = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float32) if eqx.is_array(leaf) else leaf,
        joint_around(model, table, quiet=False),
    )
    guide = guide_of(model, np.zeros(np.asarray(model.coefficients.mean).size))
    objective = BlackBox(SAMPLES, estimator)
    rows = (table.rows.astype(np.float32), table.target.astype(np.float32))
    weights = jnp.ones(len(table.target), jnp.float32)

    @eqx.filter_jit
    def slope(key):
        def bound(moving):
            raised, _ = objective(
                Guided(moving, joint, float(len(table.target))), Batch(rows, weights, key, jnp.ones(()))
            )
            return raised.mean()

        return eqx.filter_grad(bound)(guide)

    keys = jax.random.split(jax.random.key(0), number)
    found = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(slope(key))]) for key in keys]
    return float(np.var(found, axis=0, ddof=1).sum())


class Truth(NamedTuple):
    """Of a long run: moments of the coefficients, intercept last, and the log evidence."""

    mean: np.ndarray
    sd: np.ndarray
    evidence: float
    error: float


def _distances(X: np.ndarray, y: np.ndarray, quick: bool) -> Iterator[Row]:
    seconds, (draws, worst) = clock(lambda: long_run(X, y, 200 if quick else 2000))
    evidence, error = bridged(X, y, draws)
    truth = Truth(draws.mean(0), draws.std(0), evidence, error)
    yield Row(
        "NUTS itself",
        "s",
        (),
        (seconds,),
        "NumPyro",
        note=f"{len(draws)} draws, largest r̂ {worst:.3f}, log evidence {evidence:.3f} ± {error:.3f}",
    )
    for method, posterior in METHODS:
        steps = 500 if quick else 8000
        model = BayesianLogisticRegression(
            method, posterior=posterior, n_init=1, n_draws=2000, max_steps=steps, random_state=0
        )
        spent, _ = clock(lambda model=model: model.fit(X, y))
        mean, sd = np.append(model.coef_[0], model.intercept_), np.append(model.coef_sd_[0], model.intercept_sd_)
        away = float(np.sqrt(np.mean(((mean - truth.mean) / truth.sd) ** 2)))
        verdict = model.verdict_
        mended = np.array([verdict.corrected[name][1] for name in verdict.corrected])
        note = (
            f"sd ratio {np.median(sd / truth.sd):.3f} ({(sd / truth.sd).min():.3f}–{(sd / truth.sd).max():.3f}), "
            f"after importance weights {np.median(mended / truth.sd):.3f}; bound {model.elbo_:.3f}; log evidence "
            f"{verdict.log_evidence - truth.evidence:+.3f} ± {verdict.log_evidence_error:.3f} of the truth; "
            f"k̂ {verdict.khat:.2f}; {spent:.1f} s"
        )
        yield Row(f"means from NUTS, {method}, {posterior}", "sd", (away,), note=note)


def bridged(X: np.ndarray, y: np.ndarray, draws: np.ndarray) -> tuple[float, float]:
    """Log evidence by bridge sampling between NUTS draws and a Gaussian of their moments (Meng & Wong 1996)."""
    half = len(draws) // 2
    mean, covariance = draws[:half].mean(0), np.cov(draws[:half].T)
    root = np.linalg.cholesky(covariance)
    random = np.random.default_rng(0)
    own = draws[half:]
    new = mean + random.standard_normal(own.shape) @ root.T

    def ratio(at):
        white = np.linalg.solve(root, (at - mean).T)
        log_q = -0.5 * (white**2).sum(0) - np.log(np.diag(root)).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
        return log_joint(X, y, at) - log_q

    first, second = ratio(own), ratio(new)
    level = np.median(first)
    for _ in range(200):
        top = np.mean(np.exp(second - np.logaddexp(second, level)))
        bottom = np.mean(np.exp(-np.logaddexp(first, level)))
        level = np.log(top) - np.log(bottom)
    f, g = np.exp(second - np.logaddexp(second, level)), np.exp(level - np.logaddexp(first, level))
    error = np.sqrt(f.var() / f.mean() ** 2 / len(f) + g.var() / g.mean() ** 2 / len(g))
    return float(level), float(error)


def log_joint(X: np.ndarray, y: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """``log p(y, w|X)`` of draws ``[draws, coefficients]``, intercept last."""
    scores = (2 * y - 1)[:, None] * (X @ draws[:, :-1].T + draws[:, -1])
    scales = np.append(np.full(X.shape[1], 2.5), 10.0)
    prior = -0.5 * ((draws / scales) ** 2 + np.log(2 * np.pi * scales**2)).sum(1)
    return -np.logaddexp(0.0, -scores).sum(0) + prior


def race_table(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns and classes drawn from a logistic regression."""
    random = np.random.default_rng(0)
    mix = np.eye(RACE_COLUMNS) + random.normal(size=(RACE_COLUMNS, RACE_COLUMNS)) / np.sqrt(RACE_COLUMNS)
    X = random.standard_normal((rows, RACE_COLUMNS), dtype=np.float32) @ mix.astype(np.float32)
    X = (X - X.mean(0)) / X.std(0)
    chance = 1.0 / (1.0 + np.exp(-(X @ (0.3 * random.normal(size=RACE_COLUMNS)) - 0.5)))
    return X, (random.random(rows) < chance).astype(np.int64)


class Looks:
    """A watcher that keeps every posterior it is shown, with the seconds since the call of fit."""

    def __init__(self) -> None:
        self.began, self.seen = time.perf_counter(), []

    def look(self, moment: Any) -> None:
        """Keep the first start's."""
        found = moment.kept.state.model.coefficients
        mean = np.asarray(found.mean)[0].ravel()
        covariance = np.asarray(found.covariance)[0].reshape(mean.size, mean.size)
        self.seen.append((time.perf_counter() - self.began, mean, covariance))

    done = look

    def resume(self, label: str, state: Any) -> None:
        """Nothing is kept."""

    def until(self, judge: Any) -> float | None:
        """The seconds at which the first posterior was there that a judge finds near."""
        return next((seconds for seconds, *found in self.seen if judge(*found) < CLOSE), None)


def _race(quick: bool) -> Iterator[Row]:
    """Seconds until the bound is within 1e-3 nats a row of the best."""
    X, y = race_table(RACE_ROWS // (100 if quick else 1))
    best = BayesianLogisticRegression("laplace", n_draws=0, n_init=1, random_state=0).fit(X, y)
    level = best.elbo_ / len(y)
    ours = functools.partial(
        BayesianLogisticRegression, "jaakkola-jordan", tol=CLOSE, n_draws=0, n_init=1, random_state=0
    )
    first, _ = clock(lambda: ours().fit(X, y))

    def judge(mean: np.ndarray, covariance: np.ndarray) -> float:
        return level - _bound(best, X, y, mean, covariance)

    times, wholes, gap = [], [], 0.0
    for _ in range(1 if quick else 3):
        time.sleep(0.2)
        looks = Looks()
        with watch(looks):
            spent, model = clock(lambda: ours().fit(X, y))
        times.append(looks.until(judge) or spent)
        wholes.append(spent)
        gap = max(gap, level - model.elbo_ / len(y))

    for form in ("plain", "all rows", "mini-batches"):
        hits = svi_race(X, y, judge, form=form, close=CLOSE, quick=quick)
        met = [hit for hit in hits if hit.seconds is not None]
        fastest = min(met, key=lambda hit: hit.seconds) if met else None
        peer = fastest.seconds if fastest else max(hit.spent for hit in hits)
        ratio = tuple(peer / one for one in times)
        said = fastest.what if fastest else f"none of {len(hits)} settings came as near; the time is that of its steps"
        note = (
            f"ours is from the call of fit until its posterior was that near; the whole fit takes "
            f"{np.median(wholes):.2f} s and ends {gap:.1e} nats a row from the best. With compiling "
            f"{first:.1f} s against {peer + (fastest or hits[0]).compiling:.1f} s. The peer, whose steps alone are "
            f"counted: {said}"
        )
        yield Row(
            f"{len(y):,} × {RACE_COLUMNS}, within {CLOSE:g} nats a row, SVI: {form}".replace(",", " "),
            "s",
            tuple(times),
            (peer,),
            "NumPyro",
            ratio,
            "ratio ≥ 5",
            bool(np.median(ratio) >= 5.0),
            note,
        )


def _bound(model: Any, X: np.ndarray, y: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """The evidence lower bound a row of any Gaussian of the (standardised) coefficients, by our quadrature."""
    shape = np.asarray(model.model_.coefficients.mean).shape
    other = type(model.model_.coefficients)(
        mean.reshape(shape), np.diag(covariance).reshape(shape), covariance.reshape(*shape, *shape)
    )
    kept = model.model_
    model.model_ = eqx.tree_at(lambda m: m.coefficients, kept, other)
    found = model.elbo(X, y) / len(y)
    model.model_ = kept
    return found
