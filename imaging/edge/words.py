"""What the edge says to people, in English and Chinese. The English sentence is the key of `words.json`; values stand in braces."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LANGUAGES = ("zh", "en")
CHINESE: dict[str, str] = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue with its values, put into words when it is shown."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def say(self, language: str) -> str:
        """The sentence in one of LANGUAGES."""
        return say(language, self.text, **self.values)


def say(language: str, text: str, /, **values: object) -> str:
    """A text of the catalogue in one of LANGUAGES; KeyError for a text that nobody translated."""
    return (CHINESE[text] if language == "zh" else text).format(**values)
