"""What the import of a cohort did, or would do: counts, every rejected cell, the eligibility flow, and a digest of it all."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from studies.exchange.cells import Cell, Verdict


@dataclass
class Report:
    """Counts, the rejected cells, the flow; `plan` is the same for a dry run and for the run that does what it said.

    `lines` are the keys of new lines of the log and `filled` the values given to participants who were there: what an undo needs.
    """

    rows: int = 0
    screened: int = 0
    enrolled: int = 0
    known: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    rejected: list[Cell] = field(default_factory=list)
    flow: dict[str, Any] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    filled: list[dict[str, Any]] = field(default_factory=list)
    plan: str = ""
    _seen: Any = field(default_factory=hashlib.sha256)

    def begin(self, *parts: str) -> None:
        """What the plan hangs on beside the cells: the digests of mapping and files."""
        self._seen.update(json.dumps(parts).encode())

    def add(self, cell: Cell) -> None:
        """Count a cell, keep it when it is rejected."""
        self.counts[cell.verdict.value] += 1
        if cell.verdict is Verdict.REJECTED:
            self.rejected.append(cell)
        self._seen.update(json.dumps(cell.judged, sort_keys=True).encode())

    def finish(self, flow: dict[str, Any]) -> None:
        """Close the digest."""
        self.flow = flow
        self._seen.update(json.dumps([self.rows, self.screened, self.enrolled, self.known, sorted(self.events.items()), flow]).encode())
        self.plan = self._seen.hexdigest()

    @property
    def written(self) -> int:
        """How many lines, cells and events it wrote."""
        cells = sum(self.counts[verdict] for verdict in (Verdict.NEW, Verdict.CHANGED, Verdict.BLANKED))
        return self.screened + cells + sum(self.events.values())

    def counted(self) -> dict[str, Any]:
        """The counts."""
        return {
            "rows": self.rows,
            "screened": self.screened,
            "enrolled": self.enrolled,
            "known": self.known,
            "cells": {verdict.value: self.counts[verdict.value] for verdict in Verdict},
            "events": dict(sorted(self.events.items())),
        }

    def as_json(self) -> dict[str, Any]:
        """The report for a program."""
        return {**self.counted(), "rejected": [cell.as_json() for cell in self.rejected], "flow": self.flow, "plan": self.plan}
