"""The operating list: paste or upload, see which rows are new, take them in, read their numbers."""

from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from imaging.edge import clock, operating_list, operations, sheet
from imaging.edge.operating_list import COLUMNS, WESTMOST, Line
from imaging.edge.operations import NotNow
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.row_token import row_key
from imaging.edge.sheet import SheetFault, Table
from imaging.edge.words import Sentence

pages = Blueprint("lists", __name__, url_prefix="/list")
NAMES = {
    "local_id": "Hospital number", "surgery_date": "Date of surgery", "name": "Name", "sex": "Sex", "age": "Age",
    "birth_date": "Birth date", "procedure": "Procedure", "diagnosis": "Diagnosis",
}  # fmt: skip
REFUSALS = {
    "differs": "the platform knows this operation with another date, age or sex",
    "future": "the platform's calendar has not reached the date of surgery",
}
OTHERWISE = "the platform could not accept these values"
KINDS = ("new", "doubtful", "known", "differs", "repeated", "faulty")


@pages.get("")
def rows() -> Answer:
    """The rows as they are kept, with their numbers."""
    return _rows()


@pages.get("/state")
def state() -> Answer:
    """How far the sending is: the part of the page that is asked for again."""
    return render_template("_sending.html", **_sending())


@pages.post("/read")
def read() -> Answer:
    """What was pasted or uploaded, row by row, before anything is kept."""
    upload, text = request.files.get("file"), request.form.get("text", "")
    try:
        if upload is not None and upload.filename:
            table = sheet.read_file(upload.stream.read(sheet.MOST_BYTES + 1))
        elif text.strip():
            table = sheet.read_text(text)
        else:
            raise SheetFault("Paste the list or choose a file.")
    except SheetFault as fault:
        return _rows(text, fault.sentence), int(HTTPStatus.BAD_REQUEST)
    return _review(table, *_as_chosen(table))


@pages.post("/take")
def take() -> Answer:
    """Keep the chosen rows; those that are new go to the platform by themselves."""
    try:
        table = sheet.read_text(request.form.get("text", ""))
    except SheetFault as fault:
        return _rows("", fault.sentence), int(HTTPStatus.BAD_REQUEST)
    columns, headings = _as_chosen(table)
    if operating_list.missing(columns):
        return _review(table, columns, headings)
    chosen = {int(place) for place in request.form.getlist("take") if place.isascii() and place.isdigit()}
    lines = _lines(table, columns, headings)
    found = operations.take_in(app.database(), [line for line in lines if line.place in chosen], key=_key(), by=app.by(), at=clock.now())
    app.told(
        "Taken in: {new}. Held for you to decide: {held}. Known before: {known}. Left out: {left}.",
        new=found["new"], held=found["doubtful"], known=found["known"], left=len(lines) - found["new"] - found["doubtful"] - found["known"],
    )  # fmt: skip
    return redirect(url_for("lists.rows"))


@pages.post("/<int:row>/decide")
def decide(row: int) -> Answer:
    """Send a row that was held, or leave one out."""
    send = request.form.get("what") == "send"
    try:
        operations.decide(app.database(), row=row, send=send, by=app.by(), at=clock.now())
    except NotNow as refusal:
        return _rows("", refusal.sentence), int(HTTPStatus.CONFLICT)
    app.told("The row will be sent." if send else "The row is left out.")
    return redirect(url_for("lists.rows", state=request.form.get("state", "")))


def _rows(text: str = "", error: Sentence | None = None) -> str:
    state_, q, before = request.args.get("state", ""), request.args.get("q", "")[:64], request.args.get("before", type=int)
    counts = operations.counts(app.database())
    found = operations.listed(app.database(), center=app.center(), state_=state_, text=q, before=before)
    shown = found[: operations.PAGE_ROWS]
    return render_template(
        "list.html",
        rows=shown,
        before=shown[-1]["id"] if len(found) > len(shown) else None,
        first=before is None,
        q=q,
        state=state_ if state_ in operations.STATES else "",
        counts=counts,
        total=sum(number for name, number in counts.items() if name != "dropped"),
        states=operations.STATES,
        text=text,
        error=error,
        refusal=lambda code: REFUSALS.get(code, OTHERWISE),
        most=sheet.MOST_ROWS,
        **_sending(),
    )


def _sending() -> dict[str, Any]:
    waiting = operations.counts(app.database())["waiting"]
    return {"waiting": waiting, "fault": app.parts().report()[1].get("faults", {}).get("screening", "")}


def _review(table: Table, columns: list[str], headings: bool) -> str:
    lines = _lines(table, columns, headings)
    missing = operating_list.missing(columns)
    compared = [] if missing else operations.compare(app.database(), lines, _key())
    return render_template(
        "review.html",
        compared=compared,
        columns=columns,
        headings=headings,
        names=NAMES,
        known_columns=COLUMNS,
        missing=[app.say(NAMES[column]) for column in missing],
        titles=table[0] if headings else [""] * len(table[0]),
        samples=table[1:4] if headings else table[:3],
        counts={kind: sum(each.kind == kind for each in compared) for kind in KINDS},
        text=sheet.as_text(table),
    )


def _as_chosen(table: Table) -> tuple[list[str], bool]:
    """Which column is what and whether the first row holds headings: as chosen on the page, else as recognised."""
    if "columns" not in request.form:
        headings = operating_list.has_headings(table)
        return (operating_list.recognised(table[0]) if headings else [""] * len(table[0])), headings
    wished = [request.form.get(f"column{place}", "") for place in range(len(table[0]))]
    columns = [column if column in COLUMNS and column not in wished[:place] else "" for place, column in enumerate(wished)]
    return columns, request.form.get("headings") == "1"


def _lines(table: Table, columns: list[str], headings: bool) -> list[Line]:
    return operating_list.understand(table[1:] if headings else table, columns, _latest())


def _latest() -> date:
    """No surgery lies after the day it is anywhere; the platform compares with the study's own calendar."""
    return (clock.now() + WESTMOST).date()


def _key() -> bytes:
    return row_key(app.parts().home.center_key)
