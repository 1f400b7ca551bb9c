"""A package that the platform refused, packed again once its cause is mended: its images wait anew and leave in a new package.

The refused one keeps its number, its reason and who decided; only its bytes, which nobody will ever open, are removed.
"""

import logging
import sqlite3
from datetime import datetime

from imaging.edge import acts, packing, state
from imaging.edge.home import Home
from imaging.edge.words import Sentence

log = logging.getLogger(__name__)


class NotPossible(Exception):
    """This package cannot be packed again; `sentence` says why."""

    def __init__(self, text: str, /, **values: object) -> None:
        self.sentence = Sentence(text, values)
        super().__init__(self.sentence.say("en"))


def again(home: Home, connection: sqlite3.Connection, seq: int, *, why: str, by: str, at: datetime) -> int:
    """Let the images of a refused package wait for a new one; return how many. Raises NotPossible."""
    if not why.strip():
        raise NotPossible("Say why: the sentence stays with the decision.")
    with state.change(connection):
        row = connection.execute(
            f"SELECT p.id, p.reason FROM package p WHERE p.seq = ? AND p.state = 'refused' AND NOT {acts.REPACKED}",  # noqa: S608
            (seq,),
        ).fetchone()
        if row is None:
            raise NotPossible("Package {seq} is not one that was refused and not packed again yet.", seq=seq)
        count = connection.execute("UPDATE object SET state = 'waiting', package = NULL WHERE package = ?", (seq,)).rowcount
        acts.write(connection, "repacked", f"{seq} {row['id']}", reason=row["reason"], why=why, by=by, at=at)
    packing.path_of(home, seq).unlink(missing_ok=True)  # left behind by a crash here, `Packer.resume` removes it
    log.info("package %d: %d objects wait for another one", seq, count)
    return count
