"""What a user says of texts and their words, and whether DATA holds documents."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tacit import data, registry
from tacit.workflow.errors import RequestError


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """What a user says of texts and their words.

    Attributes:
        text: the column of texts, or None.
        vocabulary: the file with the words of a bag of words, or None.
        stop_words: english, none, or a file; None for english.
        min_documents: words in fewer documents are left out; None for 2.
        max_share: words in more than this share of the documents are left out; None for a half.
    """

    text: str | None = None
    vocabulary: str | None = None
    stop_words: str | None = None
    min_documents: int | None = None
    max_share: float | None = None

    @property
    def given(self) -> bool:
        """Whether anything was."""
        return any(value is not None for value in dataclasses.astuple(self))

    def wording(self) -> "data.texts.Wording":
        """How texts are cut into words."""
        usual = data.texts.Wording()
        return data.texts.Wording(
            data.texts.read_stop_words(self.stop_words),
            usual.min_documents if self.min_documents is None else self.min_documents,
            usual.max_share if self.max_share is None else self.max_share,
        )

    def to_config(self) -> dict[str, Any]:
        """What a run keeps of it; files by their whole paths."""
        found = dataclasses.asdict(self)
        for key in ("vocabulary", "stop_words"):
            path = None if found[key] is None else Path(found[key]).expanduser()
            found[key] = str(path.absolute()) if path is not None and path.is_file() else found[key]
        return found

    @classmethod
    def from_config(cls, kept: Mapping[str, Any]) -> Self:
        """The same again."""
        return cls(**{field.name: kept.get(field.name) for field in dataclasses.fields(cls)})


NO_TEXT_OPTIONS = TextOptions()


def wanted(path: str, options: TextOptions, model: str | None) -> bool:
    """Whether DATA is to be read as documents: it can be nothing else, or the user or the model asks for it.

    Args:
        path: where the data are.
        options: what the user says of texts.
        model: a name of the registry, or None.
    """
    if model is not None and registry.entry(model).reads != "documents":
        if options.given:
            raise RequestError("the options about texts and their words go with --model topics.")
        if data.texts.holds_corpus(path):
            raise RequestError(f"{path} holds documents, which take --model topics.")
        return False
    return model is not None or options.given or data.texts.holds_corpus(path)
