"""What was done at this edge, by whom, when and why: a list that only grows."""

from flask import Blueprint, render_template, request

from imaging.edge import acts
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.page.views import moment

pages = Blueprint("acts", __name__)


@pages.get("/acts")
def listed() -> Answer:
    """The newest first."""
    found = acts.listed(app.database(), before=request.args.get("before", type=int))
    shown = found[: acts.PAGE_ROWS]
    earlier = shown[-1]["id"] if len(found) > len(shown) else None
    return render_template("acts.html", rows=shown, earlier=earlier, names=acts.NAMES, moment=moment)
