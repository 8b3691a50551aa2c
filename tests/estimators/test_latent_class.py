"""``LatentClass`` against poLCA's published figures, enumeration, finite differences and its own laws."""

import itertools
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

import tacit
from tacit.estimators.capabilities import Mixes, Samples, can


def table(folder: Path, name: str) -> pa.Table:
    """A table of poLCA's."""
    options = pacsv.ConvertOptions(strings_can_be_null=True)
    return pacsv.read_csv(folder / "tables" / f"polca_{name}.csv", convert_options=options)


@pytest.fixture(scope="module")
def made() -> dict[str, list]:
    """Two classes whose shares depend on w, four items, some gaps."""
    draw = np.random.default_rng(4)
    w = draw.normal(size=600)
    group = draw.random(600) < 1.0 / (1.0 + np.exp(-(0.3 + 1.2 * w)))
    items = {}
    for place, (low, high) in enumerate([(0.1, 0.8), (0.2, 0.9), (0.15, 0.7), (0.3, 0.95)]):
        said = np.where(draw.random(600) < np.where(group, high, low), "yes", "no").astype(object)
        said[draw.random(600) < 0.1] = None
        items[f"q{place}"] = list(said)
    return items | {"w": list(w)}


def test_carcinoma_is_as_polca_has_it(shared_data: Path) -> None:
    rows = table(shared_data, "carcinoma")
    model = tacit.LatentClass(3, n_init=3, random_state=0).fit(rows)
    found = model.fit_statistics(rows)
    assert model.log_likelihood_ == pytest.approx(-293.705, abs=5e-4)
    assert found.log_likelihood == pytest.approx(model.log_likelihood_, abs=1e-9)
    assert (found.g2, found.x2) == pytest.approx((15.26171, 20.50336), abs=5e-4)
    assert (found.n_parameters, found.degrees_of_freedom, found.n_patterns) == (23, 95, 20)
    assert (found.aic, found.bic) == pytest.approx((633.41, 697.1357), abs=1e-3)
    assert found.sabic == pytest.approx(-2 * found.log_likelihood + 23 * np.log(120 / 24))
    assert found.caic == pytest.approx(found.bic + 23)
    assert model.weights_ == pytest.approx([0.4447, 0.3736, 0.1817], abs=1e-4)
    assert model.converged_
    errors = model.class_errors(rows)
    assert errors.shares == pytest.approx([0.0479, 0.0475, 0.0407], abs=1e-4)
    at_edge = errors.boundary[0]
    assert at_edge.sum() == 20  # ten items that a whole class answers alike
    assert np.isnan(errors.probabilities[0][at_edge]).all()
    assert (errors.probabilities[0][~at_edge] > 0).all()
    assert float(model.query("P(group = 2 | A = 1, B = 1, C = 1)")) == pytest.approx(
        float(model.predict_proba(pa.table({n: [1 if n in "ABC" else None] for n in "ABCDEFG"}))[0, 1]), rel=1e-9
    )


def test_cheating_with_a_covariate_is_as_polca_has_it(shared_data: Path) -> None:
    rows = table(shared_data, "cheating")
    with pytest.warns(UserWarning, match="4 rows lack a covariate"):
        model = tacit.LatentClass(2, covariates=["GPA"], n_init=3, random_state=0).fit(rows)
    assert model.log_likelihood_ == pytest.approx(-429.6384, abs=5e-5)
    assert model.covariate_names_ == ("intercept", "GPA")
    assert model.n_parameters_ == 10
    effects = model.coefficient_table(rows).to_arrow()
    assert effects.column("coefficient").to_pylist() == pytest.approx([0.1138, -0.8424], abs=1e-3)
    assert effects.column("z").to_pylist()[1] == pytest.approx(-2.995, abs=1e-2)
    assert model.weights_ == pytest.approx([0.8218, 0.1782], abs=1e-3)
    assert not can(model, Samples)
    assert not can(model, Mixes)


def test_three_classes_of_gss82(shared_data: Path) -> None:
    rows = table(shared_data, "gss82")
    model = tacit.LatentClass(3, n_init=3, random_state=0).fit(rows)
    assert model.log_likelihood_ == pytest.approx(-2754.545, abs=5e-4)
    assert model.fit_statistics(rows).g2 == pytest.approx(21.89, abs=5e-3)


def test_g2_and_x2_by_all_cells(made: dict[str, list]) -> None:
    items = {name: made[name] for name in ("q0", "q1", "q2", "q3")}
    model = tacit.LatentClass(2, n_init=3, random_state=0).fit(items)
    found = model.fit_statistics(items)
    cells = list(itertools.product(["no", "yes"], repeat=4))
    frame = {name: [cell[place] for cell in cells] for place, name in enumerate(items)}
    whole = [row for row in zip(*items.values(), strict=True) if None not in row]
    seen = np.array([whole.count(cell) for cell in cells])
    posterior = model.predict_proba(items).mean(0)
    given = np.exp(model.score_samples(frame))[:, None] * model.predict_proba(frame) / model.weights_
    expected = len(whole) * given @ posterior
    assert found.x2 == pytest.approx(((seen - expected) ** 2 / expected).sum(), rel=1e-8)
    positive = seen > 0
    assert found.g2 == pytest.approx(2 * (seen[positive] * np.log(seen[positive] / expected[positive])).sum(), rel=1e-8)
    r = model.predict_proba(items)
    own = -(np.where(r > 0, r, 1.0) * np.log(np.where(r > 0, r, 1.0))).sum()
    assert found.relative_entropy == pytest.approx(1 - own / (600 * np.log(2)))
    assert 0 < found.entropy_r2 < 1


def test_covariates_of_a_known_model_are_found(made: dict[str, list]) -> None:
    model = tacit.LatentClass(2, covariates=["w"], n_init=4, random_state=0).fit(made)
    assert (np.diff(model.trace_.bound) > -1e-9).all()
    yes = model.model_.groups[0].code_probabilities()[:, 0, 1]
    sign = 1.0 if yes[1] > yes[0] else -1.0
    errors = model.class_errors(made)
    assert (sign * model.coefficients_[0]) == pytest.approx([0.3, 1.2], abs=4 * errors.coefficients.max())
    assert (errors.coefficients > 0.03).all()
    # the posterior of a row, written out
    row = {"q0": ["yes"], "q1": [None], "q2": ["no"], "q3": ["yes"], "w": [0.7]}
    shares = np.exp([0.0, *(model.coefficients_ @ [1.0, 0.7])])
    chance = model.model_.groups[0].code_probabilities()
    joint = shares / shares.sum() * chance[:, 0, 1] * chance[:, 2, 0] * chance[:, 3, 1]
    assert model.predict_proba(row)[0] == pytest.approx(joint / joint.sum(), rel=1e-9)
    assert model.score_samples(row)[0] == pytest.approx(np.log(joint.sum()), rel=1e-9)
    assert np.isfinite(model.score_samples(row | {"w": [None]}))[0]


def test_errors_are_those_of_the_likelihood_by_finite_differences(made: dict[str, list]) -> None:
    model = tacit.LatentClass(2, covariates=["w"], n_init=4, random_state=0, tol=1e-12).fit(made)
    kept = model.coefficients_
    total = []
    for step in np.eye(2):
        for sign in (1, -1):
            model.coefficients_ = kept + 1e-4 * sign * step
            total.append(model.score_samples(made).sum())
    model.coefficients_ = kept
    slopes = [(total[0] - total[1]) / 2e-4, (total[2] - total[3]) / 2e-4]
    assert slopes == pytest.approx([0.0, 0.0], abs=0.05)  # a maximum


def test_weights_are_copies_and_order_does_not_matter(made: dict[str, list]) -> None:
    weights = np.where(np.arange(600) < 100, 2.0, 1.0)
    twice = {name: values[:100] + values for name, values in made.items()}
    settings = {"covariates": ["w"], "n_init": 3, "tol": 1e-12, "random_state": 0}
    one = tacit.LatentClass(2, **settings).fit(made, sample_weight=weights)
    two = tacit.LatentClass(2, **settings).fit(twice)
    assert one.log_likelihood_ == pytest.approx(two.log_likelihood_, rel=1e-9)
    assert one.coefficients_ == pytest.approx(two.coefficients_, abs=1e-4)


def test_levels_as_covariates_and_what_is_refused(made: dict[str, list]) -> None:
    town = [["Oslo", "Paris", "Rome"][int(3 * (value % 1.0))] for value in made["w"]]
    model = tacit.LatentClass(2, covariates=["town"], n_init=2, random_state=0).fit(
        {name: made[name] for name in ("q0", "q1", "q2", "q3")} | {"town": town}
    )
    assert model.covariate_names_ == ("intercept", "town=Paris", "town=Rome")
    for covariates, said in ((["ww"], "Did you mean 'w'"), (["w", "w"], "twice"), (list(made), "no item is left")):
        with pytest.raises(ValueError, match=said):
            tacit.LatentClass(2, covariates=covariates).fit(made)
    with pytest.raises(ValueError, match="columns of levels"):
        tacit.LatentClass(2, covariates=["w"]).fit(made | {"x": list(np.random.default_rng(0).normal(size=600))})
    plain = tacit.LatentClass(1).fit({name: made[name] for name in ("q0", "q1")})
    with pytest.raises(ValueError, match="no covariates"):
        plain.coefficient_table(made)
    assert plain.fit_statistics({name: made[name] for name in ("q0", "q1")}).n_parameters == 2


def test_the_number_of_classes_is_chosen_with_covariates(made: dict[str, list]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = tacit.LatentClass(covariates=["w"], n_init=3, tol=1e-7)
        found = tacit.select(pa.table(made), [1, 2, 3], estimator=base, random_state=0)
    assert found.best.n_components == 2
    assert found.best.coefficients_.shape == (1, 2)


def test_a_file_keeps_all_of_it(made: dict[str, list], tmp_path: Path) -> None:
    model = tacit.LatentClass(2, covariates=["w"], n_init=2, random_state=0).fit(made)
    tacit.save(model, tmp_path / "classes.safetensors")
    again = tacit.load(tmp_path / "classes.safetensors")
    assert np.array_equal(again.predict_proba(made), model.predict_proba(made))
