"""Conditions on rows in words, such as ``amount > 0 and region in ('north', 'south')``, to read only some."""

import operator
import re
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.errors import DataError, listed, nearest

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<text>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*"|`[^`]+`|[^\W\d][\w.]*)
    |(?P<sign><=|>=|!=|<>|==|[<>=(),]))""",
    re.VERBOSE,
)
_COMPARE = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}
_WORDS = ("and", "or", "not", "in", "is", "missing", "null", "true", "false")
FORM = "write it as: amount > 0 and (region = 'north' or region in ('south', 'west')) and age is not missing"


class _Token(NamedTuple):
    kind: str
    text: str
    place: int


class Condition(NamedTuple):
    """What rows must be, and the columns that say it."""

    expression: Any
    """For Arrow."""
    columns: tuple[str, ...]
    text: str


def condition_of(text: "str | pc.Expression", schema: pa.Schema) -> Condition:
    """A condition in words, or as Arrow has them, on columns of a schema.

    Raises:
        DataError: it is not understood (where), names a column that there is not, or compares a text with a number.
    """
    if isinstance(text, pc.Expression):
        return _checked(Condition(text, tuple(schema.names), str(text)), schema)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"the filter {text!r} is no condition: {FORM}.")
    parser = _Parser(text, schema)
    found = parser.either()
    if parser.token.kind != "end":
        parser.refuse()
    return _checked(Condition(found, tuple(dict.fromkeys(parser.columns)), text), schema)


def _checked(condition: Condition, schema: pa.Schema) -> Condition:
    names = list(condition.columns)
    try:
        pa.table({name: pa.array([], schema.field(name).type) for name in names}).filter(condition.expression)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        kinds = ", ".join(f"{name!r} is {schema.field(name).type}" for name in names[:6])
        raise DataError(f"the filter {condition.text!r} cannot be asked of these columns ({kinds}): {error}") from None
    return condition


class _Parser:
    """``either := both (or both)*``, ``both := part (and part)*``, ``part := not part | (either) | name …``."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self._text, self._schema, self._at = text, schema, 0
        self.columns: list[str] = []
        self.token = _Token("", "", 0)
        self._next()

    def _next(self) -> _Token:
        before = self.token
        rest = self._text[self._at :]
        if not rest.strip():
            self.token = _Token("end", "", len(self._text))
            return before
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            self.token = _Token("", rest.strip()[:1], self._at + len(rest) - len(rest.lstrip()))
            self.refuse()
        self.token = _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
        self._at = found.end()
        return before

    def refuse(self, why: str = "") -> NoReturn:
        """Say where the text is not understood."""
        there = "at its end" if self.token.kind == "end" else f"at {self._text[self.token.place :][:20]!r}"
        raise DataError(f"the filter {self._text!r} is not understood {there}{why}: {FORM}.")

    def _word(self, *words: str) -> bool:
        if self.token.kind in ("name", "sign") and self.token.text.lower() in words:
            self._next()
            return True
        return False

    def either(self) -> Any:
        found = self._both()
        while self._word("or"):
            found = found | self._both()
        return found

    def _both(self) -> Any:
        found = self._part()
        while self._word("and"):
            found = found & self._part()
        return found

    def _part(self) -> Any:
        if self._word("not"):
            return ~self._part()
        if self._word("("):
            found = self.either()
            if not self._word(")"):
                self.refuse(" (a bracket is open)")
            return found
        field, name = self._field()
        if self._word("is"):
            other = self._word("not")
            if not self._word("missing", "null"):
                self.refuse()
            missing = field.is_null(nan_is_null=pa.types.is_floating(self._schema.field(name).type))
            return ~missing if other else missing
        negated = self._word("not")
        if self._word("in"):
            among = field.isin(pa.array(self._values()))
            return ~among if negated else among
        if negated or self.token.kind != "sign" or self.token.text not in _COMPARE:
            self.refuse()
        return _COMPARE[self._next().text](field, pc.scalar(self._value()))

    def _field(self) -> tuple[Any, str]:
        token = self.token
        if token.kind != "name" or token.text.lower() in _WORDS:
            self.refuse(" (the name of a column is wanted)")
        name = token.text[1:-1].replace('""', '"') if token.text[0] in '"`' else token.text
        if name not in self._schema.names:
            known = list(self._schema.names)
            raise DataError(
                f"the filter {self._text!r} names a column {name!r} that there is not; there are {listed(known)}."
                f"{nearest(name, known)}"
            )
        self._next()
        self.columns.append(name)
        return pc.field(name), name

    def _values(self) -> list[Any]:
        if not self._word("("):
            self.refuse(" (a list in brackets is wanted)")
        found = [self._value()]
        while self._word(","):
            found.append(self._value())
        if not self._word(")"):
            self.refuse(" (a bracket is open)")
        if any(isinstance(each, str) for each in found) and not all(isinstance(each, str) for each in found):
            self.refuse(" (texts and numbers stand in one list)")
        return found

    def _value(self) -> Any:
        token = self.token
        if token.kind == "number":
            self._next()
            return int(token.text) if re.fullmatch(r"[-+]?\d+", token.text) else float(token.text)
        if token.kind == "text":
            self._next()
            return token.text[1:-1].replace("''", "'")
        if token.text.lower() in ("true", "false"):
            self._next()
            return token.text.lower() == "true"
        self.refuse(" (a number, or a text in single quotes, is wanted)")
