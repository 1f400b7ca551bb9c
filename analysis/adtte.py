"""The times of a cut in the layout that regulators know: ADTTE of CDISC's ADaM (implementation guide 1.3, time-to-event appendix). Pure.

One row per participant and endpoint; CNSR is 0 for an event and 1 or more for a censored time, the reverse of `event`.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

FILE = "adtte.csv"
COLUMNS = ("STUDYID", "USUBJID", "SITEID", "PARAMCD", "PARAM", "STARTDT", "ADT", "AVAL", "AVALU", "CNSR", "EVNTDESC", "CNSDTDSC")
_COMPETING = 2
PARAMETERS = {"RFS": "Recurrence-Free Survival (days)", "OS": "Overall Survival (days)", "TTR": "Time to Recurrence (days)"}
EVENTS = {"RECURRENCE": "Recurrence", "DEATH": "Death"}
CENSORED = {
    "LAST_ADEQUATE_ASSESSMENT": "Last adequate assessment free of disease",
    "NO_ASSESSMENT": "No assessment after surgery",
    "": "Last known alive",
}


def of_table(table: bytes, study: str) -> bytes:
    """`cut.csv` in, `adtte.csv` out: RFS, OS, and time to recurrence, in which CNSR 2 is a death without recurrence (EP-05)."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in csv.DictReader(io.StringIO(table.decode())):
        shared = {"STUDYID": study, "USUBJID": f"{study}-{row['patient']}", "SITEID": row["center"], "STARTDT": row["surgery_date"]}
        writer.writerows(shared | said for said in _endpoints(row))
    return written.getvalue().encode()


def _endpoints(row: Mapping[str, str]) -> Iterator[dict[str, str | int]]:
    reason, dead = row["rfs_reason"], row["os_event"] == "1"
    competing = {0: 1, 1: 0, _COMPETING: 2}[int(row["recurrence_cause"])]
    yield _timed(row, "rfs", "RFS") | _ended(1 - int(row["rfs_event"]), reason)
    yield _timed(row, "os", "OS") | _ended(int(not dead), "DEATH" if dead else "")
    yield _timed(row, "recurrence", "TTR") | _ended(competing, reason)


def _timed(row: Mapping[str, str], prefix: str, code: str) -> dict[str, str | int]:
    days = int(row[f"{prefix}_time"])
    on = date.fromisoformat(row["surgery_date"]) + timedelta(days=days)
    return {"PARAMCD": code, "PARAM": PARAMETERS[code], "ADT": on.isoformat(), "AVAL": days, "AVALU": "DAYS"}


def _ended(censored: int, reason: str) -> dict[str, str | int]:
    if censored == _COMPETING:
        return {"CNSR": censored, "EVNTDESC": "", "CNSDTDSC": "Death without recurrence"}
    return {"CNSR": censored, "EVNTDESC": "" if censored else EVENTS[reason], "CNSDTDSC": CENSORED.get(reason, reason) if censored else ""}
