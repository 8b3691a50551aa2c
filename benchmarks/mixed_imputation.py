"""A fifth of the entries of mixed tables removed at random, and filled: numbers and categories apart."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyarrow import csv
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next line possible
from sklearn.impute import IterativeImputer, KNNImputer

import tacit
from benchmarks.frame import Row, clock
from benchmarks.kept import kept
from benchmarks.rows import TABLES

TITLE = "Imputation of mixed tables: a fifth of the entries removed at random"
NOTE = (
    "Numbers: root mean squared error in standard deviations of the column, over all removed entries. Categories: the "
    "share of removed entries that get another level. Gaps that a table has of its own stay, and are not scored; of "
    "large tables a seeded sample of 1 000 rows. Ours: tacit.select(table, estimator=tacit.Mixture(), "
    "covariance=['diag', 'full', 'tied'], random_state=0), the best by BIC, and its impute(). IterativeImputer and "
    "KNNImputer have their defaults and see standardised numbers and a column of 0 and 1 a level, of which the "
    "largest wins. MissForest-like: random forests of scikit-learn (100 trees, its defaults), a regressor or a "
    "classifier a column, in turn over all columns with gaps, five rounds from means and commonest levels (Stekhoven "
    "& Bühlmann 2012)."
)
SHARE, MOST = 0.2, 1_000
COLUMNS = {
    "adult": (
        "age education_num hours_per_week",
        "workclass marital_status occupation relationship race sex income",
    ),
    "boys": ("age hgt wgt bmi hc tv", "gen phb reg"),
    "doctor_visits": (
        "age income illness reduced health visits",
        "gender private freepoor freerepat nchronic lchronic",
    ),
    "heart_cleveland": ("age trestbps chol thalach oldpeak ca", "sex cp fbs restecg exang slope thal diagnosis"),
    "penguins": ("bill_length_mm bill_depth_mm flipper_length_mm body_mass_g", "species island sex"),
    "titanic": ("Age SibSp Parch Fare", "Survived Pclass Sex Embarked"),
}
"""Numbers and categories of every table."""


class Mixed:
    """A table as standardised numbers and codes of levels, NaN where missing; numbers stand first."""

    def __init__(self, values: np.ndarray, numbers: list[str], levels: dict[str, list[str]]) -> None:
        self.values, self.numbers, self.levels = values, numbers, levels
        self.first = len(numbers)

    def table(self, values: np.ndarray) -> pa.Table:
        """With the levels as texts."""
        columns = {name: pa.array(values[:, place], from_pandas=True) for place, name in enumerate(self.numbers)}
        for place, (name, known) in enumerate(self.levels.items(), start=self.first):
            codes = pa.array(values[:, place], from_pandas=True).cast(pa.int32())
            columns[name] = pa.DictionaryArray.from_arrays(codes, known).cast(pa.string())
        return pa.table(columns)

    def flags(self, values: np.ndarray) -> np.ndarray:
        """A column of 0 and 1 a level; NaN in all of a category where it is missing."""
        parts = [values[:, : self.first]]
        for place, known in enumerate(self.levels.values(), start=self.first):
            codes = values[:, place : place + 1]
            parts.append(np.where(np.isnan(codes), np.nan, codes == np.arange(len(known))))
        return np.hstack(parts)

    def codes(self, flags: np.ndarray) -> np.ndarray:
        """The likeliest level of every category."""
        parts, at = [flags[:, : self.first]], self.first
        for known in self.levels.values():
            parts.append(flags[:, at : at + len(known)].argmax(axis=1)[:, None])
            at += len(known)
        return np.hstack(parts)


def run(quick: bool) -> Iterator[Row]:
    """Two rows a table and two rows a peer for the means over all tables."""
    found: dict[str, dict[str, list[float]]] = {}
    for name in ["penguins"] if quick else COLUMNS:
        mixed = read(name)
        found[name] = {who: _errors(name, who, fill, mixed) for who, fill in METHODS.items()}
        for place, unit in enumerate(("standard deviations", "share of wrong levels")):
            peers = {who: errors[place] for who, errors in found[name].items() if who != "tacit"}
            best = min(peers, key=lambda who: peers[who])
            said = ", ".join(f"{who} {value:.3f}" for who, value in peers.items())
            what = f"{name} ({len(mixed.values)} × {mixed.first} numbers, {len(mixed.levels)} categories)"
            yield Row(what, unit, (found[name]["tacit"][place],), (peers[best],), best, note=said)
    for place, unit in enumerate(("standard deviations", "share of wrong levels")):
        means = {who: float(np.mean([errors[who][place] for errors in found.values()])) for who in METHODS}
        for who, value in means.items():
            if who != "tacit":
                met = means["tacit"] <= value
                yield Row(f"mean over {len(found)} tables", unit, (means["tacit"],), (value,), who, (), "no worse", met)


def _errors(name: str, who: str, fill: Callable[[Mixed, np.ndarray], np.ndarray], mixed: Mixed) -> list[float]:
    def work() -> list[float]:
        gaps = _removed(mixed.values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seconds, filled = clock(lambda: fill(mixed, np.where(gaps, np.nan, mixed.values)))
        print(f"    {name}: {who}, {seconds:.1f} s", flush=True)
        numbers, levels = (gaps.copy() for _ in range(2))
        numbers[:, mixed.first :] = False
        levels[:, : mixed.first] = False
        squared = (filled - mixed.values)[numbers] ** 2
        wrong = filled[levels] != mixed.values[levels]
        return [float(np.sqrt(squared.mean())), float(wrong.mean())]

    return list(kept("mixed_imputation", f"{name}: {who}", work))


def _removed(values: np.ndarray) -> np.ndarray:
    """A fifth of the entries that are there."""
    seen = np.flatnonzero(~np.isnan(values))
    gaps = np.zeros(values.size, dtype=bool)
    gaps[np.random.default_rng(0).choice(seen, round(SHARE * seen.size), replace=False)] = True
    return gaps.reshape(values.shape)


def read(name: str) -> Mixed:
    """The columns of a table that are used."""
    file = next(TABLES.glob(f"{name}.csv*"))
    how = csv.ConvertOptions(null_values=["", "?", "NA"], strings_can_be_null=True)
    table = csv.read_csv(file, convert_options=how)
    if len(table) > MOST:
        table = table.take(np.sort(np.random.default_rng(0).choice(len(table), MOST, replace=False)))
    numbers, categories = (names.split() for names in COLUMNS[name])
    values = np.full((len(table), len(numbers) + len(categories)), np.nan)
    for place, column in enumerate(numbers):
        numeric = table[column].cast(pa.float64()).to_numpy()
        values[:, place] = (numeric - np.nanmean(numeric)) / np.nanstd(numeric)
    levels: dict[str, list[str]] = {}
    for place, column in enumerate(categories, start=len(numbers)):
        texts = table[column].cast(pa.string()).to_pylist()
        levels[column] = sorted({text for text in texts if text is not None})
        values[:, place] = [np.nan if text is None else levels[column].index(text) for text in texts]
    return Mixed(values, numbers, levels)


def _tacit(mixed: Mixed, values: np.ndarray) -> np.ndarray:
    table = mixed.table(values)
    settings = {"covariance": ["diag", "full", "tied"], "estimator": tacit.Mixture(), "random_state": 0}
    model = tacit.select(table, **settings).best
    answer = model.decode(model.impute(table))
    filled = np.column_stack([answer[name].cast(pa.float64()).to_numpy() for name in mixed.numbers])
    texts = [answer[name].cast(pa.string()).to_pylist() for name in mixed.levels]
    codes = [[known.index(t) for t in column] for column, known in zip(texts, mixed.levels.values(), strict=True)]
    return np.column_stack([filled, *codes])


def _iterative(mixed: Mixed, values: np.ndarray) -> np.ndarray:
    return mixed.codes(IterativeImputer(random_state=0).fit_transform(mixed.flags(values)))


def _neighbours(mixed: Mixed, values: np.ndarray) -> np.ndarray:
    return mixed.codes(KNNImputer().fit_transform(mixed.flags(values)))


def _forest(mixed: Mixed, values: np.ndarray) -> np.ndarray:
    gaps, filled = np.isnan(values), values.copy()
    for place in range(values.shape[1]):
        seen = values[~gaps[:, place], place]
        common = seen.mean() if place < mixed.first else np.bincount(seen.astype(int)).argmax()
        filled[gaps[:, place], place] = common
    for _ in range(5):
        for place in np.argsort(gaps.sum(axis=0)):
            missing = gaps[:, place]
            if missing.any():
                kind = RandomForestRegressor if place < mixed.first else RandomForestClassifier
                others = np.delete(filled, place, axis=1)
                forest = kind(random_state=0).fit(others[~missing], values[~missing, place])
                filled[missing, place] = forest.predict(others[missing])
    return filled


METHODS: dict[str, Callable[[Mixed, np.ndarray], np.ndarray]] = {
    "tacit": _tacit,
    "IterativeImputer": _iterative,
    "KNNImputer": _neighbours,
    "MissForest-like": _forest,
}
