"""What each participant was exposed to over time, in the (start, stop] layout of counting processes. Pure.

Source: Andersen & Gill 1982 as in Therneau & Grambsch 2000, §3.7: a stretch ends where the exposure changes, and only what began before a
day counts on that day. An exposure, once begun, lasts (ever treated so far); for Cox regression with time-dependent treatment, which
needs no landmark and has no immortal time (F3).
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

FILE = "exposure.csv"
COMPONENTS = ("tace", "systemic", "other")
MEANINGS = {
    "patient": "study number, as in cut.csv",
    "center": "code of the center",
    "start": "day after resection on which the stretch begins; the day itself belongs to the stretch before",
    "stop": "its last day",
    "event": "1 recurrence or death on the last day, 0 none",
    "tace": "1 from the day after the first adjuvant TACE",
    "systemic": "1 from the day after the first adjuvant TKI, anti-VEGF antibody or checkpoint inhibitor",
    "other": "1 from the day after the first other adjuvant treatment against the tumour",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days (start, stop] after resection during which the exposure stayed the same."""

    start: int
    stop: int
    event: int
    tace: int
    systemic: int
    other: int


def stretches(begun: Iterable[tuple[int, str]], *, time: int, event: bool) -> Iterator[Stretch]:
    """The stretches of one participant up to recurrence, death or censoring at `time`; none of who was never followed (time 0).

    `begun`: first days and components of `COMPONENTS`; what begins on the last day, or later, exposes to nothing that is counted.
    """
    first: dict[str, int] = {}
    for day, component in sorted(begun):
        first.setdefault(component, max(day, 0))
    bounds = sorted({0, *(day for day in first.values() if day < time)})
    for start, stop in zip(bounds, [*bounds[1:], time], strict=True):
        if start < stop:
            exposed = {name: int(first.get(name, time) <= start) for name in COMPONENTS}
            yield Stretch(start, stop, int(event and stop == time), **exposed)


def table(people: Iterable[tuple[str, str, Iterable[Stretch]]]) -> bytes:
    """The CSV of everybody's stretches, by study number and center."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    names = [each.name for each in fields(Stretch)]
    writer.writerow(("patient", "center", *names))
    for patient, center, rows in people:
        writer.writerows((patient, center, *(getattr(row, name) for name in names)) for row in rows)
    return written.getvalue().encode()
