"""From the outbox to the platform: send, wait for the signed receipt, purge only after a verified `archived` (formats d).

A platform that is down costs nothing but time. A refused package stays, with its reason, until a person decides.
"""

import logging
import sqlite3
from http import HTTPStatus

from imaging.edge import envelope, packing, state
from imaging.edge.envelope import EnvelopeRefused, Receipt
from imaging.edge.exchange import Answer, Exchange, PlatformUnreachable
from imaging.edge.home import Home

log = logging.getLogger(__name__)
SHORTEST, LONGEST = 0.5, 60.0


class Forwarder:
    """Carries packages in the order of their numbers. Used by one thread only; `wait` is the pause in seconds before the next step."""

    def __init__(self, home: Home, connection: sqlite3.Connection, exchange: Exchange) -> None:
        self.home, self.connection, self.exchange = home, connection, exchange
        self.wait = SHORTEST
        self.fault = ""

    def step(self) -> int:
        """Move every package on its way as far as the platform lets it; return how many were archived."""
        archived = 0
        rows = self.connection.execute("SELECT * FROM package WHERE state IN ('sealed', 'stored') ORDER BY seq").fetchall()
        try:
            for row in rows:
                archived += self._move(row)
        except PlatformUnreachable as fault:
            if str(fault) != self.fault:
                log.warning("the platform does not take packages: %s", fault)
            self.fault, self.wait = str(fault), min(self.wait * 2, LONGEST)
        else:
            self.fault, self.wait = "", SHORTEST
        return archived

    def _move(self, row: sqlite3.Row) -> bool:
        if row["state"] == "sealed":
            path = packing.path_of(self.home, row["seq"])
            answer = self.exchange.put(envelope.PACKAGE_PATH.format(id=row["id"]), path, row["sha256"], row["size"])
        else:
            answer = self.exchange.get(envelope.RECEIPT_PATH.format(id=row["id"]))
            if answer.status == HTTPStatus.NOT_FOUND:  # the platform lost what it had stored: send again
                self._set(row["seq"], "sealed", "")
                return False
        receipt = self._receipt(row, answer)
        if receipt.state == "archived":
            self._purge(row["seq"], receipt)
        elif receipt.state != row["state"]:
            self._set(row["seq"], receipt.state, receipt.reason)
        return receipt.state == "archived"

    def _receipt(self, row: sqlite3.Row, answer: Answer) -> Receipt:
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
            raise PlatformUnreachable(f"http-{answer.status}")
        platform = self.home.platform
        try:
            receipt = envelope.verify_receipt(
                answer.said, package=row["id"], stored_key=platform.receipt_stored, archived_key=platform.receipt_archived
            )
        except EnvelopeRefused:
            raise PlatformUnreachable("receipt-not-believed") from None
        unopened = receipt.seq == 0 and receipt.state != "archived"  # the number is inside the ciphertext
        if receipt.seq != row["seq"] and not unopened:
            raise PlatformUnreachable("receipt-not-believed")
        return receipt

    def _set(self, seq: int, to: str, reason: str) -> None:
        with state.change(self.connection):
            self.connection.execute("UPDATE package SET state = ?, reason = ? WHERE seq = ?", (to, reason, seq))
        log.info("package %d: %s", seq, to)

    def _purge(self, seq: int, receipt: Receipt) -> None:
        """Remove a package and the originals in it; the rows stay, so that a resend is known for what it is."""
        with state.change(self.connection):
            self.connection.execute("UPDATE package SET state = 'archived', reason = '', ended_at = ? WHERE seq = ?", (receipt.at, seq))
            self.connection.execute("UPDATE object SET state = 'archived' WHERE package = ?", (seq,))
        names = [row["name"] for row in self.connection.execute("SELECT name FROM object WHERE package = ?", (seq,))]
        for path in (packing.path_of(self.home, seq), *(self.home.spool / name for name in names)):
            path.unlink(missing_ok=True)
        log.info("package %d: archived, %d objects purged", seq, len(names))
