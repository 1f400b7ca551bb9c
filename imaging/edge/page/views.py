"""What waits here, and who is who."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from imaging.edge import approvals, clock, links, operations, study_number
from imaging.edge import quarantine as held
from imaging.edge.links import LinkFault
from imaging.edge.operating_list import plain
from imaging.edge.page import app, faults
from imaging.edge.page.app import Answer
from imaging.edge.words import Sentence

pages = Blueprint("pages", __name__)
RECEIPTS = 8
MOST_LINKS = 100


@pages.get("/")
def overview() -> Answer:
    """What needs me, and is the rest on its way? Counts only."""
    _, counts = app.parts().report()
    connection = app.database()
    packages = connection.execute(
        "SELECT seq, state, reason, made_at, ended_at FROM package ORDER BY seq DESC LIMIT ?", (RECEIPTS,)
    ).fetchall()
    linked = connection.execute("SELECT count(*) FROM link WHERE unlinked_at IS NULL").fetchone()[0]
    return render_template(
        "overview.html",
        counts=counts,
        operations=operations.counts(connection),
        packages=packages,
        links=linked,
        outbox=sum(number for state, number in counts["outbox"].items() if state != "refused"),
        quarantine=sorted(counts["quarantine"].items(), key=lambda item: -item[1]),
        sentence=held.sentence,
        explained=faults.explained,
        approval=approvals.current(connection, app.parts().home.settings, on=clock.now().astimezone().date()),
        moment=moment,
        gigabytes=gigabytes,
    )


@pages.get("/links")
def link_table() -> Answer:
    """Who is who."""
    return _links()


@pages.post("/links")
def link_made() -> Answer:
    given: dict[str, Any] = {name: request.form.get(name, "")[:200] for name in ("number", "local_id", "issuer", "kind", "name")}
    try:
        number = links.link(app.database(), center=app.center(), by=app.by(), at=clock.now(), **given)
    except LinkFault as fault:
        return _links(given, fault.sentence), int(HTTPStatus.BAD_REQUEST)
    app.told("{number} is linked to {local_id}.", number=number, local_id=links.local(given["local_id"]))
    return redirect(url_for("pages.link_table"))


@pages.post("/links/end")
def link_ended() -> Answer:
    local_id, issuer = request.form.get("local_id", ""), request.form.get("issuer", "")
    try:
        number = links.unlink(app.database(), center=app.center(), local_id=local_id, issuer=issuer, by=app.by(), at=clock.now())
    except LinkFault as fault:
        return _links(None, fault.sentence), int(HTTPStatus.BAD_REQUEST)
    app.told("The link of {local_id} to {number} has ended.", number=number, local_id=local_id)
    return redirect(url_for("pages.link_table"))


def _links(given: dict[str, Any] | None = None, error: Sentence | None = None) -> str:
    text = request.args.get("q", "")[:64]
    connection = app.database()
    found = links.found(connection, text=plain(text), limit=MOST_LINKS + 1)
    start = {"number": "", "local_id": request.args.get("local_id", "")[:64], "issuer": "", "kind": "imaging", "name": ""}
    if start["local_id"]:
        start |= {"kind": "admission", "name": operations.name_of(connection, start["local_id"])}
    return render_template(
        "links.html",
        rows=found[:MOST_LINKS],
        more=len(found) > MOST_LINKS,
        q=text,
        given=given or start,
        error=error,
        kinds=links.KINDS,
        waiting=links.waiting(connection),
        moment=moment,
        example=study_number.make(app.center(), 7),
    )


def moment(text: str | None) -> str:
    """An instant of the state (UTC) in this machine's local time, to the minute."""
    if not text:
        return ""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def received(at: float) -> str:
    """Seconds since 1970 in this machine's local time, to the minute."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def stamp(text: str) -> str:
    """An instant of the association history in this machine's local time, to the second."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def day(text: str) -> str:
    """A date as DICOM writes it, `20260301`, as people read it; another text as it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == len("20260301") and text.isdigit() else text


def amount(size: int) -> str:
    """Bytes in the unit that suits them."""
    for unit, step in (("GB", 2**30), ("MB", 2**20)):
        if size >= step:
            return f"{size / step:,.1f} {unit}"
    return f"{size / 2**10:,.0f} KB"


def gigabytes(size: int) -> str:
    """Bytes as gigabytes."""
    return f"{size / 2**30:,.1f} GB"
