"""Questions about one case: posteriors given evidence, the most probable state, interventions, the price."""

import copy
import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tacit.data.schema import Column
from tacit.data.value_sets import Box
from tacit.estimators.base import double_precision
from tacit.estimators.network.cases import CasesAnswer, answered, is_table, say_impossible, table_of
from tacit.estimators.network.columns import NetworkReading, NodeColumns
from tacit.estimators.network.evidence import check_number, row_of, told
from tacit.estimators.network.results import JointAnswer, MostProbable, NetworkAnswer
from tacit.estimators.query.asking import AnswersCases
from tacit.models.network.approximate.approximation import MethodTable, approximate, comparison
from tacit.models.network.case import CasePosteriors, Impossible, case_posteriors, contradiction, joint_posterior
from tacit.models.network.completion import gap_posteriors, most_probable_row
from tacit.models.network.given import NetworkGiven, NumberLaw, network_given
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.price import Price, TooDear, price_with


class CaseAnswer(NamedTuple):
    """What is known of one case, however it was found."""

    log_prob: float
    levels: Mapping[int, np.ndarray]
    numbers: Mapping[int, tuple[float, float]]
    """Mean and standard deviation."""
    how: str
    words: str = ""
    errors: Mapping[int, float] = MappingProxyType({})
    """What the error of a posterior is unlikely to exceed; nothing where it is exact."""


class NetworkQuestions(AnswersCases, NetworkReading):
    """Answers about one case."""

    model_: Network
    columns_: NodeColumns
    fixed_: dict[int, float]
    """Nodes that were set by ``do``, and to what."""
    inference: str
    max_bytes: float

    def _row(self, evidence: Mapping[Any, Any] | None) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        check_is_fitted(self)
        return row_of(self.columns_, evidence, self.fixed_)

    @double_precision
    def query(
        self,
        question: Any = None,
        evidence: Any = None,
        *,
        joint: bool = False,
        n_draws: int | None = None,
        random_state: int = 0,
    ) -> Any:
        """The posterior of columns and hidden nodes given evidence about one case, all at once; or a written question.

        Args:
            question: a column or several, by name or place; all that are not given where None. Or a question such as
                ``P(xray = yes | smoke = yes)``, which every model that has a density answers (`QueryAnswer`).
            evidence: a level or a number by name; ``{level: likelihood, …}`` for evidence that is not sure. Or a table
                of cases, with any of the columns and with gaps: then the answer is a table too (`CasesAnswer`).
            joint: whether to give the joint posterior of the columns, which then have levels (`JointAnswer`).
            n_draws, random_state: of the draws for what a written question asks and is not known exactly.

        Raises:
            ValueError: an unknown column or level; evidence that is impossible, with a small part of it that is; an
                answer that needs more than ``max_bytes``.
        """
        if is_table(evidence):
            return self._cases(question, evidence, joint)
        row, soft = self._row(evidence)
        names = self.columns_.names
        if isinstance(question, str) and question not in names and "(" in question:
            if evidence is not None and len(evidence):
                raise ValueError("a written question says itself what is given, behind a bar: P(a = 1 | b = 2)")
            return super().query(question, n_draws=n_draws, random_state=random_state)
        given = told(self.columns_, evidence)
        open_ = [n for n in names if n not in given and np.isnan(row[self.columns_.places[n]])]
        asked = [names[node] for node in self._wanted(open_ if question is None else question)]
        if joint:
            return self._joint(asked, row, soft)
        known = [name for name in asked if not np.isnan(row[self.columns_.places[name]])]
        if known:
            raise ValueError(f"{known[0]!r} is given, and asked for")
        found = self._answered(row, soft)
        levels, numbers = _named(self.columns_, found, asked)
        before = levels if not given else self._before(asked)
        errors = {name: found.errors[self.columns_.places[name]] for name in levels if found.errors}
        log_evidence = found.log_prob + self._log_change(row)
        return NetworkAnswer(log_evidence, levels, numbers, before, found.how, given, found.words, errors)

    def _wanted(self, question: Any) -> list[int]:
        """The nodes that are asked for, each once."""
        several = [question] if isinstance(question, str | int | np.integer) else question
        return list(dict.fromkeys(self.columns_.node(each) for each in several))

    def _cases(self, question: Any, evidence: Any, joint: bool) -> CasesAnswer:
        """The posteriors of a table of cases; row by row where they are not known exactly."""
        check_is_fitted(self)
        if joint:
            raise ValueError("joint posteriors are of one case: ask for each")
        rows = np.asarray(self.read(table_of(evidence, self.columns_), reset=False).rows(), np.float64)
        gaps = np.atleast_1d(np.isnan(rows).any(0))
        open_ = [v for v in range(len(self.columns_.names)) if v >= len(gaps) or gaps[v]]
        wanted = self._wanted([v for v in open_ if v not in self.fixed_] if question is None else question)
        try:
            if self.inference not in ("auto", "exact"):
                return self._case_by_case(rows, wanted)
            found = self.gaps_of(rows)
        except (TooDear, NotExact):
            if self.inference == "exact":
                raise
            return self._case_by_case(rows, wanted)
        answer = answered(self.columns_, rows, found, wanted)
        lost = np.zeros(len(rows), bool)
        for figures in found.values():
            lost |= np.isnan(figures).any(1)
        say_impossible(lost)
        return answer

    def _case_by_case(self, rows: np.ndarray, wanted: Sequence[int]) -> CasesAnswer:
        """The same by the inference of single cases."""
        figures = {v: np.full((len(rows), self.columns_.levels[v] or 2), np.nan) for v in wanted}
        lost = np.zeros(len(rows), bool)
        for at, row in enumerate(self.columns_.values(rows)):
            for node, value in self.fixed_.items():
                row[node] = value
            try:
                found = self._answered(row, {})
            except Impossible:
                lost[at] = True
                continue
            for v in wanted:
                if v in found.levels or v in found.numbers:
                    figures[v][at] = found.levels[v] if v in found.levels else found.numbers[v]
        say_impossible(lost)
        return answered(self.columns_, rows, figures, wanted)

    def _answered(self, row: np.ndarray, soft: Mapping[int, np.ndarray]) -> CaseAnswer:
        """By the inference that was asked for; "auto" is exact where it can be, and says what it does where not."""
        if self.inference in ("auto", "exact"):
            try:
                return _exact(case_posteriors(self.model_, row, soft), self._logged)
            except (TooDear, NotExact) as refused:
                if self.inference == "exact":
                    raise
                method = "loopy" if isinstance(refused, TooDear) else "weighted"
                found = _approximate(self.model_, row, soft, method, self._logged)
                warnings.warn(f"the answer is approximate, because {refused}. {found.words}", UserWarning, stacklevel=4)
                return found
        return _approximate(self.model_, row, soft, self.inference, self._logged)

    @property
    def _logged(self) -> frozenset[int]:
        """The nodes that are logarithms of their columns."""
        return frozenset(np.flatnonzero(self.columns_.logged).tolist())

    def _log_change(self, row: np.ndarray) -> float:
        """What ``log p`` of a row gains in the units of the table; nothing of what was set by an intervention."""
        said = [v for v in self._logged if not np.isnan(row[v]) and v not in self.fixed_]
        return -float(row[said].sum())

    @double_precision
    def compare_methods(self, evidence: Mapping[Any, Any] | None = None) -> MethodTable:
        """Exact elimination, belief propagation, mean field and weighted draws side by side, on one case.

        Of each ``log p`` of the evidence, or what stands for it, and what is known of the error of its posteriors.
        """
        row, soft = self._row(evidence)
        return comparison(self.model_, row, likelihoods={node: values[:, 0] for node, values in soft.items()})

    def given(self, evidence: Box) -> NetworkGiven | None:
        row, _ = self._row(None)
        for node, values in evidence.items():
            if values.point is not None and self.columns_.levels[node] is None:
                check_number(self.columns_, node, values.point)
        for node, value in self.fixed_.items():
            own = float(np.exp(value)) if node in self._logged else value
            point = evidence[node].point if node in evidence else own
            agrees = evidence[node].contains(np.array([own]))[0] if point is None else np.isclose(point, own, rtol=1e-9)
            if not agrees:
                raise ValueError(
                    f"column {self.columns_.names[node]!r} is set by do(), and the evidence says something else"
                )
        evidence = {node: values for node, values in evidence.items() if node not in self.fixed_}
        found = network_given(self.model_, evidence, row, self._logged)
        try:
            if found is not None:
                self.model_.checked_layout(found.row[None])
        except (NotExact, TooDear):
            return None
        return found

    @double_precision
    def gaps_of(self, rows: np.ndarray) -> dict[int, np.ndarray]:
        check_is_fitted(self)
        values = self.columns_.values(rows)
        for node, value in self.fixed_.items():
            values[:, node] = value
        logged = self.columns_.logged
        return gap_posteriors(self.model_, values, frozenset(np.flatnonzero(logged).tolist()))

    def hidden_columns(self) -> tuple[Column, ...]:
        """The hidden nodes, their states numbered from 0."""
        check_is_fitted(self)
        return tuple(
            Column(name, "categorical", tuple(str(state) for state in range(states)))
            for name, states in self.columns_.hidden
        )

    def _before(self, asked: Sequence[str]) -> dict[str, dict[Any, float]]:
        """What is known of columns when nothing is given; nothing, where that is not known exactly."""
        try:
            return _named(self.columns_, _unasked(self.model_, tuple(self.fixed_.items()), self._logged), asked)[0]
        except (NotExact, TooDear):
            return {}

    def _joint(self, names: Sequence[str], row: np.ndarray, soft: Mapping[int, np.ndarray]) -> JointAnswer:
        nodes = tuple(self.columns_.node(name) for name in names)
        for node in nodes:
            if self.columns_.levels[node] is None or not np.isnan(row[node]):
                what = "is a number" if self.columns_.levels[node] is None else "is given"
                raise ValueError(f"{self.columns_.names[node]!r} {what}, and has no place in a joint table")
        table = joint_posterior(self.model_, row, nodes, soft)
        return JointAnswer(tuple(names), tuple(self.columns_.levels_of(node) for node in nodes), table)

    @double_precision
    def most_probable(self, evidence: Mapping[Any, Any] | None = None) -> MostProbable:
        """The most probable state of everything that is not given, together (max-product).

        Raises:
            ValueError: as `query`; a number is not given.
        """
        row, soft = self._row(evidence)
        values, log_prob, share = most_probable_row(self.model_, row, soft)
        hidden = np.flatnonzero(np.isnan(row))
        found = {self.columns_.names[v]: self.columns_.levels_of(v)[int(values[v])] for v in hidden.tolist()}
        return MostProbable(found, log_prob + self._log_change(row), share)

    def do(self, values: Mapping[Any, Any]) -> Self:
        """The network after an intervention that sets columns: the arrows into them are cut (Pearl 2009).

        Args:
            values: a level or a number by name.

        Returns: a fitted network of its own, which is asked as any other.
        """
        check_is_fitted(self)
        row, soft = row_of(self.columns_, values, {})
        if soft:
            raise ValueError("an intervention sets a column to one value, not to several")
        fixed = {int(v): float(row[v]) for v in np.flatnonzero(~np.isnan(row))}
        changed = copy.copy(self)
        nodes = tuple(
            ExogenousNode(node.place, (), (), node.levels) if node.place in fixed else node
            for node in self.model_.nodes
        )
        changed.model_ = Network(nodes, self.model_.graph.cut(fixed), None, self.model_.max_bytes)
        changed.fixed_ = self.fixed_ | fixed
        cut = {self.columns_.names[node] for node in fixed}
        changed.edges_ = tuple(edge for edge in self.edges_ if edge[1] not in cut)
        changed.n_parameters_ = changed.model_.n_parameters()
        return changed

    def price(self, evidence_columns: Sequence[Any] = ()) -> Price:
        """What an exact answer will cost for one case in which some columns are given; nothing is computed.

        Raises:
            NotExact: there is no exact answer.
        """
        check_is_fitted(self)
        columns = [evidence_columns] if isinstance(evidence_columns, str) else evidence_columns
        seen = frozenset(self.columns_.node(name) for name in columns) | frozenset(self.fixed_)
        return price_with(self.model_.nodes, self.model_.graph.names, seen)


def _exact(found: CasePosteriors, logged: frozenset[int]) -> CaseAnswer:
    moments = {node: NumberLaw(each, node in logged).moments() for node, each in found.numbers.items()}
    numbers = {node: (mean, float(np.sqrt(max(variance, 0.0)))) for node, (mean, variance) in moments.items()}
    return CaseAnswer(found.log_prob, found.levels, numbers, "exact")


def _approximate(
    model: Network, row: np.ndarray, soft: Mapping[int, np.ndarray], method: Any, logged: frozenset[int]
) -> CaseAnswer:
    likelihoods = {node: values[:, 0] for node, values in soft.items()}
    found = approximate(model, row, method, likelihoods=likelihoods)
    if any(np.isnan(each).any() for each in found.marginals.values()) or (
        method == "weighted" and math.isinf(found.log_value)
    ):
        raise _unanswered(model, row, soft, found.words)
    numbers = {node: (float(each.values[0]), float(each.values[1])) for node, each in found.numbers.items()}
    for node in logged & set(numbers):  # the moments of a log-normal law with the mean and deviation of the logarithm
        mean, deviation = numbers[node]
        mean = float(np.exp(mean + 0.5 * deviation**2))
        numbers[node] = mean, mean * float(np.sqrt(np.expm1(deviation**2)))
    errors = {node: error.most for node, error in found.errors.items()}
    return CaseAnswer(found.log_value, found.marginals, numbers, method, found.words, errors)


def _unanswered(model: Network, row: np.ndarray, soft: Mapping[int, np.ndarray], words: str) -> Impossible:
    """Why an approximation has no answer: the evidence is impossible, as far as that can be known."""
    try:
        log_prob = float(model.log_prob(row[None], soft)[0])
    except (NotExact, TooDear):
        return Impossible(f"the evidence seems to be impossible: {words}")
    if math.isinf(log_prob):
        return Impossible(contradiction(model, row, soft))
    return Impossible(
        f"the evidence is not impossible (log p = {log_prob:.4f}), but too improbable for this inference: {words} Ask "
        'with inference="exact"'
    )


@functools.lru_cache(maxsize=4)
def _unasked(model: Network, fixed: tuple[tuple[int, float], ...], logged: frozenset[int]) -> CaseAnswer:
    """What is known when nothing is given; remembered for the next question."""
    row = np.full(len(model.graph), np.nan)
    for node, value in fixed:
        row[node] = value
    return _exact(case_posteriors(model, row), logged)


def _named(
    columns: NodeColumns, found: CaseAnswer, asked: Sequence[str]
) -> tuple[dict[str, dict[Any, float]], dict[str, tuple[float, float]]]:
    levels, numbers = {}, {}
    for name in asked:
        node = columns.places[name]
        if node in found.levels:
            levels[name] = dict(zip(columns.levels_of(node), found.levels[node].tolist(), strict=True))
        elif node in found.numbers:
            numbers[name] = found.numbers[node]
    return levels, numbers
