"""``Mixture``: groups in a table whose columns are of different kinds, with gaps and categories welcome."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.data.blocks import Moments
from tacit.data.encode import decode, encode
from tacit.data.frames import from_frame
from tacit.data.kinds import infer
from tacit.data.schema import Schema
from tacit.estimators import _layout
from tacit.estimators._base import read_rows
from tacit.estimators._mixture import BaseMixture, Plan
from tacit.estimators._starts import door
from tacit.families.covariance import canonical_name
from tacit.models.mixture.model import Mixture as Model


class Mixture(BaseMixture):
    """A mixture over columns of any kinds, ``p(x) = Σ_k π_k ∏_g p_g(x_g|θ_k)``, fitted by EM.

    Each column has a family: normal, log-normal, student-t, gamma, exponential, poisson, negative-binomial,
    bernoulli or categorical; several columns of counts together may be one multinomial. Normal columns are one Gaussian
    vector with a covariance structure. Text and categories are read as they are, and missing entries (NaN, None)
    are integrated out.

    Args:
        n_components: K.
        families: "auto" (from the kinds of the columns), one family for all columns, or a mapping of columns
            (names or places, or tuples of them for one multinomial) to families; others are chosen as "auto".
        covariance_type: structure of the normal columns' covariances, as in ``GaussianMixture``.
        floor: variance of the blur of every continuous entry, in units of the column's variance; a component that
            collapses rests on it and is named in a warning.
        objective: "map" with priors that weigh one row in all, so that no level or count is impossible for having
            never been seen; or "mle".
        tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, inference, accelerate:
            as in ``GaussianMixture``.

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every column.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_:
            as in ``GaussianMixture``.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        families: str | Mapping[Any, str] = "auto",
        covariance_type: str = "diag",
        floor: float = 1e-8,
        objective: str = "map",
        tol: float = 1e-5,
        max_iter: int = 500,
        n_init: int = 5,
        init_params: str = "kmeans",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        inference: str = "em",
        accelerate: bool = False,
    ) -> None:
        self.n_components = n_components
        self.families = families
        self.covariance_type = covariance_type
        self.floor = floor
        self.objective = objective
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.inference = inference
        self.accelerate = accelerate

    def _check(self) -> None:
        super()._check()
        if not self.floor > 0:
            raise ValueError(f"floor must be above 0, got {self.floor!r}")

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> np.ndarray:
        """Rows as numbers: codes for levels, NaN where missing; at fit the kinds of the columns are found."""
        frame = not isinstance(X, np.ndarray | list | tuple) or (
            np.asarray(X, dtype=object).dtype.kind == "O" and _text(X)
        )
        if frame and not hasattr(X, "toarray"):
            table = from_frame(X)
            if reset:
                self.feature_names_in_ = np.asarray(table.column_names, dtype=object)
                self.n_features_in_ = len(table.column_names)
        else:
            rows = read_rows(self, X, reset=reset, minimum=minimum)
            names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(rows.shape[1])])
            table = from_frame({str(name): rows[:, place] for place, name in enumerate(names)})
        if reset:
            self.schema_ = self._schema(table)
        return encode(table, self.schema_)

    def decode(self, values: np.ndarray) -> pa.Table:
        """Rows of numbers, as ``sample`` and ``impute`` give them, as a table with the levels of the data."""
        self._fitted()
        return decode(np.asarray(values, float), self.schema_)

    def _schema(self, table: Any) -> Schema:
        names = table.column_names
        wanted = {names[p]: _layout.KIND_OF_FAMILY[f] for p, f in self._named(names)[0].items()}
        for name in names:  # a column with one value or none is still a column of the table
            column = table.column(name)
            if name not in wanted and (column.null_count == len(column) or len(column.unique()) < 3):
                wanted |= _as_it_is(name, column)
        schema, left = infer(table, wanted)
        if left:
            said = "; ".join(f"{entry.name}: {entry.reason}" for entry in left)
            raise ValueError(f"drop these columns or name their families ({said})")
        return schema

    def _named(self, names: Sequence[str]) -> tuple[dict[int, str], list[tuple[int, ...]]]:
        """The families the user named, by place, and the columns named together."""
        if isinstance(self.families, str):
            if self.families == "auto":
                return {}, []
            known = _family(self.families)
            return dict.fromkeys(range(len(names)), known), [tuple(range(len(names)))]
        chosen: dict[int, str] = {}
        together = []
        for key, family in self.families.items():
            places = tuple(_place(k, names) for k in (key if isinstance(key, tuple) else (key,)))
            chosen |= dict.fromkeys(places, _family(family))
            if len(places) > 1:
                together.append(places)
        return chosen, together

    def _plan(self, rows: np.ndarray, values: Moments, width: int) -> Plan:
        named, together = self._named(self.schema_.names)
        families = _layout.automatic(self.schema_, values)
        self.families_ = [named.get(place, family) for place, family in enumerate(families)]
        parts = _layout.parts_of(self.families_, together, self.schema_)
        scaled = np.isin(self.families_, ["normal", "student-t"])
        structure = "VVV" if not scaled.any() else canonical_name(self.covariance_type, int(scaled.sum()))
        view = door(values, scaled, structure)
        settings = {
            "structure": self.covariance_type,
            "floor": self.floor,
            "map": self.objective == "map",
            "components": self.n_components,
        }
        scale = np.asarray(view.scale)
        groups = tuple(_layout.group(p, width, self.schema_, values, rows, scale, settings) for p in parts)
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        concentration = np.asarray(1.0 + 1.0 / self.n_components) if self.objective == "map" else None
        return Plan(Model(log_weights, groups, active, None, concentration), view)


def _text(X: Any) -> bool:
    return any(isinstance(cell, str) for cell in np.asarray(X, dtype=object).ravel()[:1000])


def _place(key: Any, names: Sequence[str]) -> int:
    if isinstance(key, str):
        if key not in names:
            raise ValueError(f"families names column {key!r}, and there are {', '.join(map(repr, names))}")
        return list(names).index(key)
    if not -len(names) <= key < len(names):
        raise ValueError(f"families names column {key}, and there are {len(names)} columns")
    return int(key) % len(names)


def _family(name: str) -> str:
    if name not in _layout.KIND_OF_FAMILY:
        raise ValueError(f"family {name!r} is unknown; choose one of {', '.join(_layout.KIND_OF_FAMILY)}")
    return name


def _as_it_is(name: str, column: Any) -> dict[str, str]:
    """A kind for a column that says little: numbers stay numbers."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        unique = set(column.drop_null().unique().to_pylist())
        return {} if len(unique) == 2 else {name: "continuous"}
    return {}
