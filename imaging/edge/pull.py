"""Images of a list of patients, fetched from the PACS: C-FIND by patient number, then C-MOVE series by series to our own listener.

For the retrospective cohort, at night and no faster than the hospital allows. What was fetched is written down at once, so that a run that
was broken off goes on with the next series; every row of the list gets its own result.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from datetime import time as clock_time
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, sop_class
from pynetdicom.association import Association

from imaging.edge import envelope, links, nodes, state
from imaging.edge.dicom.commands import UID
from imaging.edge.nodes import Node
from imaging.edge.operating_list import plain
from imaging.edge.sheet import Table

HEADINGS = {
    "local_id": ("hospital number", "local id", "patient id", "imaging number", "住院号", "影像号", "检查号", "病案号",
                 "患者编号", "登记号"),
    "since": ("from", "since", "first day", "起始日期", "开始日期"),
    "until": ("to", "until", "last day", "截止日期", "结束日期"),
}  # fmt: skip
ANSWER_SECONDS = 600
OUTLINES = ("SEG", "RTSTRUCT")
PENDING = (0xFF00, 0xFF01)
FIND = sop_class.StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]
MOVE = sop_class.StudyRootQueryRetrieveInformationModelMove  # type: ignore[attr-defined]
_WILD = re.compile(r"[*?\\]")


class PullFault(Exception):
    """The list or the PACS cannot be used as asked; the sentence says what to do."""


@dataclass(frozen=True)
class Asked:
    """Whom to ask, as whom, and how gently: `modalities` empty means every one, `per_minute` 0 means no cap."""

    node: Node
    called: str
    ours: str
    modalities: tuple[str, ...] = ()
    per_minute: int = 0
    window: tuple[clock_time, clock_time] | None = None


@dataclass(frozen=True)
class Study:
    """A study that the PACS has."""

    uid: str


def enter(connection: sqlite3.Connection, table: Table, *, by: str, at: datetime) -> int:
    """Take in the rows of a list with headings; rows that were entered before stay as they are. How many are new."""
    known = {_bare(word): column for column, words in HEADINGS.items() for word in words}
    columns = [known.get(_bare(heading), "") for heading in table[0]]
    if "local_id" not in columns:
        raise PullFault("The first row must name the columns; one holds the hospital number.")
    new = 0
    with state.change(connection):
        for place, row in enumerate(table[1:], start=1):
            said = dict(zip(columns, row, strict=True))
            local_id = links.local(said.get("local_id", ""))
            if not local_id or _WILD.search(local_id):
                raise PullFault(f"Row {place} has no hospital number, or one with a wildcard.")
            days = [_day(said.get(name, ""), place) for name in ("since", "until")]
            insert = "INSERT OR IGNORE INTO pull (local_id, since, until, by, at) VALUES (?, ?, ?, ?, ?)"
            new += connection.execute(insert, (local_id, *days, by, envelope.instant(at))).rowcount
    return new


def run(
    connection: sqlite3.Connection, asked: Asked, *, now: Callable[[], datetime], wait: Callable[[float], None] = time.sleep
) -> Iterator[sqlite3.Row]:
    """Fetch for every row that is not done; yields each row as it ends. Raises PullFault when the PACS cannot be reached."""
    nodes.quiet()
    rows = connection.execute("SELECT * FROM pull WHERE state IN ('waiting', 'failed') ORDER BY id").fetchall()
    for row in rows:
        counted = {"studies": 0, "images": 0, "failed": 0}
        until_open(asked.window, now, wait)
        for study in _found(asked, row):
            counted["studies"] += 1
            if not _has(connection, "pulled", study.uid):
                _fetch(connection, asked, study, counted, now=now, wait=wait)
        yield _ended(connection, row["id"], counted, now())


def _fetch(
    connection: sqlite3.Connection,
    asked: Asked,
    study: Study,
    counted: dict[str, int],
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], None],
) -> None:
    """Have every wanted series of a study sent, in the window and at the pace that was asked for."""
    images = failed = 0
    for series in _series(asked, study):
        if series and _has(connection, "pulled_series", series):
            continue
        until_open(asked.window, now, wait)
        moved, lacking = _moved(asked, study.uid, series)
        images, failed = images + moved, failed + lacking
        counted["images"] += moved
        counted["failed"] += lacking
        if series and not lacking:
            _note(connection, "pulled_series", series, moved, now())
        if asked.per_minute and moved:
            wait(60 * moved / asked.per_minute)
    if not failed:
        _note(connection, "pulled", study.uid, images, now())


def until_open(window: tuple[clock_time, clock_time] | None, now: Callable[[], datetime], wait: Callable[[float], None]) -> None:
    """Wait until this machine's clock stands in the window (which may go over midnight)."""
    while window is not None and not is_open(window, now().astimezone().time()):
        wait(60)


def is_open(window: tuple[clock_time, clock_time], at: clock_time) -> bool:
    """Whether a time of day lies in a window; its end does not."""
    first, last = window
    return first <= at < last if first <= last else at >= first or at < last


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", plain(text).lower())


def _day(text: str, place: int) -> str:
    digits = re.sub(r"[-/.年月日\s]", "", plain(text))
    if digits and not re.fullmatch(r"\d{8}", digits, re.ASCII):
        raise PullFault(f"The date in row {place} is not understood; write it like 2026-03-02.")
    return digits


def _associated(asked: Asked) -> Association:
    ae = AE(ae_title=asked.ours)
    ae.connection_timeout = ae.acse_timeout = nodes.SECONDS
    ae.dimse_timeout = ae.network_timeout = ANSWER_SECONDS
    ae.add_requested_context(FIND)
    ae.add_requested_context(MOVE)
    association = ae.associate(asked.node.host, asked.node.port, ae_title=asked.called) if nodes.reachable(asked.node) else None
    if association is None or not association.is_established:
        raise PullFault(f"{asked.called} does not let {asked.ours} in, or nobody answers: edge peer echo {asked.called}.")
    return association


def _found(asked: Asked, row: sqlite3.Row) -> list[Study]:
    """The studies of one patient number in the row's days that have a wanted modality."""
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "STUDY", row["local_id"]
    query.StudyDate = f"{row['since']}-{row['until']}" if row["since"] or row["until"] else ""
    query.StudyInstanceUID = query.ModalitiesInStudy = ""
    answers, status = _answers(asked, query)
    if status != 0:
        raise PullFault(f"{asked.called} did not answer the question for a patient's studies.")
    return [study for answer in answers if (study := _study(answer, row["local_id"], asked.modalities))]


def _series(asked: Asked, study: Study) -> list[str]:
    """The series of a study that have a wanted modality, and outlines; one empty name, for all, where the PACS does not tell them apart."""
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "SERIES", study.uid
    query.SeriesInstanceUID = query.Modality = ""
    answers, status = _answers(asked, query)
    known = {str(answer.get("SeriesInstanceUID", "")): str(answer.get("Modality", "")) for answer in answers}
    if status != 0 or not known or not all(UID.fullmatch(uid) for uid in known):
        return [""]
    wanted = {"", *asked.modalities, *OUTLINES}
    return sorted(uid for uid, kind in known.items() if not asked.modalities or kind in wanted)


def _answers(asked: Asked, query: Dataset) -> tuple[list[Dataset], int]:
    """What the PACS finds, and the status that it ends with (-1 when it breaks off)."""
    association, found, last = _associated(asked), [], -1
    try:
        for status, answer in association.send_c_find(query, FIND):
            last = status.get("Status", -1)
            found += [answer] if last in PENDING and answer is not None else []
    finally:
        association.release()
    return found, last


def _study(answer: Dataset, local_id: str, modalities: tuple[str, ...]) -> Study | None:
    """A study of exactly this patient; a PACS that answers more generously is not followed."""
    uid, has = str(answer.get("StudyInstanceUID", "")), answer.get("ModalitiesInStudy") or []
    kinds = {has} if isinstance(has, str) else {str(kind) for kind in has}
    other = links.local(str(answer.get("PatientID", local_id))) != local_id
    if not UID.fullmatch(uid) or other or (modalities and kinds and not kinds & set(modalities)):
        return None
    return Study(uid)


def _moved(asked: Asked, study: str, series: str) -> tuple[int, int]:
    """How many images the PACS says it sent, and how many it could not (1 when it refused them as a whole)."""
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "SERIES" if series else "STUDY", study
    if series:
        query.SeriesInstanceUID = series
    association, last = _associated(asked), Dataset()
    try:
        for status, _ in association.send_c_move(query, asked.ours, MOVE):
            last = status or last
    finally:
        association.release()
    moved, failed = _number(last, "NumberOfCompletedSuboperations"), _number(last, "NumberOfFailedSuboperations")
    return moved, failed if last.get("Status") == 0 else max(failed, 1)


def _number(status: Any, name: str) -> int:
    value = status.get(name)
    return int(value) if value is not None else 0


def _has(connection: sqlite3.Connection, table: str, uid: str) -> bool:
    name = "series_uid" if table == "pulled_series" else "study_uid"
    return connection.execute(f"SELECT 1 FROM {table} WHERE {name} = ?", (uid,)).fetchone() is not None  # noqa: S608 - two fixed names


def _note(connection: sqlite3.Connection, table: str, uid: str, images: int, at: datetime) -> None:
    with state.change(connection):
        connection.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (uid, images, envelope.instant(at)))  # noqa: S608


def _ended(connection: sqlite3.Connection, row: int, counted: dict[str, int], at: datetime) -> sqlite3.Row:
    became = "failed" if counted["failed"] else "done" if counted["studies"] else "nothing"
    with state.change(connection):
        connection.execute(
            "UPDATE pull SET state = ?, studies = ?, images = images + ?, failed = ?, ended_at = ? WHERE id = ?",
            (became, counted["studies"], counted["images"], counted["failed"], envelope.instant(at), row),
        )
    ended: sqlite3.Row = connection.execute("SELECT * FROM pull WHERE id = ?", (row,)).fetchone()
    return ended
