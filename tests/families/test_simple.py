"""A family from outside in a mixture: fitted, asked and refused."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import tacit
from tacit.arrays import xp
from tacit.families import FAMILIES, Normal, Parameter, SimpleFamily, registered


class Rayleigh(SimpleFamily):
    name = "rayleigh-of-a-test"
    column_kind = "positive"
    parameters = (Parameter("scales", "positive"),)
    scales: Any

    def supports(self, x):
        return x > 0

    def log_prob(self, x):
        safe = xp.where(x > 0, x, 1.0)
        return xp.where(x > 0, xp.log(safe) - 2.0 * xp.log(self.scales) - 0.5 * (safe / self.scales) ** 2, -xp.inf)

    def statistics(self, x):
        return x[..., None] ** 2

    def maximise(self, statistics, weight):
        scales = xp.sqrt(statistics[..., 0] / (2.0 * xp.where(weight > 0, weight, 1.0)))
        return Rayleigh(xp.where(weight > 0, scales, self.scales))

    def mean(self):
        return self.scales * np.sqrt(np.pi / 2.0)

    def variance(self):
        return (2.0 - np.pi / 2.0) * self.scales**2

    def draw(self, random, total=None):
        return random.rayleigh(np.asarray(self.scales))

    def cdf(self, x):
        return -np.expm1(-0.5 * (np.maximum(x, 0.0) / np.asarray(self.scales)) ** 2)


RNG = np.random.default_rng(0)
ROWS = np.column_stack(
    [
        np.concatenate([RNG.rayleigh(1.0, 300), RNG.rayleigh(15.0, 100)]),
        np.repeat([0.0, 4.0], [300, 100]) + RNG.normal(size=400),
    ]
)


@pytest.fixture(scope="module")
def mixture():
    return tacit.Mixture(2, families={0: Rayleigh}, random_state=0).fit(ROWS)


def test_one_component_has_the_largest_likelihood_in_closed_form():
    model = tacit.Mixture(1, families=Rayleigh, random_state=0).fit(ROWS[:, :1])
    scale = np.sqrt((ROWS[:, 0] ** 2).mean() / 2)
    assert model.model_.groups[0].family.scales.item() == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(
        model.score_samples(ROWS[:, :1]), stats.rayleigh(scale=scale).logpdf(ROWS[:, 0]), rtol=1e-6
    )


def test_beside_a_normal_column(mixture):
    group = next(g for g in mixture.model_.groups if g.name == "rayleigh-of-a-test")
    assert np.sort(group.family.scales[:, 0]) == pytest.approx([1.0, 15.0], rel=0.15)
    assert np.all(np.diff(mixture.trace_.bound) > -1e-6)
    assert (mixture.predict(ROWS) == mixture.predict(ROWS)[0]).sum() == pytest.approx(300, abs=15)


def test_what_it_answers(mixture):
    rows = ROWS[:5].copy()
    rows[2, 0] = np.nan
    assert np.isfinite(mixture.score_samples(rows)).all()
    assert mixture.impute(rows)[2, 0] > 0
    drawn, _ = mixture.sample(20_000)
    assert drawn[:, 0].mean() == pytest.approx(mixture.summary().columns[0].mean, rel=0.05)
    density = mixture.marginal([0])
    assert density.cdf(density.quantile(0.3)) == pytest.approx(0.3, abs=1e-6)
    assert mixture.explain(ROWS[0]).log_density == pytest.approx(mixture.score_samples(ROWS[:1])[0], rel=1e-9)


def test_it_is_known_by_its_name_afterwards(mixture):
    assert FAMILIES["rayleigh-of-a-test"] is Rayleigh
    again = tacit.Mixture(2, families={0: "rayleigh-of-a-test"}, random_state=0).fit(ROWS)
    np.testing.assert_array_equal(again.score_samples(ROWS), mixture.score_samples(ROWS))


def test_what_is_no_family_is_refused():
    class Nameless(Rayleigh):
        pass

    class Taken(Rayleigh):
        name = "normal"

    for wrong, words in ((int, "SimpleFamily"), (Nameless, "name of its own"), (Taken, "already")):
        with pytest.raises(ValueError, match=words):
            tacit.Mixture(1, families={0: wrong}).fit(ROWS)
    with pytest.raises(ValueError, match="class of your own"):
        tacit.Mixture(1, families={0: "rayleight"}).fit(ROWS)
    assert registered(Normal) == "normal"
