"""XML as a small tree; what makes a small file large (entities) or deep is refused."""

from dataclasses import dataclass, field
from xml.parsers import expat

from tacit.data.errors import DataError, brief, shown

_DEEPEST = 64
_MOST = 2**20


@dataclass(slots=True)
class Element:
    """An element: its tag, its attributes, the line where it begins, the elements in it and the text in it."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text, without the blanks around it unless ``xml:space`` says that they count."""
        whole = "".join(self.pieces)
        return whole if self.attributes.get("xml:space") == "preserve" else whole.strip()

    def all(self, tag: str) -> list["Element"]:
        """The elements in it of one tag, in whatever case."""
        return [child for child in self.children if child.tag.upper() == tag]

    def one(self, tag: str) -> "Element":
        """The element in it of one tag, of which there is one."""
        found = self.all(tag)
        if len(found) != 1:
            raise self.fault(f"expected one <{tag}> in <{self.tag}>, found {len(found)}")
        return found[0]

    def attribute(self, name: str) -> str:
        """An attribute that must be there."""
        if name not in self.attributes:
            raise self.fault(f"expected the attribute '{name}' in <{self.tag}>")
        return self.attributes[name]

    def fault(self, what: str) -> DataError:
        """An error that begins with the line."""
        return DataError(f"line {self.line}: {what}.")


def parsed(data: bytes) -> Element:
    """The root of an XML document.

    Raises:
        DataError: it is not well formed, declares entities, or is nested too deep.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    open_ones, seen = [Element("", {}, 1)], [0]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_ones) > _DEEPEST:
            raise DataError(f"line {parser.CurrentLineNumber}: elements are nested more than {_DEEPEST} deep.")
        seen[0] += 1
        if seen[0] > _MOST:
            raise DataError(f"line {parser.CurrentLineNumber}: there are more than {_MOST:,} elements.")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        open_ones[-1].children.append(element)
        open_ones.append(element)

    def end(tag: str) -> None:
        open_ones.pop()

    def text(piece: str) -> None:
        open_ones[-1].pieces.append(piece)

    def entity(name: str, *_: object) -> None:
        raise DataError(
            f"line {parser.CurrentLineNumber}: the entity {shown(name)} is declared; files with entities of their own "
            "are not read. Write its text where it is used."
        )

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DataError(f"line {error.lineno}: this is no XML ({brief(error)}).") from None
    except (ValueError, LookupError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"this is no XML ({brief(error)}).") from None
    return open_ones[0].children[0]
