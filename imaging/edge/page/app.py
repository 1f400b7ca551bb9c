"""The edge's page as a Flask application: who is signed in, which language, which headers; the pages themselves are in `views`.

It is plain HTML that works without scripts. Nothing is loaded from elsewhere, nothing is kept by the browser, and no value of a request
reaches the log: a fault is logged by its class.
"""

import logging
import mimetypes
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from imaging.edge import preview, state, words
from imaging.edge.home import Home
from imaging.edge.page import entry
from imaging.edge.sheet import MOST_BYTES

log = logging.getLogger(__name__)
Report = Callable[[], tuple[bool, dict[str, Any]]]
Answer = str | AnyResponse | tuple[str, int]
STATIC = Path(__file__).resolve().parents[3] / "prime_platform" / "static"
FILES = ("prime.css", "prime.js", "icons.svg", "favicon.svg")
OPEN = ("door.sign_in", "door.language", "door.file", "door.healthz", "door.status")
SIGNED_IN_HOURS = 8
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.FORBIDDEN: "The form was too old or came from elsewhere. Go back, reload the page and send it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "What was sent is too large: at most 5 MB.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here; nothing was stored. The log of this machine has the kind of fault.",
}

door = Blueprint("door", __name__)


@dataclass(frozen=True)
class Parts:
    """What the pages need: the edge's directory, its report, its door, and who draws pictures."""

    home: Home
    report: Report
    door: entry.Door
    drawer: preview.Drawer


def create(home: Home, report: Report) -> Flask:
    """The application of one edge; `report()` says whether the edge is healthy, and its counts."""
    from imaging.edge.page import (  # noqa: PLC0415 - their addresses hang on this module's helpers
        act_views,
        link_views,
        list_views,
        network_views,
        out_views,
        study_views,
        views,
    )

    app = Flask("prime-edge", root_path=str(Path(__file__).parent), static_folder=None)
    app.secret_key = entry.cookie_key(home)
    app.config.update(
        MAX_CONTENT_LENGTH=2 * MOST_BYTES,
        MAX_FORM_MEMORY_SIZE=2 * MOST_BYTES,
        SESSION_COOKIE_NAME="prime_edge",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=SIGNED_IN_HOURS),
        PROPAGATE_EXCEPTIONS=False,
    )
    app.extensions["prime"] = Parts(home, report, entry.Door(entry.passcode_of(home)), preview.Drawer())
    app.before_request(_guard)
    app.after_request(_headers)
    app.teardown_request(_close)
    app.context_processor(_context)
    app.register_error_handler(Exception, _refused)
    for module in (views, list_views, study_views, link_views, network_views, out_views, act_views):
        app.register_blueprint(module.pages)
    app.register_blueprint(door)
    return app


def parts() -> Parts:
    """The parts of the application that answers this request."""
    found: Parts = current_app.extensions["prime"]
    return found


def database() -> Any:
    """This request's connection to the edge's state."""
    if "connection" not in g:
        g.connection = state.connect(parts().home.database)
    return g.connection


def center() -> str:
    """The code of this edge's center."""
    return str(parts().home.settings["center"])


def by() -> str:
    """The initials of who is signed in."""
    return str(session["by"])


def language() -> str:
    """zh or en: what was chosen, else what the browser wishes, else Chinese."""
    chosen = request.cookies.get("prime_language", "")
    return chosen if chosen in words.LANGUAGES else (request.accept_languages.best_match(words.LANGUAGES) or "zh")


def say(text: str | words.Sentence, /, **values: object) -> str:
    """A text of the catalogue in the reader's language."""
    return text.say(language()) if isinstance(text, words.Sentence) else words.say(language(), text, **values)


def icon(name: str, tone: str = "") -> Markup:
    """One symbol of the sprite; decoration only, so a word always stands beside it."""
    css = f"i tone-{tone}" if tone else "i"
    return Markup('<svg class="{}" aria-hidden="true"><use href="/static/icons.svg#{}"/></svg>').format(css, name)


def told(text: str | words.Sentence, /, **values: object) -> None:
    """Show a sentence on the next page."""
    session["told"] = say(text, **values)


@door.get("/healthz")
def healthz() -> Answer:
    healthy, counts = parts().report()
    return jsonify(healthy=healthy, **{name: bool(up) for name, up in counts["halves"].items()}), 200 if healthy else 503  # type: ignore[return-value] # Flask takes a response with a status


@door.get("/status")
def status() -> Answer:
    healthy, counts = parts().report()
    return jsonify({"healthy": healthy} | counts)


@door.get("/static/<name>")
def file(name: str) -> Answer:
    if name not in FILES:
        abort(HTTPStatus.NOT_FOUND)
    return Response((STATIC / name).read_bytes(), mimetype=mimetypes.guess_type(name)[0])


@door.post("/language", endpoint="language")
def choose_language() -> Answer:
    chosen = request.form.get("language", "")
    answer = redirect(_own(request.form.get("next", "")))
    if chosen in words.LANGUAGES:
        answer.set_cookie("prime_language", chosen, samesite="Strict", httponly=True, max_age=365 * 86400)
    return answer


@door.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Answer:
    """The passcode and the initials; nothing is said of a passcode that is tried while one must wait."""
    if request.method == "GET":
        return render_template("sign_in.html", error_text="", initials="")
    address, now, initials = request.remote_addr or "", time.monotonic(), " ".join(request.form.get("initials", "").split())
    if not entry.INITIALS.fullmatch(initials):
        return _again(say("Write your initials: 1 to 20 letters, digits or characters."), initials, HTTPStatus.BAD_REQUEST)
    if seconds := parts().door.wait(address, now):
        return _again(
            say("Too many attempts. Wait {seconds} seconds, then try again.", seconds=int(seconds) + 1),
            initials,
            HTTPStatus.TOO_MANY_REQUESTS,
        )
    if not parts().door.opens(address, request.form.get("passcode", "")[:100], now):
        return _again(say("The passcode is not right."), initials, HTTPStatus.FORBIDDEN)
    session.clear()
    session.permanent = True
    session["by"], session["csrf"] = initials, secrets.token_hex(16)
    return redirect(url_for("pages.overview"))


@door.post("/sign-out")
def sign_out() -> Answer:
    session.clear()
    return redirect(url_for("door.sign_in"))


def _again(error: str, initials: str, status_: HTTPStatus) -> tuple[str, int]:
    return render_template("sign_in.html", error_text=error, initials=initials), int(status_)


def _guard() -> Answer | None:
    """Strangers go to the sign-in page; a form must carry the token of the page it came from."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_hex(16)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
        if foreign or not secrets.compare_digest(request.form.get("csrf", "").encode(), str(session["csrf"]).encode()):
            abort(HTTPStatus.FORBIDDEN)
    if request.endpoint is not None and request.endpoint not in OPEN and "by" not in session:
        return redirect(url_for("door.sign_in"))
    return None


def _headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _close(_: BaseException | None) -> None:
    if (connection := g.pop("connection", None)) is not None:
        with closing(connection):
            pass


def _context() -> dict[str, Any]:
    return {
        "t": say,
        "icon": icon,
        "language": language(),
        "csrf": session.get("csrf", ""),
        "by": session.get("by", ""),
        "center": center(),
        "study": parts().home.platform.study,
        "told": session.pop("told", ""),
        "here": request.full_path.rstrip("?"),
    }


def _refused(error: Exception) -> Answer:
    if not isinstance(error, HTTPException):
        log.error("the page met a fault of kind %s", type(error).__name__)
    code = HTTPStatus(error.code or 500) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    text = SENTENCES.get(code, "The request could not be read. Go back, reload the page and try again.")
    title = "Not found" if code == HTTPStatus.NOT_FOUND else "Not accepted"
    return render_template("refused.html", title=title, sentence=text), int(code)


def _own(address: str) -> str:
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
