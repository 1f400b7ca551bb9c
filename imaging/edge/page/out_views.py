"""What leaves: packages and their receipts, the register of releases, disks, and the approvals under which it happens."""

import csv
import io
from http import HTTPStatus
from pathlib import Path

from flask import Blueprint, Response, redirect, render_template, request, url_for

from imaging.edge import approvals, carriage, clock, repacking
from imaging.edge.approvals import ApprovalFault
from imaging.edge.carriage import CarriageFault
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.page.views import amount, moment
from imaging.edge.words import Sentence

pages = Blueprint("out", __name__)
COLUMNS = ("seq", "id", "study_number", "approval", "images", "series", "modalities", "size", "made_at", "state", "reason", "ended_at")
MOST_REGISTER = 1_000_000


@pages.get("/packages")
def packages() -> Answer:
    """What left, and what the platform answered."""
    return _packages()


@pages.post("/packages/disk")
def put_out() -> Answer:
    """Copy what waits to a disk."""
    directory, connection = request.form.get("directory", "").strip()[:500], app.database()
    try:
        done = carriage.put_out(app.parts().home, connection, Path(directory or "."), by=app.by(), at=clock.now())
    except CarriageFault as fault:
        return _packages(Sentence(str(fault)), directory), int(HTTPStatus.BAD_REQUEST)
    new = sum(one.became == "put out" for one in done)
    app.told("Put on the disk: {new}. There already: {old}. Take it to the platform.", new=new, old=len(done) - new)
    return redirect(url_for("out.packages", directory=directory))


@pages.post("/packages/receipts")
def take_back() -> Answer:
    """Do what the receipts on a disk say."""
    directory, connection = request.form.get("directory", "").strip()[:500], app.database()
    try:
        done = carriage.take_back(app.parts().home, connection, Path(directory or "."), by=app.by(), at=clock.now())
    except CarriageFault as fault:
        return _packages(Sentence(str(fault)), directory), int(HTTPStatus.BAD_REQUEST)
    counted = {name: sum(one.became == name for one in done) for name in ("archived", "stored", "refused", "not believed")}
    text = "Receipts read: archived {archived}, stored {stored}, refused {refused}, not believed {doubtful}."
    app.told(text, doubtful=counted.pop("not believed"), **counted)
    return redirect(url_for("out.packages", directory=directory))


@pages.post("/packages/<int:seq>/again")
def packed_again(seq: int) -> Answer:
    """Let the images of a package that the platform refused leave in a new one."""
    try:
        count = repacking.again(app.parts().home, app.database(), seq, why=request.form.get("why", ""), by=app.by(), at=clock.now())
    except repacking.NotPossible as refusal:
        return _packages(refusal.sentence), int(HTTPStatus.CONFLICT)
    app.told("The {count} images of package {seq} leave in a new one.", count=count, seq=seq)
    return redirect(url_for("out.packages"))


@pages.get("/packages/register.csv")
def register() -> Answer:
    """The whole register as a file, for the hospital's data office; UTF-8 with a mark, as Excel reads it."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([*COLUMNS, "way"])
    for row in approvals.register(app.database(), before=None, limit=MOST_REGISTER):
        table.writerow([*(row[name] for name in COLUMNS), "disk" if row["carried"] else "network"])
    name = f"register-{app.center()}.csv"
    return Response(
        out.getvalue().encode("utf-8-sig"), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@pages.get("/approvals")
def listed() -> Answer:
    """Under which approval images leave, and since when."""
    return _approvals()


@pages.post("/approvals")
def added() -> Answer:
    """Enter an approval."""
    given = {name: request.form.get(name, "").strip()[:200] for name in ("number", "valid_from", "valid_until")}
    try:
        approvals.add(app.database(), by=app.by(), at=clock.now(), **given)
    except ApprovalFault as fault:
        return _approvals(fault.sentence, given), int(HTTPStatus.BAD_REQUEST)
    app.told("Approval {number} is entered.", number=given["number"])
    return redirect(url_for("out.listed"))


@pages.post("/approvals/<int:approval>/end")
def ended(approval: int) -> Answer:
    """Say that an approval no longer holds."""
    try:
        approvals.end(app.database(), approval=approval, why=request.form.get("why", ""), by=app.by(), at=clock.now())
    except ApprovalFault as fault:
        return _approvals(fault.sentence), int(HTTPStatus.CONFLICT)
    app.told("The approval has ended; nothing leaves under it any more.")
    return redirect(url_for("out.listed"))


def _packages(error: Sentence | None = None, directory: str = "") -> str:
    before = request.args.get("before", type=int)
    found = approvals.register(app.database(), before=before, limit=approvals.PAGE_ROWS + 1)
    shown = found[: approvals.PAGE_ROWS]
    waiting = app.database().execute("SELECT count(*) FROM package WHERE state IN ('sealed', 'stored')").fetchone()[0]
    return render_template(
        "packages.html",
        rows=shown,
        earlier=shown[-1]["seq"] if len(found) > len(shown) else None,
        waiting=waiting,
        directory=directory or request.args.get("directory", "")[:500],
        error=error,
        moment=moment,
        size=amount,
        folder=app.parts().home.settings.get("exchange_folder", ""),
    )


def _approvals(error: Sentence | None = None, given: dict[str, str] | None = None) -> str:
    connection, settings = app.database(), app.parts().home.settings
    today = clock.now().astimezone().date()
    return render_template(
        "approvals.html",
        rows=approvals.listed(connection),
        now=approvals.current(connection, settings, on=today),
        today=today.isoformat(),
        given=given or {"valid_from": today.isoformat()},
        error=error,
        moment=moment,
    )
