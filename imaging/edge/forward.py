"""From the outbox to the platform: send, wait for the signed receipt, purge only after a verified `archived` (formats d).

A platform that is down costs nothing but time. A refused package stays, with its reason, until a person decides.
"""

import logging
import sqlite3
from http import HTTPStatus
from typing import Any

from imaging.edge import envelope, packing, state
from imaging.edge.envelope import EnvelopeRefused, Receipt
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.home import Home

log = logging.getLogger(__name__)
SHORTEST, LONGEST = 0.5, 60.0
OF_THE_PACKAGE = {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.INTERNAL_SERVER_ERROR}
"""Answers that may concern one package only, so that the next is tried; any other (no right, no room, no service) concerns all."""


class PackageNotTaken(PlatformUnreachable):
    """The platform answers, and does not take this package now."""


class Forwarder:
    """Carries packages in the order of their numbers. Used by one thread only; `wait` is the pause in seconds before the next step."""

    def __init__(self, home: Home, connection: sqlite3.Connection, exchange: Exchange) -> None:
        self.home, self.connection, self.exchange = home, connection, exchange
        self.wait = SHORTEST
        self.fault = ""

    def step(self) -> int:
        """Move every package on its way as far as the platform lets it; return how many were archived."""
        archived, fault, moved = 0, "", False
        rows = self.connection.execute("SELECT * FROM package WHERE state IN ('sealed', 'stored') ORDER BY seq").fetchall()
        for row in rows:
            before = self.exchange.here.get(row["id"], 0)
            try:
                archived += self._move(row)
            except PlatformUnreachable as error:
                fault = fault or str(error)
                moved = moved or self.exchange.here.get(row["id"], 0) > before
                if not isinstance(error, PackageNotTaken):
                    break
        if fault not in ("", self.fault):
            log.warning("the platform does not take packages: %s", fault)
        self.fault, self.wait = fault, min(self.wait * 2, LONGEST) if fault and not moved else SHORTEST
        return archived

    def _move(self, row: sqlite3.Row) -> bool:
        if row["state"] == "sealed":
            answer = self.exchange.put(row["id"], packing.path_of(self.home, row["seq"]), row["sha256"], row["size"])
        else:
            answer = self.exchange.get(envelope.RECEIPT_PATH.format(id=row["id"]))
            if answer.status == HTTPStatus.NOT_FOUND:  # the platform lost what it had stored: send again
                _set(self.connection, row["seq"], "sealed", "")
                return False
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise (PackageNotTaken if answer.status in OF_THE_PACKAGE else PlatformUnreachable)(f"http-{answer.status}")
        return settle(self.home, self.connection, row, answer.said) == "archived"


def settle(home: Home, connection: sqlite3.Connection, row: sqlite3.Row, said: Any) -> str:
    """Do what a receipt says about a package, however it came: the state, or the purge. Raises PackageNotTaken when it is not believed."""
    platform = home.platform
    try:
        receipt = envelope.verify_receipt(
            said, package=row["id"], stored_key=platform.receipt_stored, archived_key=platform.receipt_archived
        )
    except EnvelopeRefused:
        raise PackageNotTaken("receipt-not-believed") from None
    unopened = receipt.seq == 0 and receipt.state != "archived"  # the number is inside the ciphertext
    if receipt.seq != row["seq"] and not unopened:
        raise PackageNotTaken("receipt-not-believed")
    if receipt.state == "archived":
        _purge(home, connection, row["seq"], receipt)
    elif receipt.state == "refused" or row["state"] == "sealed":  # an old receipt that is read again takes nothing back
        _set(connection, row["seq"], receipt.state, receipt.reason)
    return receipt.state


def _set(connection: sqlite3.Connection, seq: int, to: str, reason: str) -> None:
    with state.change(connection):
        connection.execute("UPDATE package SET state = ?, reason = ? WHERE seq = ?", (to, reason, seq))
    log.info("package %d: %s", seq, to)


def _purge(home: Home, connection: sqlite3.Connection, seq: int, receipt: Receipt) -> None:
    """Remove a package and the originals in it; the rows stay, so that a resend is known for what it is."""
    with state.change(connection):
        connection.execute("UPDATE package SET state = 'archived', reason = '', ended_at = ? WHERE seq = ?", (receipt.at, seq))
        connection.execute("UPDATE object SET state = 'archived' WHERE package = ?", (seq,))
        connection.execute(
            "DELETE FROM face WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.study_uid = face.study_uid AND o.state <> 'archived')"
        )
    names = [row["name"] for row in connection.execute("SELECT name FROM object WHERE package = ?", (seq,))]
    for path in (packing.path_of(home, seq), *(home.spool / name for name in names)):
        path.unlink(missing_ok=True)
    log.info("package %d: archived, %d objects purged", seq, len(names))
