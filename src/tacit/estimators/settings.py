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

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.constraints import FROM_0 as FROM_0
from tacit.estimators.constraints import NOT_NEGATIVE as NOT_NEGATIVE
from tacit.estimators.constraints import POSITIVE as POSITIVE
from tacit.estimators.constraints import SHARE as SHARE
from tacit.estimators.constraints import TOLERANCE as TOLERANCE
from tacit.estimators.constraints import Choice as Choice
from tacit.estimators.constraints import Constraint as Constraint
from tacit.estimators.constraints import Flag as Flag
from tacit.estimators.constraints import Number as Number
from tacit.estimators.constraints import Whole as Whole
from tacit.estimators.constraints import Widths as Widths
from tacit.estimators.pictures import picture_of
from tacit.estimators.verdict import Verdict
from tacit.inference.loop import Trace
from tacit.models.graph import Graph
from tacit.spaces import Held

T = TypeVar("T")


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
