"""The common battery, of every model that the registry lists and every kind of rows that it reads."""

import functools
import inspect
from typing import Any

import jax
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone

import battery
from tacit import registry
from tacit.compute import single_precision
from tacit.estimators.topics.prod_lda import ProdLDA
from tacit.inference.objectives import Elbo
from tacit.inference.stochastic import evaluate, padded
from tacit.models.mixture import rows as answers
from tacit.models.vae.words import Counted, Documents

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,  # a fit is repeated with its seed
]

CASES = [(name, kind) for name in registry.names() for kind in registry.get(name).reads]
EACH = pytest.mark.parametrize(("name", "kind"), CASES)
UNWEIGHTED = {"latent-dirichlet-allocation": "scikit-learn's face has none: a document weighs what its words count"}
"""The models that take no weights, and why."""
BY_PLACE = {"prod-lda": "a document's draws of z follow from its place in the batch, and its posterior has a width"}
"""The models that are the same in distribution only, and why."""
IN_ORDER = {"linear-gaussian-state-space": "rows follow one another; its own tests have copies and orders of series"}
"""The models of which rows are not exchangeable, and why."""
BY_FOLDS = {"stacked-density": "which rows are held out follows from how many there are, and from their order"}
"""The models whose bound is of rows held out, and why copies and another order move it."""
DIGITS = {"vae": 2e-6, "triangular-flow": 2e-4, "semi-supervised-vae": 2e-6, "latent-dirichlet-allocation": 2e-6}
"""Single precision (of flows that Adam takes where slopes are near 0); a fit that ends where the bound moves by 1e-9.
The others: where the bound has settled to rounding (1e-14), parameters have to its root."""


def digits(name: str) -> float:
    return DIGITS.get(name, 1e-6)


@functools.cache
def found(name: str, kind: str) -> tuple[BaseEstimator, np.ndarray, np.ndarray | None]:
    """A fitted model, its rows and its target; nobody changes them."""
    model, rows = battery.made(name), battery.rows_of(kind)
    target = battery.target_of(model, rows)
    return battery.fitted(model, rows, target), rows, target


def same(name: str, one: BaseEstimator, other: BaseEstimator, rows: np.ndarray) -> None:
    """Two fits raised the same bound, and say the same of rows."""
    assert battery.bound(one) == pytest.approx(battery.bound(other), rel=max(1e-12, 0.1 * DIGITS.get(name, 0.0)))
    np.testing.assert_allclose(battery.said(one, rows), battery.said(other, rows), rtol=0, atol=digits(name))


@EACH
def test_a_weight_of_two_is_the_row_twice(name: str, kind: str) -> None:
    model, rows, target = found(name, kind)
    takes = "sample_weight" in inspect.signature(model.fit).parameters
    assert takes == (name not in UNWEIGHTED)
    if not takes or name in BY_PLACE or name in IN_ORDER or name in BY_FOLDS:
        return
    times = np.random.default_rng(6).integers(1, 4, len(rows))
    weighed = battery.fitted(battery.made(name), rows, target, times.astype(float))
    copies = None if target is None else np.repeat(target, times)
    same(name, weighed, battery.fitted(battery.made(name), np.repeat(rows, times, axis=0), copies), rows)
    with pytest.raises(AssertionError):  # and it does make a difference
        same(name, weighed, model, rows)


@EACH
def test_the_order_of_the_rows_does_not_matter(name: str, kind: str) -> None:
    model, rows, target = found(name, kind)
    if name in BY_PLACE or name in IN_ORDER or name in BY_FOLDS:
        return
    order = np.random.default_rng(5).permutation(len(rows))
    mixed = battery.fitted(battery.made(name), rows[order], None if target is None else target[order])
    same(name, mixed, model, rows)


@single_precision
def test_where_draws_go_by_place_copies_and_order_change_nothing_in_distribution() -> None:
    model, rows, _ = found("prod-lda", "documents")
    assert isinstance(model, ProdLDA)
    assert set(BY_PLACE) == {"prod-lda"}
    times, order = np.random.default_rng(6).integers(1, 4, len(rows)), np.random.default_rng(5).permutation(len(rows))
    ways = [(rows, times), (np.repeat(rows, times, axis=0), np.ones(times.sum())), (rows[order], times[order])]
    bounds = []
    for documents, weights in ways:
        read = Documents.of(sparse.csr_array(documents), rows.shape[1])
        batches = padded(read, weights.astype(float), 128)
        keys = jax.random.key_data(jax.random.split(jax.random.key(0), 60))
        bounds.append([
            float(evaluate(model.model_, batches, key, Counted(rows.shape[1]), Elbo().bound())["elbo"]) for key in keys
        ])  # fmt: skip
    means, errors = np.mean(bounds, axis=1), np.std(bounds, axis=1) / np.sqrt(60)
    for other in (1, 2):
        assert means[other] != means[0]
        assert abs(means[other] - means[0]) < 4.0 * np.hypot(errors[0], errors[other])


@EACH
def test_a_second_fit_and_its_answers_compile_nothing(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SMALL_WORK", 0)  # what NumPy does for a small table is compiled for a large one
    model, rows, target = found(name, kind)
    quick = {"max_iter": 3, "n_init": 1} if "mixture" in name else {}
    model = clone(model).set_params(**quick)
    battery.said(battery.fitted(model, rows, target), rows)
    another = clone(model)
    if "random_state" in another.get_params():
        another.set_params(random_state=1)
    programs: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "backend_compile" in event:
            programs.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        battery.said(battery.fitted(another, rows, target), rows)
        assert programs == []
        jax.jit(lambda x: x + len(name))(1.0)
        assert programs  # one who compiles is heard
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
