"""Mixtures whose parameters are estimates, by EM or one of its kin: starts, criteria and standard errors."""

import abc
import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit import trees
from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.engine import jnp
from tacit.estimators.base import weighted
from tacit.estimators.capabilities import Restarts
from tacit.estimators.mixture.answers import LikelihoodAnswers
from tacit.estimators.mixture.base import Layout, MixtureBase, Search
from tacit.estimators.mixture.starts import DrawnStarts, draw
from tacit.estimators.settings import Choice, settings
from tacit.inference.fit import Fit
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.fitting import MixtureSchedule, Start, canonical_order, finished, floored, joined, stacked
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rules import Draws, Mode, PosteriorRule, Rule
from tacit.models.mixture.structures import apart as single
from tacit.models.mixture.structures import side_by_side

INFERENCE = ("em", "hard-em", "monte-carlo-em", "online-em", "gradient")
FIRST_DRAWS = 10.0


@settings
class LikelihoodMixture(LikelihoodAnswers, Restarts, MixtureBase):
    """A mixture fitted by EM or one of its kin; a subclass reads rows and plans the groups of columns."""

    _: KW_ONLY
    inference: Annotated[str, Choice(INFERENCE)] = "em"
    """"em", "hard-em", "monte-carlo-em", "online-em" or "gradient"."""
    objective: Annotated[str, Choice(("mle", "map"))] = "mle"
    """"mle", or "map" with the priors."""
    accelerate: bool = False
    """squared extrapolation (SQUAREM), which never lowers the bound."""

    @abc.abstractmethod
    def _plan(self, rows: Dataset, values: ColumnMoments, width: int) -> tuple[MixtureModel, Standardise]:
        """The template and the view for these rows."""

    def _publish(self, model: MixtureModel) -> None:
        """Set the fitted parameters as attributes."""
        self.weights_ = np.exp(model.log_weights)

    @property
    def structure(self) -> str:
        """The name of the structure of the groups, one of those that `tacit.select` tries; "" of a model without."""
        return str(self.get_params(deep=False).get("covariance_type", ""))

    def set_structure(self, name: str) -> Self:
        """Take the settings that a structure names."""
        return self.set_params(covariance_type=name)

    def _started(self, begun: Start, view: Standardise) -> tuple[Start, bool]:
        """The starts with what the user gave in place of it, and whether the user gave anything."""
        return begun, False

    @property
    def starts_are_drawn(self) -> bool:
        """Whether the user gave no parameters of the start."""
        return True

    def _layout(self, rows: Dataset, values: ColumnMoments, width: int, *, batches: bool) -> Layout:
        plain, view = self._plan(rows, values, width)
        template = plain if batches else dataclasses.replace(plain, rule=self._rule())
        return Layout(template, plain, view)

    def _rule(self) -> Rule:
        if self.inference == "monte-carlo-em":
            return Draws(jnp.asarray(FIRST_DRAWS))
        return Mode() if self.inference == "hard-em" else PosteriorRule()

    def _begun(
        self,
        layout: Layout,
        rows: Dataset,
        methods: Sequence[str],
        numbers: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[Start, bool]:
        return self._from_drawn(layout, draw(layout.plain, rows, layout.view, methods, numbers, random))

    def _from_drawn(self, layout: Layout, drawn: DrawnStarts) -> tuple[Start, bool]:
        assert isinstance(layout.template, MixtureModel)
        return self._started(drawn.begun(layout.template, layout.view), layout.view)

    def explore(
        self,
        search: Search,
        drawn: DrawnStarts,
        schedule: MixtureSchedule,
        apart: np.ndarray,
        structures: np.ndarray | None = None,
    ) -> Search:
        """Fits from starts that were drawn: the best of those that are not ``apart`` (numbers from 0, ``[starts]``).

        ``structures`` are those of all starts where several go side by side, as places in ``STRUCTURES``; where they
        are more than were drawn, those that were drawn begin one structure after another.
        """
        begun, given = self._from_drawn(search.layout, drawn)
        if structures is not None:
            times = structures.size // drawn.components.size
            models, statistics = trees.map(
                lambda leaf: np.concatenate([leaf] * times), (begun.models, begun.statistics)
            )
            begun = Start(side_by_side(models, structures), statistics)
        fits = self._run(search, begun, apart, schedule)
        return search._replace(fits=fits if structures is None else [single(found) for found in fits], given=given)

    def go_on(
        self, search: Search, fits: Sequence[Fit], schedule: MixtureSchedule, structures: np.ndarray | None = None
    ) -> list[Fit]:
        """Fits of a search some iterations further; ``structures`` as in `explore`."""
        models = [found.model for found in fits]
        if structures is not None:
            models = [side_by_side(model, np.asarray(own)) for model, own in zip(models, structures, strict=True)]
        further = self._run(search, Start(stacked(models), None), np.arange(len(fits)), schedule)
        if structures is not None:
            further = [single(found) for found in further]
        return [joined(first, second) for first, second in zip(fits, further, strict=True)]

    def _schedule(self, weight: float) -> MixtureSchedule:
        return MixtureSchedule(self.max_iter, self.tol, self.accelerate)

    def _apart(self, numbers: np.ndarray) -> np.ndarray:
        return np.unique(numbers, return_inverse=True)[1]

    def _resumed(self, layout: Layout, inverse: Standardise) -> MixtureModel:
        last = self.fitted_model().in_units(inverse)
        groups = tuple(
            trees.put(lambda group: group.parameters, new, old.parameters)
            for new, old in zip(layout.template.groups, last.groups, strict=True)
        )
        resumed: MixtureModel = trees.replace(layout.template, {"log_weights": last.log_weights, "groups": groups})
        return resumed

    def _end(self, search: Search) -> None:
        self.keep(search, search.fits[0])

    def keep(self, search: Search, found: Fit) -> None:
        """Be the estimator of one fit of a search."""
        view, weight = search.view, search.data.total_weight
        order = None if search.given else canonical_order(finished(found.model, view))
        self.model_ = finished(found.model, view, order)
        # in the user's units each observed entry of a scaled column brings −log scale, and the prior its own
        of_priors = sum(group.change_of_prior(view, self.n_components) for group in found.model.groups)
        change = search.jacobian() + of_priors
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.snapshots_ = {i: finished(m, view, order) for i, m in found.snapshots.items()}
        self._ended(found)
        self.lower_bound_ = (found.bound + change) / weight
        self.lower_bounds_ = list(self.trace_.bound[1:] / weight)
        self.n_parameters_, self.at_floor_ = self.model_.n_parameters(), bool(floored(self.model_))
        self._publish(self.model_)

    def _settle(self, model: MixtureModel | MixturePosterior, view: Standardise, rows: Dataset) -> None:
        assert isinstance(model, MixtureModel)
        self.model_ = finished(model, view)
        self.n_parameters_, self.at_floor_ = self.model_.n_parameters(), bool(floored(self.model_))
        self._publish(self.model_)
        self.lower_bound_ = float(np.average(self.score_read(rows), weights=rows.weights))

    def _warn(self) -> None:
        names = self._names()
        for component, columns in floored(self.model_).items():
            listed = ", ".join(str(c) if names is None else repr(names[c]) for c in columns)
            why = (
                "it has collapsed on few distinct values there. Use fewer components, drop the column, or raise the "
                "floor."
            )
            if self.n_components == 1:
                why = (
                    "there the rows hardly vary, or follow from the other columns, and the floor decides how wide "
                    "the density is. Drop such a column, or choose the floor."
                )
            warnings.warn(
                f"component {component} rests on the floor of the variance along column {listed}: {why}",
                ConvergenceWarning,
                stacklevel=5,
            )
        if not self.converged_:
            self._warn_unconverged()

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """``bic(X) − 2 Σ log max_k r_nk`` (Biernacki et al. 2000), in the same sign: lower is better."""
        surest = np.log(self.predict_proba(X).max(axis=1))
        weights = weighted(self.read(X, reset=False), sample_weight).weights
        return float(self.bic(X, sample_weight) - 2.0 * (weights * surest).sum())
