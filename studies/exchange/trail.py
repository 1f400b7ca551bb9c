"""The trail of exported values: which event of a row's history gave each value, who made it, when and why (peers D1, AU-03)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from studies.exchange.parts import Part
from studies.models import Study
from studies.values import Value


@dataclass(frozen=True, slots=True)
class Change:
    """One value at one event: what it became (None: taken away), by whom, when, by which action and for which reason."""

    code: str
    value: Value | None
    by: str
    at: datetime
    action: str
    reason: str


def people(part: Part, study: Study) -> set[str]:
    """The user names in the trail of a part of a study; one query."""
    events = part.model.pgh_event_model.objects.filter(**{f"pgh_obj__{part.study}": study})  # type: ignore[attr-defined]
    return {name for name in events.order_by().values_list("pgh_context__by", flat=True).distinct() if name}


def changes(part: Part, rows: Iterable[int]) -> dict[int, list[Change]]:
    """{key of the row: every change of every value, oldest first}; one query."""
    events = part.model.pgh_event_model.objects.filter(pgh_obj_id__in=list(rows)).order_by("pgh_obj_id", "pgh_id")  # type: ignore[attr-defined]
    found: dict[int, list[Change]] = defaultdict(list)
    before: dict[str, Value] = {}
    last = None
    for event in events.iterator(2000):
        if event.pgh_obj_id != last:
            before, last = {}, event.pgh_obj_id
        now = {} if event.pgh_label == "delete" else part.say(event)
        context = event.pgh_context or {}
        for code in sorted(before.keys() | now.keys()):
            if before.get(code) != now.get(code):
                found[last].append(
                    Change(
                        code,
                        now.get(code),
                        context.get("by", ""),
                        event.pgh_created_at,
                        context.get("action", ""),
                        context.get("reason", ""),
                    )
                )
        before = now
    return found
