"""Mixture and the mixtures of counts: any columns, gaps, weights; against scipy and enumeration."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse, stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from tacit import GaussianMixture, Mixture, MultinomialMixture, PoissonMixture, datasets
from tacit.estimators.stopping import STOP_REASONS
from tacit.inference import closed_form as cf
from tacit.models.mixture.model import MixtureModel as Model

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]


@pytest.fixture(scope="module")
def penguins() -> pd.DataFrame:
    return pd.read_csv(datasets.path("penguins")).drop(columns=["year"])


@pytest.fixture(scope="module")
def fitted(penguins: pd.DataFrame) -> Mixture:
    return Mixture(3, covariance_type="full", n_init=2, random_state=0).fit(penguins)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    random = np.random.default_rng(0)
    rates = np.array([[1.0, 5.0, 9.0, 0.5], [8.0, 2.0, 3.0, 0.5]])
    return random.poisson(rates[random.integers(2, size=150)])


def test_kinds_are_found_and_species_come_back(penguins: pd.DataFrame, fitted: Mixture) -> None:
    kinds = dict(zip(fitted.schema_.names, fitted.families_, strict=True))
    assert kinds["island"] == "categorical"
    assert kinds["sex"] == "bernoulli"
    assert kinds["body_mass_g"] == "normal"
    groups = pd.crosstab(penguins.species, fitted.predict(penguins))
    assert groups.max(axis=1).sum() >= 0.98 * len(penguins)
    assert np.diff(fitted.trace_.bound).min() > -1e-8


def test_log_density_by_scipy_with_gaps(penguins: pd.DataFrame, fitted: Mixture) -> None:
    part = penguins.iloc[:40]
    joint = np.log(fitted.weights_) * np.ones((len(part), 1))
    for group in fitted.model_.groups:
        names = [fitted.schema_.names[c] for c in group.columns]
        for n, (_, row) in enumerate(part[names].iterrows()):
            if hasattr(group, "means"):
                seen = row.notna().to_numpy()
                if seen.any():
                    x = row.to_numpy(dtype=float)[seen]
                    for k in range(3):
                        cov = np.asarray(group.covariances)[k][np.ix_(seen, seen)]
                        joint[n, k] += stats.multivariate_normal(np.asarray(group.means)[k][seen], cov).logpdf(x)
                continue
            probabilities = np.asarray(group.family.probabilities)
            for place, name in enumerate(names):
                if pd.isna(row[name]):
                    continue
                code = fitted.schema_[name].levels.index(row[name])
                ones = probabilities[:, place]
                share = ones[:, code] if ones.ndim == 2 else np.where(code, ones, 1 - ones)
                joint[n] += np.log(share)
    np.testing.assert_allclose(fitted.score_samples(part), logsumexp(joint, axis=1), rtol=1e-10)


@pytest.mark.parametrize("reader", [pl.from_pandas, pa.Table.from_pandas])
def test_other_frames_are_the_same_table(penguins: pd.DataFrame, fitted: Mixture, reader: Any) -> None:
    np.testing.assert_array_equal(fitted.score_samples(reader(penguins)), fitted.score_samples(penguins))


def test_the_columns_may_come_in_another_order(penguins: pd.DataFrame, fitted: Mixture) -> None:
    np.testing.assert_array_equal(
        fitted.score_samples(penguins[penguins.columns[::-1]]), fitted.score_samples(penguins)
    )


def test_what_is_made_and_filled_in_reads_like_the_data(penguins: pd.DataFrame, fitted: Mixture) -> None:
    made = fitted.decode(fitted.sample(50)[0]).to_pandas()
    assert set(made.island) <= set(penguins.island)
    whole = fitted.decode(fitted.impute(penguins)).to_pandas()
    assert not whole.isna().any().any()
    known = penguins.sex.notna()
    assert (whole.sex[known] == penguins.sex[known]).all()


def test_an_unseen_level_is_refused_by_row_and_column(penguins: pd.DataFrame, fitted: Mixture) -> None:
    strange = penguins.iloc[:3].copy()
    strange.loc[1, "island"] = "Atlantis"
    with pytest.raises(ValueError, match=r"island.*Atlantis|Atlantis.*island"):
        fitted.score_samples(strange)


def test_normal_columns_alone_are_the_gaussian_mixture() -> None:
    rows = pd.read_csv(datasets.path("penguins")).iloc[:, 2:6].dropna().to_numpy()
    settings: dict[str, Any] = {"tol": 1e-10, "max_iter": 500, "random_state": 0, "n_init": 1}
    ours = Mixture(2, families="normal", covariance_type="full", objective="mle", floor=1e-12, **settings).fit(rows)
    peer = GaussianMixture(2, reg_covar=1e-12, **settings).fit(rows)
    assert ours.score(rows) == pytest.approx(peer.score(rows), abs=1e-6)


@pytest.mark.parametrize(
    "family",
    ["poisson", "negative-binomial", "normal", "categorical", "student-t", "gamma", "log-normal", "exponential"],
)
def test_every_family_raises_its_bound(counts: np.ndarray, family: str) -> None:
    rows = counts + 0.5 if family in ("gamma", "log-normal", "exponential") else counts
    model = Mixture(2, families=family, n_init=1, random_state=0, max_iter=25).fit(rows)
    assert np.diff(model.trace_.bound).min() > -1e-8
    assert set(model.families_) == {family}
    assert np.isfinite(model.score_samples(rows)).all()


SCIPY: dict[str, Any] = {
    "normal": (stats.norm, {}),
    "student-t": (stats.t, {}),
    "gamma": (stats.gamma, {"floc": 0}),
    "log-normal": (stats.lognorm, {"floc": 0}),
    "exponential": (stats.expon, {"floc": 0}),
}


@pytest.mark.parametrize("family", SCIPY)
def test_one_component_is_scipys_maximum_in_the_users_units(family: str) -> None:
    random = np.random.default_rng(0)
    rows = 20.0 * random.gamma(4.0, size=(300, 1))
    if family == "student-t":
        rows = 80.0 + 9.0 * random.standard_t(4, (300, 1))
    model = Mixture(1, families=family, objective="mle", tol=1e-12, max_iter=5000).fit(rows)
    peer, given = SCIPY[family]
    assert model.score(rows) == pytest.approx(peer(*peer.fit(rows, **given)).logpdf(rows).mean(), abs=1e-4)
    assert model.score(rows) == pytest.approx(model.lower_bound_, abs=1e-4)


@pytest.mark.parametrize("family", ["normal", "student-t", "gamma"])
def test_a_component_that_collapses_is_named(family: str) -> None:
    rows = np.concatenate([np.random.default_rng(2).gamma(2.0, size=60), np.full(30, 3.0)])[:, None]
    settings: dict[str, Any] = {"families": family, "init_params": "k-means++", "random_state": 0, "max_iter": 3000}
    with pytest.warns(ConvergenceWarning, match="rests on the floor of the variance"):
        model = Mixture(3, objective="mle", n_init=1, **settings).fit(rows)
    assert model.at_floor_
    assert np.diff(model.trace_.bound).min() > -1e-8
    assert np.isfinite(model.score_samples(rows)).all()


def test_several_columns_may_be_one_multinomial(counts: np.ndarray) -> None:
    model = Mixture(2, families={(0, 1, 2): "multinomial", 3: "poisson"}, n_init=1, random_state=0).fit(counts)
    family = next(g.family for g in model.model_.groups if g.family.name == "multinomial")
    rate = next(g.family for g in model.model_.groups if g.family.name == "poisson")
    joint = np.log(model.weights_) * np.ones((len(counts), 1))
    for k in range(2):
        shares = np.asarray(family.probabilities)[k, 0]
        joint[:, k] += stats.multinomial(counts[:, :3].sum(axis=1), shares / shares.sum()).logpmf(counts[:, :3])
        joint[:, k] += stats.poisson(np.asarray(rate.rates)[k, 0]).logpmf(counts[:, 3])
    np.testing.assert_allclose(model.score_samples(counts), logsumexp(joint, axis=1), rtol=1e-9)


@pytest.mark.parametrize("kind", [PoissonMixture, MultinomialMixture])
def test_sparse_counts_are_dense_counts(counts: np.ndarray, kind: Any) -> None:
    dense = kind(2, n_init=1, random_state=0).fit(counts)
    thin = kind(2, n_init=1, random_state=0).fit(sparse.csr_array(counts))
    np.testing.assert_allclose(thin.score_samples(sparse.csr_array(counts)), dense.score_samples(counts), rtol=1e-12)
    assert np.diff(dense.trace_.bound).min() > -1e-8


def test_what_never_happened_is_not_impossible(counts: np.ndarray) -> None:
    never = np.c_[counts, np.zeros(len(counts), dtype=int)]
    model = PoissonMixture(2, n_init=1, random_state=0).fit(never)
    assert np.isfinite(model.score_samples(np.array([[1, 2, 3, 0, 4]]))).all()


@pytest.mark.parametrize("wrong", [[[1.5, 2.0]], [[-1.0, 2.0]]])
def test_counts_are_whole_numbers_from_zero(wrong: list) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        PoissonMixture().fit(np.array(wrong * 3))


def test_families_that_do_not_fit_are_refused_by_name(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weibull"):
        Mixture(2, families="weibull").fit(counts)
    with pytest.raises(ValueError, match="no_such"):
        Mixture(2, families={"no_such": "poisson"}).fit(counts)
    with pytest.raises(ValueError, match=r"x0|column"):
        Mixture(2, families="poisson").fit(counts - 3)


@pytest.mark.parametrize("family", ["poisson", "negative-binomial", "student-t", "normal"])
def test_fishers_identity(counts: np.ndarray, family: str) -> None:
    """∂ log p(x|θ) = E_{p(z|x,θ)}[∂ log p(x, z|θ)]: the E-step's responsibilities are the exact posterior."""
    model = Mixture(2, families=family, n_init=1, random_state=0, max_iter=2).fit(counts).model_
    with jax.enable_x64(True):
        rows = jnp.asarray(counts[:20], float)
        dynamic, static = _split(model)

        def marginal(parts: Any) -> Any:
            return _join(parts, static).log_prob(rows).sum()

        share = jax.lax.stop_gradient(model.posterior(rows))

        def complete(parts: Any) -> Any:
            return (share * _join(parts, static).joint_log_prob(rows)).sum()

        one, other = jax.jit(jax.grad(marginal))(dynamic), jax.jit(jax.grad(complete))(dynamic)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


def _split(model: Model) -> tuple[Any, Any]:
    leaves, tree = jax.tree.flatten(model)
    moving = [jnp.asarray(leaf) for leaf in leaves if np.issubdtype(np.asarray(leaf).dtype, np.floating)]
    return moving, (leaves, tree)


def _join(moving: list, static: tuple[list, Any]) -> Model:
    leaves, tree = static
    parts = iter(moving)
    return jax.tree.unflatten(
        tree, [next(parts) if np.issubdtype(np.asarray(leaf).dtype, np.floating) else leaf for leaf in leaves]
    )


def test_stopped_reasons_are_words() -> None:
    assert sorted(STOP_REASONS) == list(range(cf.INTERRUPTED + 1))
    assert all(isinstance(word, str) and word for each in STOP_REASONS.values() for word in each)
    assert len({each.name for each in STOP_REASONS.values()}) == len(STOP_REASONS)
