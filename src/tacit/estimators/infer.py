"""``tacit.infer``: variational inference for a model of one's own, given as its log-joint."""

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import pyarrow as pa
from jaxtyping import Float, PRNGKeyArray, PyTree

from tacit.compute import Array, compiled, double_precision, single_precision
from tacit.data.results import TableResult
from tacit.estimators.stopping import because
from tacit.estimators.verdict import Verdict, judged
from tacit.families.transformed import Reparameterised
from tacit.inference.begin import Expansion, Whitening, begin_at, expanded, log_joints
from tacit.inference.black_box import ESTIMATORS, BlackBox, Estimator, Guided
from tacit.inference.closed_form import CONVERGED, STOPPED
from tacit.inference.elsewhere import elsewhere
from tacit.inference.guides import GUIDES, GuideName, guide_around
from tacit.inference.importance import pareto_smooth
from tacit.inference.posterior import Posterior
from tacit.inference.problem import Problem, problem_of
from tacit.inference.series import Series
from tacit.inference.settling import Settle
from tacit.inference.stochastic import Batches, as_stored
from tacit.inference.train import TrainConfig, Trained, train

BATCH_ROWS = 1024
SMALL = 4096
"""Up to so many rows every step sees all of them."""
SEARCH_ROWS = 10_000
"""Rows that the search for a start looks at."""
CELLS = 200_000_000
"""Draws times rows of the final diagnostics at most, but no fewer draws than `LEAST_DRAWS`."""
LEAST_DRAWS = 200
SHARES = (1.0, 0.3, 0.1, 0.0)
"""Of the way to a restart's place, tried in turn until the log-joint is finite there."""
SETTLED = "the bound no longer rose beyond its noise at the smallest step"
UNSETTLED = ": the bound may still rise"


@dataclasses.dataclass(frozen=True, eq=False)
class Inferred(TableResult):
    """What `tacit.infer` found: an approximate posterior, and how far to trust it.

    Attributes:
        posterior: draws of the parameters from the guide, by name, in the model's own units.
        elbo: the evidence lower bound in nats, complete if the log-joint is.
        elbo_error: its standard error from the draws.
        verdict: k̂, moments corrected by importance weights, agreement of restarts, and why the fit ended.
        guide: the fitted density, in coordinates of its own.
        trace: the course of the fit kept: ``step``, ``seconds``, ``elbo`` (of the rounds, in nats), ….
        log_ratios: ``log p(x, θ_s) − log q(θ_s)`` of the draws, in nats.
        converged: whether the bound had stopped rising beyond its noise.
    """

    posterior: Posterior
    elbo: float
    elbo_error: float
    verdict: Verdict
    guide: Reparameterised
    trace: dict[str, np.ndarray]
    log_ratios: Float[np.ndarray, " draws"]
    converged: bool
    _sampler: Callable[[int, int], dict[str, np.ndarray]] = dataclasses.field(repr=False)

    @property
    def khat(self) -> float:
        """The diagnostic k̂ of the importance weights, whatever the number of parameters."""
        return pareto_smooth(self.log_ratios).khat

    def sample(self, n_samples: int = 1000, random_state: int = 0) -> dict[str, np.ndarray]:
        """New draws from the guide, by name, ``[n_samples, ...]``."""
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}")
        return self._sampler(int(n_samples), int(random_state))

    def corrected(self, random_state: int = 0) -> Posterior:
        """The posterior as draws picked again by their smoothed importance weights (with repetition).

        To be used where ``verdict.reliable``.
        """
        weights = np.exp(pareto_smooth(self.log_ratios).log_weights)
        picked = np.random.default_rng(random_state).choice(weights.size, weights.size, p=weights / weights.sum())
        return Posterior({name: draws[picked] for name, draws in self.posterior.draws.items()})

    def to_arrow(self) -> pa.Table:
        """The posterior, a line a number."""
        return self.posterior.to_arrow()

    def headline(self) -> str:
        """The bound and the verdict."""
        return str(self)

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the posterior's means and intervals."""
        return self.posterior.plot()

    def to_arviz(self) -> Any:
        """The draws as ArviZ's ``InferenceData`` (an extra: ``pip install 'tacit[arviz]'``)."""
        return self.posterior.to_arviz()

    def __str__(self) -> str:
        return f"ELBO {self.elbo:.6g} ± {self.elbo_error:.2g} nats\n{self.verdict}"


class _Whitened(eqx.Module):
    """A log-joint in the coordinates that the guide moves."""

    whitening: Whitening
    expansion: Expansion | None
    joint: Any = eqx.field(static=True)

    def __call__(self, theta: Array, rows: PyTree) -> tuple[Array, Array]:
        log_prior, log_likelihood = self.joint(self.whitening(theta), rows)
        if self.expansion is not None:
            log_likelihood = self.expansion(lambda at: self.joint(self.whitening(at), rows)[1], theta)
        return log_prior + self.whitening.log_det().astype(theta.dtype), log_likelihood


class _Run(NamedTuple):
    """One restart."""

    guide: Reparameterised
    whitening: Whitening
    trained: Trained
    draws: np.ndarray
    """Coordinates u."""
    log_ratios: np.ndarray

    @property
    def elbo(self) -> float:
        return float(self.log_ratios.mean())


def infer(
    log_joint: Callable[..., Any],
    data: PyTree = None,
    parameters: PyTree = None,
    supports: PyTree = None,
    *,
    guide: GuideName = "mean-field",
    estimator: Estimator | None = None,
    samples: int = 8,
    batch_size: int | None = None,
    learning_rate: float = 0.05,
    max_steps: int = 50_000,
    restarts: int = 2,
    n_draws: int = 4000,
    random_state: int = 0,
) -> Inferred:
    """The posterior of a model's parameters by black-box variational inference (Ranganath et al. 2014; ADVI, 2017).

    Raises ``F(q) = E_q[log p(x, θ) − log q(θ)]`` over guides q, from modes, until it rises no more beyond its noise.

    Args:
        log_joint: ``(parameters, data) → log p(x, θ)`` in nats, written in `jax.numpy`; or ``→ (log p(θ), log p(x_n|θ)
            of every row)``, which lets the fit look at mini-batches of rows, scaled up to all of them. Without
            ``parameters``, a NumPyro model, whose arguments are ``data``.
        data: a pytree of arrays. Where the log-joint gives a number a row, all lead with the rows.
        parameters: a pytree of numbers and arrays, where the search begins.
        supports: what values the parameters may take: a pytree of "real", "positive", "unit-interval", "simplex",
            "ordered" or pairs (low, high), of the structure of ``parameters``; what is left out is real.
        guide: "mean-field" (independent normals), "full-rank" (one normal), "flow" or "spline-flow", unconstrained.
        estimator: of the gradient: "sticking-the-landing", "reparameterised" (the default of flows), or, for log-joints
            without a gradient, "score-function", "score-function-control-variate", "score-function-leave-one-out":
            these begin at ``parameters``, without a search for a mode.
        samples, batch_size: draws of θ and rows a step; None: all rows up to 4096, else 1024.
        learning_rate: of Adam at the start, in units of the posterior's curvature; it falls as the fit settles.
        max_steps: an end for fits that never settle.
        restarts: independent fits: the best bound is kept, and the verdict says whether they agree.
        n_draws: of the posterior that is returned.
        random_state: all that is random follows from it.

    Raises:
        ValueError: an unknown guide, estimator or support, a log-joint of the wrong shape or not finite at the start.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> def log_joint(p, x):
        ...     log_prior = -0.5 * p["mean"] ** 2 - p["sd"]
        ...     return log_prior, -0.5 * ((x - p["mean"]) / p["sd"]) ** 2 - jnp.log(p["sd"])
        >>> found = infer(log_joint, np.arange(5.0), {"mean": 0.0, "sd": 1.0}, {"sd": "positive"})
    """
    _check(guide, estimator, samples, restarts, n_draws, learning_rate, max_steps)
    _check_batch(batch_size)
    if estimator is None:
        estimator = "reparameterised" if "flow" in guide else "sticking-the-landing"
    problem = problem_of(log_joint, data, parameters, supports, random_state)
    objective = BlackBox(samples, estimator)
    batch = batch_size or (problem.number if problem.number <= SMALL else BATCH_ROWS)
    config = _course(objective, problem.number, min(batch, problem.number), learning_rate, max_steps)
    number = min(n_draws, max(CELLS // problem.number, LEAST_DRAWS))
    seed = None if estimator.startswith("score-function") else random_state
    return _told(problem, _runs(problem, guide, config, number, random_state, restarts), seed)


def _check(guide: Any, estimator: Any, samples: int, restarts: int, n_draws: int, rate: float, steps: int) -> None:
    if guide not in GUIDES:
        raise ValueError(f"guide must be one of {', '.join(map(repr, GUIDES))}; got {guide!r}")
    if estimator is not None and estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {', '.join(map(repr, ESTIMATORS))}; got {estimator!r}")
    for name, value, least in (
        ("samples", samples, 1),
        ("restarts", restarts, 1),
        ("n_draws", n_draws, 2),
        ("max_steps", steps, 1),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value!r}")
    if not rate > 0:
        raise ValueError(f"learning_rate must be above 0, got {rate!r}")


def _check_batch(size: Any) -> None:
    whole = isinstance(size, numbers.Integral) and not isinstance(size, bool)
    if size is not None and not (whole and size >= 1):
        raise ValueError(f"batch_size must be a whole number of at least 1, or None; got {size!r}")


def _course(objective: BlackBox, rows: int, batch: int, learning_rate: float, max_steps: int) -> TrainConfig:
    epochs = -(-max_steps // -(-rows // batch))
    return TrainConfig(
        objective,
        as_stored,
        max_epochs=epochs,
        batch_size=batch,
        learning_rate=learning_rate,
        settle=Settle(),
    )


def _runs(problem: Problem, name: GuideName, config: TrainConfig, number: int, seed: int, restarts: int) -> list[_Run]:
    """Independent fits, the best first; after Ctrl-C no other is begun."""

    def run(restart: int) -> _Run:
        label = f"infer, start {restart + 1} of {restarts}"
        return _one(problem, name, config._replace(label=label), number, seed, restart)

    runs = Series().each(run, range(restarts))
    return sorted(runs, key=lambda run: -run.elbo if np.isfinite(run.elbo) else np.inf)


def _one(problem: Problem, name: GuideName, config: TrainConfig, number: int, seed: int, restart: int) -> _Run:
    random = np.random.default_rng([seed, restart])
    whitening, expansion = _begun(problem, name, random, restart, config)
    at = _Whitened(whitening, expansion, problem.joint)
    trained, fitted = _fit(problem, name, config, at, int(random.integers(2**31)))
    theta, log_q = _drawn(fitted, int(random.integers(2**31)), number)
    coordinates = np.asarray(whitening(theta))
    log_ratios = _log_joint(problem, whitening, coordinates) - log_q
    return _Run(fitted, whitening, trained, coordinates, log_ratios)


@double_precision
def _begun(
    problem: Problem, name: GuideName, random: np.random.Generator, restart: int, config: TrainConfig
) -> tuple[Whitening, Expansion | None]:
    """The coordinates of a restart and, where its steps see only a part of the rows, what quietens them."""
    away = random.standard_normal(problem.start.size)
    picked = np.arange(problem.number)
    if problem.number > SEARCH_ROWS:
        picked = np.sort(random.choice(problem.number, SEARCH_ROWS, replace=False))
    rows, weights = _some_rows(problem, picked)
    seed = int(random.integers(2**31))
    objective = config.objective
    gradient = not (isinstance(objective, BlackBox) and objective.estimator.startswith("score-function"))
    for share in SHARES if restart else (0.0,):
        start = problem.start + share * away
        try:
            found = begin_at(
                problem.joint, rows, weights, start, dense=name != "mean-field", seed=seed, gradient=gradient
            )
            break
        except ValueError:  # no number there
            if share == 0.0:
                raise
    if config.batch_size >= problem.number or not found.mode:
        return found.whitening, None
    return found.whitening, expanded(problem.joint, found.whitening, problem.rows, problem.number)


def _some_rows(problem: Problem, picked: np.ndarray) -> tuple[PyTree, np.ndarray]:
    """Some rows, with weights that scale them up to all."""
    rows = jax.tree.map(lambda leaf: leaf[picked], problem.rows)
    return rows, np.full(picked.size, problem.number / picked.size)


@double_precision
def _outside(problem: Problem, best: _Run, seed: int, log_evidence: float) -> tuple[float, int]:
    """The log-evidence of what lies where a fit has no draws, and how many searches say so."""
    picked = np.linspace(0, problem.number - 1, min(problem.number, SEARCH_ROWS)).astype(int)
    found = elsewhere(
        problem.joint,
        problem.rows,
        problem.number,
        _some_rows(problem, picked),
        best.draws,
        problem.start,
        log_evidence,
        seed,
    )
    return found.log_evidence, found.searches


@single_precision
def _fit(
    problem: Problem, name: GuideName, config: TrainConfig, at: _Whitened, seed: int
) -> tuple[Trained, Reparameterised]:
    key = jax.random.key(seed)
    dims = problem.start.size
    begun = guide_around(name, np.zeros(dims, np.float32), np.ones(dims, np.float32), key=key)
    model = Guided(begun, jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), at), float(problem.number))
    batches = Batches(problem.rows, np.ones(problem.number, np.float32))
    trained = train(model, batches, None, config, seed=seed)
    return trained, jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), trained.model.guide)


@partial(compiled, hurry=True)
def _draw(guide: Reparameterised, key: PRNGKeyArray, number: int) -> tuple[Array, Array]:
    return guide.draw(key, number)


@partial(compiled, hurry=True)
def _mapped(outputs: Callable[[Array], dict[str, Any]], coordinates: Array) -> dict[str, Array]:
    return jax.lax.map(outputs, coordinates)


@double_precision
def _drawn(guide: Reparameterised, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    theta, log_q = _draw(guide, jax.random.key(seed), number)
    return np.asarray(theta), np.asarray(log_q)


@double_precision
def _log_joint(problem: Problem, at: Whitening, coordinates: np.ndarray) -> np.ndarray:
    """``log p(x, θ)`` of all rows, draw by draw, as a density of the guide's coordinates."""
    found = log_joints(problem.joint, coordinates, problem.rows, problem.number)
    return np.where(np.isnan(found), -np.inf, found + float(at.log_det()))


@double_precision
def _own(problem: Problem, coordinates: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in _mapped(problem.outputs, coordinates).items()}


def _told(problem: Problem, runs: list[_Run], seed: int | None) -> Inferred:
    """The result; with a ``seed`` mass that the best fit does not reach is sought."""
    best = runs[0]
    draws = _own(problem, best.draws)
    agreement = None
    if len(runs) > 1:
        other = _own(problem, runs[1].draws)
        spread = {name: np.maximum(value.std(0), 1e-300) for name, value in draws.items()}
        agreement = float(
            max(np.max(np.abs(draws[n].mean(0) - other[n].mean(0)) / spread[n], initial=0.0) for n in draws)
        )
    names, table = _columns(draws)
    ended = best.trained.status
    verdict = judged(
        names=names,
        draws=table,
        log_ratios=best.log_ratios,
        bounds=[run.elbo for run in runs],
        agreement=agreement,
        stop=because(ended, converged=SETTLED, limit="max_steps") + (UNSETTLED if ended == STOPPED else ""),
        outside=None if seed is None else partial(_outside, problem, best, seed),
    )

    def sampler(number: int, seed: int) -> dict[str, np.ndarray]:
        theta, _ = _drawn(best.guide, seed, number)
        return _own(problem, np.asarray(best.whitening(theta)))

    trace = best.trained.trace
    scale = float(problem.number)
    in_nats = {
        name: values * scale if name in ("elbo", "reconstruction", "kl") else values for name, values in trace.items()
    }
    error = float(best.log_ratios.std(ddof=1) / np.sqrt(best.log_ratios.size))
    return Inferred(
        Posterior(draws), best.elbo, error, verdict, best.guide, in_nats, best.log_ratios, ended == CONVERGED, sampler
    )


def _columns(draws: Mapping[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Draws as a table, a column a number, with names such as ``beta[3]``."""
    names, columns = [], []
    for name, value in draws.items():
        for place in np.ndindex(*value.shape[1:]):
            names.append(f"{name}[{', '.join(map(str, place))}]" if place else name)
            columns.append(value[(slice(None), *place)])
    return names, np.stack(columns, axis=1)
