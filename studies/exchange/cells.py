"""What an import would do to one cell: new, the same, kept, changed, blanked or rejected, with a sentence (peers B9). Pure.

Filling empty fields is the default: a field that holds something is left as it is unless overwriting was asked for.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from studies.values import Value, as_typed


class Verdict(StrEnum):
    """What becomes of a cell."""

    NEW = "new"
    SAME = "same"
    KEPT = "kept"
    CHANGED = "changed"
    BLANKED = "blanked"
    REJECTED = "rejected"


WRITTEN = frozenset({Verdict.NEW, Verdict.CHANGED, Verdict.BLANKED})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: line and column of the file, the item or fact it is for, what it says, what is held, what becomes of it."""

    line: int
    column: str
    target: str
    verdict: Verdict
    text: str = ""
    held: str = ""
    sentence: str = ""
    subject: str = ""

    def as_json(self) -> dict[str, Any]:
        """The cell for a report."""
        return {
            "line": self.line,
            "subject": self.subject,
            "column": self.column,
            "target": self.target,
            "verdict": self.verdict.value,
            "text": self.text,
            "held": self.held,
            "sentence": self.sentence,
        }

    @property
    def judged(self) -> dict[str, Any]:
        """What a plan hangs on: everything but the sentence, which is in the reader's language."""
        return self.as_json() | {"sentence": ""}


def judge(held: Value | None, coming: Value, *, overwrite: bool) -> Verdict:
    """What becomes of a value that was understood, beside what is held."""
    if not held:
        return Verdict.NEW
    if held.content == coming.content:
        return Verdict.SAME
    if not overwrite:
        return Verdict.KEPT
    return Verdict.BLANKED if coming.missing and held.value else Verdict.CHANGED


def shown(value: Value | None) -> str:
    """A value as a person would type it, with its unit."""
    if not value:
        return ""
    return f"{as_typed(value)} {value.unit}".strip()
