"""`edge pull`: fetch a list of patients from the PACS, at night, gently, with a result for every row."""

import argparse
import os
import re
from contextlib import closing
from datetime import time
from pathlib import Path

from imaging.edge import clock, nodes, pull, sheet, state
from imaging.edge.home import HomeFault
from imaging.edge.opening import DONE, NO, opened, show, user
from imaging.edge.pull import Asked, PullFault
from imaging.edge.sheet import SheetFault
from imaging.edge.way_commands import Declare

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
COLUMNS = ("local_id", "since", "until", "state", "studies", "images", "failed")


def declare(command: Declare) -> argparse.ArgumentParser:
    """Add the command to the parser."""
    made = command("pull", _pull, "Fetch a list of patients from the PACS into our listener; goes on where it was broken off.")
    made.add_argument("source", type=Path, nargs="?", metavar="FILE", help="CSV or XLSX with hospital numbers and days (none: go on)")
    made.add_argument("--from", dest="pacs", metavar="AETITLE", help="the PACS, a peer with the address where it listens")
    made.add_argument("--window", default="", metavar="22:00-06:00", help="fetch only at this time of day")
    made.add_argument("--per-minute", type=int, default=0, metavar="IMAGES", help="at most so many images a minute")
    made.add_argument("--modality", nargs="*", default=["CT", "MR"], help="fetch studies with one of these (default: CT MR)")
    return made


def _pull(options: argparse.Namespace) -> int:
    data = options.source.read_bytes() if options.source else b""
    home = opened(options)
    try:
        with closing(state.connect(home.database)) as connection:
            if data:
                pull.enter(connection, sheet.read_file(data), by=user(), at=clock.now())
            if options.pacs:
                asked = _asked(options, nodes.read(home.nodes).get(options.pacs), str(home.running.get("ae_title", "")))
                for row in pull.run(connection, asked, now=clock.now):
                    if not options.json:
                        print("\t".join(str(row[name]) for name in COLUMNS), flush=True)
            rows = connection.execute("SELECT * FROM pull ORDER BY id").fetchall()
    except (PullFault, SheetFault) as fault:
        raise HomeFault(fault.sentence.say("en") if isinstance(fault, SheetFault) else str(fault)) from None
    counts = {kind: sum(row["state"] == kind for row in rows) for kind in ("waiting", "done", "nothing", "failed")}
    listed = [{name: row[name] for name in COLUMNS} for row in rows]
    show(options, counts | {"rows": listed}, ["  ".join(f"{kind} {count}" for kind, count in counts.items())])
    return NO if counts["failed"] or counts["nothing"] else DONE


def _asked(options: argparse.Namespace, node: nodes.Node | None, running: str) -> Asked:
    if node is None:
        raise HomeFault(f"Write down where {options.pacs} listens: edge peer add {options.pacs} --ip ADDRESS --calls HOST:PORT.")
    if options.per_minute < 0:
        raise HomeFault("At most so many images a minute: a number from 1.")
    window = None
    if options.window:
        found = _WINDOW.fullmatch(options.window)
        if found is None:
            raise HomeFault("A window looks like 22:00-06:00.")
        first, last = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
        window = (first, last)
    ours = running or os.environ.get("PRIME_DICOM_AET", "PRIME")
    return Asked(node, options.pacs, ours, tuple(options.modality), options.per_minute, window)
