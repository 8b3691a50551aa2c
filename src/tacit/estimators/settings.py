"""The settings of an estimator: the fields of a dataclass, each with its default, its text and what it may be.

A setting is a field; the text under it is its documentation, and what `typing.Annotated` says of it is checked at fit:

    @settings
    class Model(Estimator):
        n_components: Annotated[int, Whole(1)] = 1
        "K."
        _: KW_ONLY
        tol: Annotated[float, NOT_NEGATIVE] = 1e-3
        "The fit stops when the bound changes by less, in nats."

As scikit-learn has it, the constructor keeps values as they are, and nothing is checked before the fit.
"""

import abc
import ast
import inspect
import math
import numbers
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.pictures import picture_of
from tacit.estimators.verdict import Verdict
from tacit.inference.loop import Trace
from tacit.models.graph import Graph
from tacit.spaces import Held

T = TypeVar("T")


class Constraint(abc.ABC):
    """What the value of a setting may be."""

    names: tuple[str, ...] = ()
    """The words among it."""

    @abc.abstractmethod
    def fault(self, name: str, value: object) -> str | None:
        """What is wrong with the value, and what it may be; None if nothing is."""


@dataclass(frozen=True)
class Whole(Constraint):
    """A whole number, or one of some names."""

    least: int
    names: tuple[str, ...] = ()

    def fault(self, name: str, value: object) -> str | None:
        if isinstance(value, str) and value in self.names:
            return None
        if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= self.least:
            return None
        others = "".join(f" or {known!r}" for known in self.names)
        return f"{name} must be a whole number of at least {self.least}{others}, got {value!r}"


@dataclass(frozen=True)
class Number(Constraint):
    """A number between two: the least may be taken and the other may not, unless said otherwise; or a name."""

    words: str
    least: float = 0.0
    below: float | None = None
    least_too: bool = True
    below_too: bool = False
    names: tuple[str, ...] = ()

    def fault(self, name: str, value: object) -> str | None:
        fair = isinstance(value, str) and value in self.names
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            number = float(value)
            fair = number >= self.least if self.least_too else number > self.least
            if self.below is not None:
                fair = fair and (number <= self.below if self.below_too else number < self.below)
        return None if fair else f"{name} must be {self.words}, got {value!r}"


@dataclass(frozen=True)
class Choice(Constraint):
    """One of some names."""

    names: tuple[str, ...]

    def fault(self, name: str, value: object) -> str | None:
        if isinstance(value, str) and value in self.names:
            return None
        return f"{name} must be one of {', '.join(map(repr, self.names))}; got {value!r}"


@dataclass(frozen=True)
class Widths(Constraint):
    """A list of whole numbers, the widths of layers."""

    fewest: int = 0

    def fault(self, name: str, value: object) -> str | None:
        if not isinstance(value, (tuple, list, np.ndarray)):
            return f"{name} must be a list of widths, such as (256, 256), got {value!r}"
        widths = list(value)
        if len(widths) < self.fewest:
            return f"{name} must name one width at least"
        return next((said for width in widths if (said := Whole(1).fault(f"each of {name}", width))), None)


@dataclass(frozen=True)
class Flag(Constraint):
    """True or False."""

    def fault(self, name: str, value: object) -> str | None:
        return None if isinstance(value, (bool, np.bool_)) else f"{name} must be True or False, got {value!r}"


POSITIVE = Number("above 0", least_too=False)
NOT_NEGATIVE = Number("at least 0")
TOLERANCE = Number("at least 0 nats a row")
SHARE = Number("from 0 to below 1", below=1.0)
FROM_0 = Number("a number from 0 to below inf", below=math.inf)


@dataclass_transform(eq_default=False, field_specifiers=(field,))
def settings(cls: type[T]) -> type[T]:
    """Make the fields of a class its settings: the constructor, and their texts in its docstring.

    The class's own come before those that it inherits.
    """
    own = inspect.get_annotations(cls)
    made: Any = dataclass(eq=False, repr=False)(cls)
    order = sorted(made.__dataclass_fields__.values(), key=lambda each: (each.kw_only is True, each.name not in own))
    made.__dataclass_fields__ = {each.name: each for each in order}
    made.__doc__ = WithSettings(made.__doc__ or "")
    constructor = made.__init__
    constructor.__annotations__ = {name: _kind(hint) for name, hint in constructor.__annotations__.items()}
    return made


class Estimator(BaseEstimator):
    """A scikit-learn estimator whose settings are checked by the table they stand in, and what every fit may leave."""

    held: ClassVar[Mapping[str, Held]] = {"feature_names_in_": Held("features", "any")}
    """The fitted arrays and numbers of a class and, by their places after dots, those of its parts: their shapes in
    words, and where they lie. Those of a base class count too."""

    n_features_in_: int
    n_iter_: int | None = None
    """Iterations, or epochs."""
    converged_: bool | None = None
    """Whether the fit came to rest by itself; None where it has no way to."""
    stop_reason_: str = ""
    """Why it ended."""
    n_parameters_: int = 0
    """Free parameters; 0 where they are not counted."""
    at_floor_: bool | tuple[str, ...] = False
    """Whether something has collapsed on the floor of the variance; of a factor analysis, the names of the columns."""
    trace_: Trace | None = None
    """How the bound rose."""
    history_: Mapping[str, np.ndarray] | None = None
    """A column a figure of every epoch, of a fit by gradients."""
    verdict_: Verdict | None = None
    """How far an approximate posterior is to be trusted."""

    def graph(self) -> Graph | None:
        """The model's directed graph, where it has one."""
        return None

    def plot(self, X: Any = None) -> Any:
        """A matplotlib ``Figure`` of what was fitted: groups, coefficients, topics, or how the bound rose.

        Args:
            X: rows to be shown in their groups; rows drawn from the model where None.
        """
        check_is_fitted(self)
        return picture_of(self, X)

    def check_settings(self) -> None:
        """Refuse settings that make no sense, before there are any rows; a fit begins with this.

        Raises:
            ValueError: names the setting, what it is and what it may be.
        """
        for each in fields(self):
            value, hint = vars(self).get(each.name, each.default), each.type
            if get_origin(hint) is not Annotated or (value is None and type(None) in get_args(_kind(hint))):
                continue
            for constraint in get_args(hint)[1:]:
                said = constraint.fault(each.name, value)
                if said is not None:
                    raise ValueError(said)
        self._check_together()

    def sizes(self) -> dict[str, int]:
        """What words for sizes stand for in `held`, beside those that the arrays themselves settle."""
        return {"features": self.n_features_in_}

    def rehearsal(self) -> str | None:
        """What would fail if rows were given to what a file held, in words; None if nothing would."""
        return None

    def _names(self) -> tuple[str, ...] | None:
        """Names of the columns at fit, where they had some."""
        names = vars(self).get("feature_names_in_")
        return None if names is None else tuple(str(name) for name in names)

    def _column_names(self) -> list[str]:
        """The same, or x0, x1, …"""
        return list(self._names() or (f"x{place}" for place in range(self.n_features_in_)))

    def _check_together(self) -> None:
        """Refuse settings that do not go together, in plain words."""


def _kind(hint: Any) -> Any:
    """The type of a setting without what it may be."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


class WithSettings:
    """The docstring of an estimator with its settings under "Args:", read from its source when it is asked for."""

    def __init__(self, text: str) -> None:
        self._text = inspect.cleandoc(text)

    def __get__(self, instance: object, owner: type) -> str:
        told = texts_of(owner)
        listed = [_indented(each.name, told.get(each.name, "")) for each in fields(owner) if each.init]
        block = "Args:\n" + "\n".join(listed)
        before, found, after = self._text.partition("\n\nAttributes:")
        return f"{before}\n\n{block}{found}{after}\n"


def texts_of(cls: type) -> dict[str, str]:
    """The text under every setting of a class and its bases; none where there is no source."""
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if "__dataclass_fields__" in vars(base):
            told |= dict(_texts(base))
    return told


def _texts(cls: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # typed at a prompt, or shipped without its source
        return
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    for setting, text in zip(tree.body, tree.body[1:], strict=False):
        match setting, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said)


def _indented(name: str, text: str) -> str:
    return textwrap.indent(f"{name}: {text}", "        ")[4:]
