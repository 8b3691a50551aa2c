"""Words and marks of a text, one after the other, with the line where each stands."""

import re

from tacit.data.errors import DataError, shown


def words_and_marks(marks: str, comments: str, word: str) -> re.Pattern[str]:
    """The pattern of one token after any blanks and comments; nothing in it can be tried in two ways.

    Args:
        marks: the characters that stand for themselves, for a class of a regular expression.
        comments: patterns of comments.
        word: the pattern of a bare word.
    """
    return re.compile(rf'(?>(?:\s++|{comments})*+)("(?:[^"\\]++|\\.)*+"|[{marks}]|{word}|\Z)', re.DOTALL)


class Scanner:
    """Reads tokens from a text.

    Attributes:
        token: the one at hand, as it stands in the text; empty at the end.
        start, end: where it stands.
    """

    def __init__(self, text: str, pattern: re.Pattern[str], start: int = 0) -> None:
        """Stand at the first token."""
        self.text, self._match = text, pattern.match
        self.token, self.start, self.end = "", start, start
        self.advance()

    def advance(self) -> str:
        """Go on to the next token; returns the one that was at hand."""
        before = self.token
        found = self._match(self.text, self.end)
        if found is None:
            blank = re.compile(r"\s*+").match(self.text, self.end)
            self.start = blank.end() if blank else self.end
            raise self.fault("what is opened here (a quote or a comment) never ends")
        self.token = found[1]
        self.start, self.end = found.span(1)
        return before

    def move(self, place: int) -> None:
        """Go on from another place of the text."""
        self.end = place
        self.advance()

    def line(self, place: int | None = None) -> int:
        """The line of a place, or of the token at hand, from 1."""
        return self.text.count("\n", 0, self.start if place is None else place) + 1

    def fault(self, what: str, place: int | None = None) -> DataError:
        """An error that begins with the line."""
        return DataError(f"line {self.line(place)}: {what}.")

    def unexpected(self, expected: str) -> DataError:
        """An error that says what should stand in the place of the token at hand."""
        found = shown(self.token) if self.token else "the end of the file"
        return self.fault(f"expected {expected}, found {found}")

    def expect(self, mark: str, where: str) -> None:
        """Pass a mark that has to stand here."""
        if self.token != mark:
            raise self.unexpected(f"'{mark}' {where}")
        self.advance()

    def past(self, mark: str) -> None:
        """Go behind the next such mark outside quotes and comments."""
        where = self.start
        while self.token != mark:
            if not self.token:
                raise self.fault(f"'{mark}' is missing for what begins here", where)
            self.advance()
        self.advance()


def unquoted(token: str) -> str:
    r"""A token as it is meant: without quotes, and with ``\"`` and ``\\`` inside them for a quote and a backslash."""
    if not token.startswith('"'):
        return token
    inside = token[1:-1]
    return re.sub(r'\\(["\\])', r"\1", inside) if "\\" in inside else inside


def quoted(word: str) -> str:
    """A word in quotes, so that `unquoted` gives it back."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number(token: str) -> float | None:
    """A probability as it is written; None for what is no number."""
    try:
        return float(token) if "_" not in token else None
    except ValueError:
        return None
