"""The pooled numbers of a cut, and what its columns mean: what travels beside the table, so that anybody can check it (AN-00).

Pure: text of `cut.csv` in, names and values out. Nothing here is split by treatment, recommendation or agreement.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analysis.competing import cumulative_incidence
from analysis.kaplan_meier import kaplan_meier, reverse_kaplan_meier
from analysis.reading import LastWindow, until_closed

MEANINGS = {
    "patient": "study number",
    "center": "code of the center",
    "surgery_date": "day of resection, day 0; ISO 8601",
    "strategy": "strategy given within the window: SURG, TACE, SYS, TACE_SYS; empty where none counts",
    "strategy_rule": "version of the rule that derived the strategy",
    "rfs_time": "days from resection to recurrence, death or censoring",
    "rfs_event": "1 recurrence or death, 0 censored",
    "rfs_reason": "why the time ends: RECURRENCE, DEATH, LAST_ADEQUATE_ASSESSMENT, NO_ASSESSMENT",
    "os_time": "days from resection to death or the last day known alive",
    "os_event": "1 death, 0 censored",
    "recurrence_time": "days from resection to recurrence, death without it, or censoring",
    "recurrence_cause": "0 censored, 1 recurrence, 2 death without recurrence",
    "window_closed": "day on which treatment was stated to be completely recorded; ISO 8601",
    "site_reason": "why no strategy counts; empty where one does",
    "known_on": "first day on which the treatment was or may have been known; ISO 8601",
    "zone": "time zone of the dates",
    "time": "as rfs_time",
    "event": "as rfs_event",
}
"""The columns that cuts have in common; others are confounders of the protocol and inputs of models, named by their codes."""


def dictionary(columns: Sequence[str], beside: Mapping[str, Mapping[str, str]]) -> bytes:
    """One row per column of the table: name, meaning; then those of the files beside it, with the name of the file before the column's."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("column", "meaning"))
    writer.writerows((name, MEANINGS.get(name, "confounder of the protocol or input of a model, by its code")) for name in columns)
    writer.writerows((f"{file}: {name}", meaning) for file, meanings in beside.items() for name, meaning in meanings.items())
    return written.getvalue().encode()


def numbers(table: bytes, days: Sequence[int], window: LastWindow | None = None) -> dict[str, float]:
    """Name → value as `cut.R` prints them: curves at the days that the data reach, medians, incidence by cause; NaN is not estimable.

    Curves and incidence of what checks detect are read to the end of the last planned `window` (`analysis.reading`).
    """
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    found = {"patients": float(len(rows))}
    if not rows:
        return found
    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name in _NUMERIC}
    found |= {f"{name}.events": float(column[f"{name}_event"].sum()) for name in ("rfs", "os")}
    read = {name: until_closed(column[f"{name}_time"], column[ended], window) for name, ended in _DETECTED.items()}
    found |= dict(_curve("rfs", read["rfs"], column["rfs_event"], days)) | dict(_curve("os", column["os_time"], column["os_event"], days))
    found["follow_up.median"] = reverse_kaplan_meier(column["rfs_time"], column["rfs_event"]).median()
    if column["recurrence_cause"].any():
        found |= dict(_incidence(read["recurrence"], column["recurrence_cause"], days))
    return found


_DETECTED = {"rfs": "rfs_event", "recurrence": "recurrence_cause"}
_NUMERIC = ("rfs_time", "rfs_event", "os_time", "os_event", "recurrence_time", "recurrence_cause")


def _curve(name: str, time: np.ndarray, event: np.ndarray, days: Sequence[int]) -> Iterator[tuple[str, float]]:
    curve = kaplan_meier(time, event)
    yield f"{name}.median", curve.median()
    for day in days:
        if day <= time.max():
            read = curve.at(day)
            limits = read.interval("log-log")
            yield f"{name}.survival.{day}", float(read.survival[0])
            yield f"{name}.error.{day}", float(read.standard_error[0])
            yield f"{name}.lower.{day}", float(limits.lower[0])
            yield f"{name}.upper.{day}", float(limits.upper[0])


def _incidence(time: np.ndarray, cause: np.ndarray, days: Sequence[int]) -> Iterator[tuple[str, float]]:
    for day in days:
        if day <= time.max():
            for of in (1, 2):
                value, error = cumulative_incidence(time, cause, of).at(day)
                yield f"incidence.{of}.{day}", float(value[0])
                yield f"incidence.{of}.error.{day}", float(error[0])
