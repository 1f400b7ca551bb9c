"""The hospital's network: who may send, who called and what became of it, and whether both doors work."""

import os
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from imaging.edge import acts, associations, clock, history, nodes, peers, self_test, state
from imaging.edge.page import app
from imaging.edge.page.app import Answer
from imaging.edge.page.views import stamp
from imaging.edge.peers import PeerFault
from imaging.edge.words import Sentence

pages = Blueprint("network", __name__)
LINES = 200
NO_PORT = "Write down where {peer} listens (address to call and port) before you ask it."


@pages.get("/associations")
def calls() -> Answer:
    """Who called, newest first, with the reason of every refusal in words."""
    only = request.args.get("only", "")
    lines = [line for line in reversed(history.tail(app.parts().home.associations, LINES)) if only in ("", line.get("what"))]
    ours = str(app.parts().home.running.get("ae_title", ""))
    rows = [(line, associations.explained(line, ours)) for line in lines if line.get("what") != "accepted" or only == "accepted"]
    return render_template("associations.html", rows=rows, only=only, stamp=stamp, most=LINES)


@pages.get("/peers")
def listed() -> Answer:
    """Who may send, and where they can be called."""
    return _peers()


@pages.post("/peers")
def added() -> Answer:
    """List a peer, or replace what was listed for its AE title."""
    given = {name: request.form.get(name, "").strip()[:300] for name in ("ae_title", "addresses", "host", "port")}
    home = app.parts().home
    try:
        peers.add(home.peers, ae_title=given["ae_title"], addresses=given["addresses"].replace(",", " ").split())
        if given["host"] or given["port"]:
            nodes.put(home.nodes, ae_title=given["ae_title"], host=given["host"], port=given["port"])
    except PeerFault as fault:
        return _peers(fault.sentence, given), int(HTTPStatus.BAD_REQUEST)
    _write("peer-added", given["ae_title"], given["addresses"])
    app.told("{peer} may send now.", peer=given["ae_title"])
    return redirect(url_for("network.listed"))


@pages.post("/peers/remove")
def removed() -> Answer:
    """Take a peer off the list."""
    title, home = request.form.get("ae_title", ""), app.parts().home
    try:
        peers.remove(home.peers, ae_title=title)
    except PeerFault as fault:
        return _peers(fault.sentence), int(HTTPStatus.BAD_REQUEST)
    nodes.drop(home.nodes, ae_title=title)
    _write("peer-removed", title, "")
    app.told("{peer} may no longer send.", peer=title)
    return redirect(url_for("network.listed"))


@pages.post("/peers/echo")
def echoed() -> Answer:
    """Ask a peer whether it is there (C-ECHO)."""
    title = request.form.get("ae_title", "")
    node, ours = nodes.read(app.parts().home.nodes).get(title), str(app.parts().home.running.get("ae_title", "PRIME"))
    if node is None:
        return _peers(Sentence(NO_PORT, {"peer": title})), int(HTTPStatus.BAD_REQUEST)
    answer = nodes.echo(node, calling=ours, called=title)
    said = Sentence(nodes.words_of(answer), {"peer": title, "ours": ours, "host": node.host, "port": node.port, "answer": answer})
    if answer != "ok":
        return _peers(said), int(HTTPStatus.BAD_GATEWAY)
    app.told(said)
    return redirect(url_for("network.listed"))


@pages.post("/peers/test")
def tested() -> Answer:
    """Send our own listener an echo and a report, as a PACS would."""
    where = app.parts().home.running
    if "dicom_port" not in where:
        return _peers(Sentence("The listener does not run.")), int(HTTPStatus.CONFLICT)
    address = os.environ.get("PRIME_BIND", "127.0.0.1")
    result = self_test.run(app.parts().home, address=address, port=int(where["dicom_port"]), ae_title=str(where["ae_title"]))
    if not result.passed:
        text = "The self-test failed: association {associated}, echo {echoed}, store {store}. Look at associations and at the disk."
        store = "-" if result.store < 0 else f"0x{result.store:04X}"
        values = {"associated": _mark(result.associated), "echoed": _mark(result.echoed), "store": store}
        return _peers(Sentence(text, values)), int(HTTPStatus.BAD_GATEWAY)
    app.told("Our own listener took an association, an echo and a report: senders find it in order.")
    return redirect(url_for("network.listed"))


def _mark(right: bool) -> str:
    return "✓" if right else "✗"


def _write(what: str, subject: str, why: str) -> None:
    connection = app.database()
    with state.change(connection):
        acts.write(connection, what, subject, why=why, by=app.by(), at=clock.now())


def _peers(error: Sentence | None = None, given: dict[str, Any] | None = None) -> str:
    home, where = app.parts().home, app.parts().home.running
    known, places = peers.read(home.peers), nodes.read(home.nodes)
    suggestion = {name: request.args.get(name, "")[:64] for name in ("ae_title", "addresses")}
    return render_template(
        "peers.html",
        rows=[(title, addresses, places.get(title)) for title, addresses in sorted(known.items()) if title != self_test.CALLER],
        given=given or {"host": "", "port": ""} | suggestion,
        error=error,
        where=where,
        address=os.environ.get("PRIME_BIND", "127.0.0.1"),
    )
