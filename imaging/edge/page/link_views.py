"""Links from a file: read it, see what linking each row would do, then link all that are new."""

from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, url_for

from imaging.edge import clock, link_list, sheet
from imaging.edge.links import LinkFault
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.sheet import SheetFault, Table
from imaging.edge.words import Sentence

pages = Blueprint("link_files", __name__, url_prefix="/links/file")


@pages.get("")
def form() -> Answer:
    """Where the file is chosen or the cells are pasted."""
    return render_template("link_file.html", rows=None, text="", counts={})


@pages.post("")
def tried() -> Answer:
    """Every row with what linking it would do; nothing is linked."""
    upload, text = request.files.get("file"), request.form.get("text", "")
    try:
        if upload is not None and upload.filename:
            table = sheet.read_file(upload.stream.read(sheet.MOST_BYTES + 1))
        else:
            table = sheet.read_text(text)
        rows = link_list.dry_run(app.database(), table, center=app.center(), by=app.by(), at=clock.now())
    except (SheetFault, LinkFault) as fault:
        return _refused(fault.sentence, text)
    counts = {kind: sum(row.kind == kind for row in rows) for kind in ("new", "known", "faulty")}
    return render_template("link_file.html", rows=rows, text=sheet.as_text(table), counts=counts)


@pages.post("/take")
def taken() -> Answer:
    """Link the new rows."""
    text = request.form.get("text", "")
    try:
        table: Table = sheet.read_text(text)
        kinds = link_list.take_in(app.database(), table, center=app.center(), by=app.by(), at=clock.now())
    except (SheetFault, LinkFault) as fault:
        return _refused(fault.sentence, text)
    app.told(
        "Linked: {new}. Known before: {known}. Left out as faulty: {faulty}.", **{kind: kinds[kind] for kind in ("new", "known", "faulty")}
    )
    return redirect(url_for("pages.link_table"))


def _refused(sentence: Sentence, text: str) -> tuple[str, int]:
    return render_template("link_file.html", rows=None, text=text, counts={}, error=sentence), int(HTTPStatus.BAD_REQUEST)
