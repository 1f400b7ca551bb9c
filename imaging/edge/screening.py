"""From the operating list to the platform's screening log: token, surgery date, age and sex cross, numbers come back.

A platform that is down costs nothing but time: the rows wait. The token makes a repeated request give the same numbers.
"""

import logging
import re
import sqlite3
from http import HTTPStatus
from typing import Any

from imaging.edge import clock, envelope, operations
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.operations import Numbered

log = logging.getLogger(__name__)
SHORTEST, LONGEST = 1.0, 30.0
MOST_ROWS = 200


class Sender:
    """Sends rows in the order of surgery. Used by one thread only; `wait` is the pause in seconds before the next step."""

    def __init__(self, center: str, connection: sqlite3.Connection, exchange: Exchange) -> None:
        self.connection, self.exchange = connection, exchange
        self.wait = SHORTEST
        self.fault = ""
        self._screening = re.compile(rf"{center}-S(\d{{4,9}})", re.ASCII)

    def step(self) -> int:
        """Send the next rows, if any, and write down their numbers; return how many were numbered."""
        rows = operations.to_send(self.connection, at=clock.now(), limit=MOST_ROWS)
        try:
            numbered = operations.settle(self.connection, self._ask(rows), at=clock.now()) if rows else 0
        except PlatformUnreachable as fault:
            if str(fault) != self.fault:
                log.warning("the platform does not take the operating list: %s", fault)
            self.fault, self.wait = str(fault), min(self.wait * 2, LONGEST)
            return 0
        self.fault, self.wait = "", SHORTEST
        if rows:
            log.info("operating list: %d rows sent, %d numbered", len(rows), numbered)
        return numbered

    def _ask(self, rows: list[sqlite3.Row]) -> list[Numbered]:
        said = [{name: row[name] for name in ("token", "surgery_date", "age", "sex")} for row in rows]
        answer = self.exchange.post(envelope.SCREENINGS_PATH, {"v": 1, "rows": said})
        if answer.status == HTTPStatus.CONFLICT:
            raise PlatformUnreachable("not-now")  # the center or its accrual is closed; the rows wait
        if answer.status != HTTPStatus.OK:
            raise PlatformUnreachable(f"http-{answer.status}")
        asked = {row["token"] for row in rows}
        try:
            answers = [self._numbered(each, asked) for each in answer.said["rows"]]
            if {each.token for each in answers} != asked:
                raise ValueError("a row without an answer")
        except (KeyError, TypeError, ValueError):
            raise PlatformUnreachable("answer-not-understood") from None
        return answers

    def _numbered(self, said: dict[str, Any], asked: set[str]) -> Numbered:
        if said["token"] not in asked:
            raise ValueError("a token that was not sent")
        if "refused" in said:
            return Numbered(said["token"], refused=str(said["refused"])[:40] or "refused")
        found = self._screening.fullmatch(said["screening"])
        if found is None or int(found[1]) != said["number"]:
            raise ValueError("no screening number of this center")
        return Numbered(said["token"], number=said["number"], screening=said["screening"])
