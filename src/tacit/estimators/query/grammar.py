"""The language of queries: ``P(income > 50000 | age < 30, smoker = yes)``, read by descent, never run as code.

    query      = function "(" asked [ "|" condition ] ")"
    asked      = condition                       of P
               | column                          of P (all its levels), mean, sd, median, mode
               | column "," number               of quantile
    condition  = some { "," some }
    some       = all { "or" all }
    all        = each { "and" each }
    each       = "not" each | "(" condition ")" | comparison
    comparison = value order column [ order value ]
               | column order value
               | column ["not"] "in" "{" value { "," value } "}"
               | column "between" value "and" value
               | column "is" ["not"] value

Orders are ``= != < <= > >=``; ``and`` binds closer than ``or``, and ``or`` closer than a comma. Names and levels stand
bare or in quotes; words beside one another are one name.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

FUNCTIONS = {
    "p": "P",
    "pr": "P",
    "prob": "P",
    "probability": "P",
    "mean": "mean",
    "e": "mean",
    "average": "mean",
    "sd": "sd",
    "std": "sd",
    "median": "median",
    "mode": "mode",
    "quantile": "quantile",
}
"""What may be asked, by the words for it."""
ASKED = ("P", "mean", "sd", "median", "mode", "quantile")
ORDERS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "≠": "!=", "<": "<", "<=": "<=", "≤": "<=", ">": ">"}
ORDERS |= {">=": ">=", "≥": ">="}
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
"""The orders read from the right."""
KEYWORDS = ("and", "or", "not", "in", "is", "between")
DEEPEST = 50
"""Brackets within one another at most."""
LONGEST = 10_000
"""Characters of a query at most."""
_BREAKS = r"\s(),{}|<>=!≤≥≠∈&"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` )
    | (?P<mark>   <=|>=|==|!=|<>|[<>=≤≥≠∈(){{}},|&] )
    | (?P<word>   [^{_BREAKS}"'`][^{_BREAKS}]* )
    | (?P<end>    $ )
    )""",
    re.VERBOSE,
)


class QueryError(ValueError):
    """A query cannot be answered; the message shows where."""

    def __init__(self, said: str, text: str = "", start: int = 0, end: int = 0) -> None:
        self.said, self.text, self.start, self.end = said, text, start, end
        super().__init__("\n  ".join((said, *self.shown)))

    @property
    def shown(self) -> tuple[str, ...]:
        """The query, and below it a mark where the fault is."""
        if not self.text:
            return ()
        return re.sub(r"[\s\x00-\x1f\x7f]", " ", self.text), " " * self.start + "^" * max(self.end - self.start, 1)


@dataclasses.dataclass(frozen=True)
class Word:
    """A name, a level or a number, and where it stands."""

    text: str
    start: int
    end: int
    quoted: bool = False


@dataclasses.dataclass(frozen=True)
class Compared:
    """Two or three values in order; one of them is a column."""

    operands: tuple[Word, ...]
    orders: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Member:
    """A column is one of some values."""

    column: Word
    values: tuple[Word, ...]


@dataclasses.dataclass(frozen=True)
class Every:
    """All of some conditions hold."""

    parts: tuple["Condition", ...]


@dataclasses.dataclass(frozen=True)
class Some:
    """At least one of some conditions holds."""

    parts: tuple["Condition", ...]


@dataclasses.dataclass(frozen=True)
class No:
    """A condition does not hold."""

    part: "Condition"


Condition: TypeAlias = Compared | Member | Every | Some | No


@dataclasses.dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes:
        function: one of `ASKED`.
        event: of what the probability is asked; None where a column is asked for.
        column: that column.
        share: of a quantile.
        given: what is known; None where nothing is.
        text: the query as it was written.
    """

    function: str
    event: Condition | None
    column: Word | None
    share: float | None
    given: Condition | None
    text: str


@dataclasses.dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str, names: Sequence[str] = ()) -> Query:
    """Read a query.

    Args:
        text: the query.
        names: of columns and levels; those that hold blanks, brackets or signs are known without quotes.

    Raises:
        QueryError: what was found where, and what was expected.
    """
    return _Reader(text, names).query()


def parse_condition(text: str, names: Sequence[str] = ()) -> Condition:
    """Read what stands behind the bar of a query; raises as `parse` does."""
    return _Reader(text, names).alone()


def bar_of(text: str, names: Sequence[str] = ()) -> int | None:
    """Where the bar of a query stands, which is in no name and in no quotes; None where there is none."""
    return next((each.start for each in _tokens(text, names) if each.kind == "mark" and each.text == "|"), None)


def _tokens(text: str, names: Sequence[str]) -> list[_Token]:
    special = sorted({name for name in names if re.search(rf"[{_BREAKS}\"'`]", name)}, key=len, reverse=True)
    found: list[_Token] = []
    place = 0
    while True:
        place += len(text[place:]) - len(text[place:].lstrip())
        after_order = bool(found) and found[-1].kind == "mark" and found[-1].text not in (")", "}", "(", "|")
        for name in special:
            starts_plain = not re.match(rf"[{_BREAKS}\"'`]", name)
            ends = re.match(rf"[{_BREAKS}]|$", text[place + len(name) :])
            if text.startswith(name, place) and ends and (starts_plain or after_order):
                found.append(_Token("quoted", name, place, place + len(name)))
                place += len(name)
                break
        else:
            match = _TOKEN.match(text, place)
            if match is None:
                quote = text[place] in "\"'`"
                said = "a quote is opened here and never closed" if quote else f"{text[place]!r} has no meaning here"
                raise QueryError(said, text, place, place + 1)
            kind = str(match.lastgroup)
            whole, place = match.group(kind), match.end()
            inner = re.sub(r"\\(.)", r"\1", whole[1:-1]) if kind == "quoted" else whole
            found.append(_Token(kind, inner, match.start(kind), match.end(kind)))
            if kind == "end":
                return found


class _Reader:
    def __init__(self, text: str, names: Sequence[str]) -> None:
        if len(text) > LONGEST:
            raise QueryError(f"the query has {len(text):,} characters; {LONGEST:,} are read at most")
        self._text, self._tokens, self._next, self._depth = text, _tokens(text, names), 0, 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _fail(self, said: str, token: _Token | None = None) -> NoReturn:
        at = token or self._token
        raise QueryError(said, self._text, at.start, at.end)

    def _seen(self) -> str:
        """The token that stands here, in words."""
        return "the query ends" if self._token.kind == "end" else f"{self._token.text!r} stands"

    def _is(self, *marks: str) -> bool:
        return self._token.kind == "mark" and self._token.text in marks

    def _is_word(self, *words: str) -> bool:
        return self._token.kind == "word" and self._token.text.casefold() in words

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _expect(self, mark: str, why: str) -> _Token:
        if not self._is(mark):
            self._fail(f"{self._seen()} here where {why}")
        return self._take()

    def query(self) -> Query:
        """The whole of a query."""
        token = self._token
        if token.kind != "word" or token.text.casefold() not in FUNCTIONS:
            self._fail(f"a query begins with one of {', '.join(f'{name}(…)' for name in ASKED)}")
        function = FUNCTIONS[self._take().text.casefold()]
        self._expect("(", f"a bracket opens what {function} is of")
        event, column, share = self._asked(function)
        given = None
        if self._is("|"):
            self._take()
            given = self._condition()
        if self._is("|"):
            self._fail("a query has one bar: write what is known behind it with commas")
        self._expect(")", "a comma, a bar or the closing bracket was expected")
        self._done()
        return Query(function, event, column, share, given, self._text)

    def alone(self) -> Condition:
        """The whole of a condition."""
        found = self._condition()
        self._done()
        return found

    def _done(self) -> None:
        if self._token.kind != "end":
            self._fail(f"{self._seen()} behind the end")

    def _asked(self, function: str) -> tuple[Condition | None, Word | None, float | None]:
        if function == "P":
            back = self._next
            if self._token.kind in ("word", "quoted") and not self._is_word("not"):
                word = self._operand()
                if self._is("|", ")"):
                    return None, word, None
            self._next = back
            return self._condition(), None, None
        column = self._operand()
        if function != "quantile":
            return None, column, None
        self._expect(",", "the share of a quantile was expected, as in quantile(income, 0.9)")
        said = self._operand()
        share = number(said)
        if share is None or not 0.0 < share < 1.0:
            raise QueryError("a share lies strictly between 0 and 1", self._text, said.start, said.end)
        return None, column, share

    def _condition(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"more than {DEEPEST} brackets stand within one another")
        parts = [self._some()]
        while self._is(","):
            self._take()
            parts.append(self._some())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _some(self) -> Condition:
        parts = [self._all()]
        while self._is_word("or"):
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._each()]
        while self._is("&") or self._is_word("and"):
            self._take()
            parts.append(self._each())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _each(self) -> Condition:
        negations = 0
        while self._is_word("not"):
            self._take()
            negations += 1
        if self._is("("):
            self._take()
            found = self._condition()
            self._expect(")", "a bracket that was opened is not closed")
        else:
            found = self._comparison()
        return No(found) if negations % 2 else found

    def _comparison(self) -> Condition:
        first = self._operand()
        if self._is_word("not", "in", "is", "between") or self._is("∈"):
            return self._phrase(first)
        if not (self._token.kind == "mark" and self._token.text in ORDERS):
            self._fail(f"{self._seen()} here where a sign such as = or < was expected")
        operands: list[Word] = [first]
        orders: list[str] = []
        while self._token.kind == "mark" and self._token.text in ORDERS:
            if len(orders) == 2:
                self._fail("a range has two ends, as in 30 <= age < 40")
            orders.append(ORDERS[self._take().text])
            operands.append(self._operand())
        return Compared(tuple(operands), tuple(orders))

    def _phrase(self, column: Word) -> Condition:
        """``in``, ``is`` and ``between``, perhaps denied."""
        denied = False
        if self._is_word("not"):
            self._take()
            denied = True
        if self._is("∈") or self._is_word("in"):
            self._take()
            found: Condition = Member(column, self._set())
        elif self._is_word("between"):
            self._take()
            low = self._operand()
            if not self._is_word("and"):
                self._fail(f"{self._seen()} here where 'and' was expected, as in between 30 and 40")
            self._take()
            found = Compared((low, column, self._operand()), ("<=", "<="))
        elif self._is_word("is") and not denied:
            self._take()
            if self._is_word("not"):
                self._take()
                denied = True
            found = Compared((column, self._operand()), ("=",))
        else:
            self._fail(f"{self._seen()} here where 'in' or 'between' was expected")
        return No(found) if denied else found

    def _set(self) -> tuple[Word, ...]:
        self._expect("{", "values in curly brackets were expected, as in {a, b}")
        values = [self._operand()]
        while self._is(","):
            self._take()
            values.append(self._operand())
        self._expect("}", "a comma or the closing bracket } was expected")
        return tuple(values)

    def _operand(self) -> Word:
        token = self._token
        if token.kind == "quoted":
            self._take()
            return Word(token.text, token.start, token.end, quoted=True)
        if token.kind != "word" or self._is_word(*KEYWORDS):
            self._fail(f"{self._seen()} here where a column or a value was expected")
        parts = [self._take()]
        while self._token.kind == "word" and not self._is_word(*KEYWORDS):
            parts.append(self._take())
        return Word(" ".join(part.text for part in parts), parts[0].start, parts[-1].end)


def number(word: Word) -> float | None:
    """The number that a word is, or None."""
    plain = word.text.strip().replace("−", "-").replace("_", "")
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", plain, re.ASCII):
        return None
    value = float(plain)
    return value if abs(value) < float("inf") else None
