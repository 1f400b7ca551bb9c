"""How the imaging core says no: with sentences a person can act on, as data that a page can translate. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sentence:
    """What a person is told: a code, the English text (a gettext msgid with %(name)s places) and what goes into them."""

    code: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params


class Refused(ValueError):
    """Something cannot be used; `sentences` say why, one after another."""

    def __init__(self, *sentences: Sentence) -> None:
        super().__init__(" ".join(str(sentence) for sentence in sentences))
        self.sentences = sentences
