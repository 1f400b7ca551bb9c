"""Studies that a person must look at: those that match no link, and those in quarantine."""

from http import HTTPStatus

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from imaging.edge import clock, links, quarantine, study_number
from imaging.edge.links import LinkFault
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.page.views import day, moment, received
from imaging.edge.preview import NotDrawable
from imaging.edge.quarantine import Group, NotPossible
from imaging.edge.words import Sentence

pages = Blueprint("studies", __name__)
MOST_STUDIES = 100
MOST_PICTURES, MOST_FRAMES = 24, 9


@pages.get("/waiting")
def waiting() -> Answer:
    """The studies without a study number, with the names that help to find it."""
    return _waiting()


@pages.post("/waiting")
def assigned() -> Answer:
    """Link one study's patient number; every image that carries it leaves by itself."""
    given = {name: request.form.get(name, "")[:200] for name in ("number", "local_id", "issuer", "name")}
    try:
        number = links.link(app.database(), center=app.center(), kind="imaging", by=app.by(), at=clock.now(), **given)
    except LinkFault as fault:
        return _waiting(fault.sentence, given), int(HTTPStatus.BAD_REQUEST)
    app.told("{number} is linked to {local_id}.", number=number, local_id=links.local(given["local_id"]))
    return redirect(url_for("studies.waiting"))


@pages.get("/quarantine")
def held() -> Answer:
    """What is held and why; or, asked for, what was rejected."""
    return _held()


@pages.post("/quarantine")
def decided() -> Answer:
    """Release or reject the images of one study that are held for one reason."""
    group = Group(*(request.form.get(name, "")[:200] for name in ("study_uid", "issuer", "local_id", "reason")))
    why, release = request.form.get("why", ""), request.form.get("what") == "release"
    connection, by, now = app.database(), app.by(), clock.now()
    try:
        if release:
            count = quarantine.release(connection, group, why=why, by=by, at=now)
        else:
            count = quarantine.reject(connection, group, why=why, by=by, at=now)
    except NotPossible as refusal:
        return _held(refusal.sentence, group, why), int(HTTPStatus.CONFLICT)
    app.told(
        "Released: {count}. They go their normal way." if release else "Rejected: {count}. They stay here until the policy.", count=count
    )
    return redirect(url_for("studies.held"))


@pages.get("/quarantine/look/<name>")
def looked_at(name: str) -> Answer:
    """The pictures of one group of held images, named by one of them: the address says nothing of a person."""
    home, connection, start = app.parts().home, app.database(), max(request.args.get("from", default=0, type=int), 0)
    group = quarantine.group_of(connection, name)
    if group is None:
        abort(HTTPStatus.NOT_FOUND)
    names = quarantine.names(connection, group)
    shown = names[start : start + MOST_PICTURES]
    counts = app.parts().drawer.frames([home.quarantine / one for one in shown])
    return render_template(
        "look.html",
        name=name,
        group=group,
        total=len(names),
        start=start,
        further=start + MOST_PICTURES if len(names) > start + MOST_PICTURES else None,
        pictures=[(one, start + place + 1, count, _frames(count)) for place, (one, count) in enumerate(zip(shown, counts, strict=True))],
        sentence=quarantine.sentence,
    )


@pages.get("/quarantine/picture/<name>/<int:frame>.png")
def picture(name: str, frame: int) -> Answer:
    """One frame of a held image; 404 where nothing of that name is held, or it cannot be drawn."""
    if quarantine.group_of(app.database(), name) is None:
        abort(HTTPStatus.NOT_FOUND)
    try:
        return Response(app.parts().drawer.picture(app.parts().home.quarantine / name, frame), mimetype="image/png")
    except NotDrawable:
        abort(HTTPStatus.NOT_FOUND)


def _frames(count: int) -> list[int]:
    """Which frames of an image are shown: all of a few, else evenly spread ones with the first and the last."""
    if count <= MOST_FRAMES:
        return list(range(count))
    return sorted({round(place * (count - 1) / (MOST_FRAMES - 1)) for place in range(MOST_FRAMES)})


def _waiting(error: Sentence | None = None, given: dict[str, str] | None = None) -> str:
    connection = app.database()
    found = links.unmatched(connection, limit=MOST_STUDIES + 1)
    return render_template(
        "waiting.html",
        rows=[(row, links.suggested(connection, person=row["person"])) for row in found[:MOST_STUDIES]],
        more=len(found) > MOST_STUDIES,
        error=error,
        given=given or {},
        example=study_number.make(app.center(), 7),
        received=received,
        day=day,
    )


def _held(error: Sentence | None = None, group: Group | None = None, why: str = "") -> str:
    rejected = request.args.get("rejected") == "1"
    found = quarantine.listed(app.database(), rejected=rejected, limit=MOST_STUDIES + 1)
    return render_template(
        "quarantine.html",
        rows=found[:MOST_STUDIES],
        more=len(found) > MOST_STUDIES,
        rejected=rejected,
        error=error,
        chosen=group,
        why=why,
        again=quarantine.AGAIN,
        sentence=quarantine.sentence,
        days=app.parts().home.settings.get("rejected_days", quarantine.REJECTED_DAYS),
        received=received,
        moment=moment,
        day=day,
    )
