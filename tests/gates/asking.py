"""Asking every address as everybody, by every method, and keeping what was answered."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.handlers.base import BaseHandler
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from accounts.models import LedgerRow, User
from accounts.once import remembering
from predictions.models import ModelVersion, Seal
from studies import access
from tests.gates import normalise
from tests.gates.scenario import Story
from tests.gates.shell import counted_once
from tests.gates.test_addresses import ADDRESSES, GATEWAY, OBJECTS, Address, url

STRANGER = "stranger"
SHOWS_PARTICIPANT = {"participant", "api-participant-detail", "participant-trail", "forms"}
"""Where each participant is asked for in every phase."""
Asked = tuple[str, str, str, str]
"""Who, method, address, object."""


@dataclass(frozen=True)
class Answer:
    """What came back, with what may differ between worlds replaced."""

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    packed: bytes

    @property
    def body(self) -> str:
        return zlib.decompress(self.packed).decode(errors="replace")


def people(story: Story) -> dict[str, User | None]:
    """One person per role (center roles at hospital 01), and a stranger."""
    return {name: person for name, person in story.site.people.items() if not name.endswith("02")} | {STRANGER: None}


def ask_everything(story: Story, *, who: Iterable[str] = (), names: Iterable[str] = (), thorough: bool = False) -> dict[Asked, Answer]:
    """Every answer of the platform as it stands; `who` and `names` narrow the people and the addresses.

    GET is asked of every address about the first object of its kind, and about every participant where one is shown. The phase with
    most to tell is asked by the other methods as well: POST (empty) of every address by everybody, HEAD and OPTIONS by the first whose
    GET is answered (what they run is the code of GET, or none). If `thorough`, by all of those, and GET about every object. Before there
    are objects, only addresses without.
    """
    everybody, digests = people(story), known_digests()
    most = story.site.study.phase == "accrual"
    found: dict[Asked, Answer] = {}
    shown: set[str] = set()
    with counted_once():
        for name in who or everybody:
            asker = _Asker(everybody[name], digests)
            for address in (each for each in ADDRESSES if not names or each.name in names):
                for place, target in enumerate(_targets(story, address)):
                    if place and not (most and thorough) and address.name not in SHOWS_PARTICIPANT:
                        break
                    also = ("POST", *(() if address.name in shown else ("HEAD", "OPTIONS"))) if most and not place else ()
                    for method, answer in asker.ask_for(url(address, target), also):
                        found[name, method, address.name, str(target or "")] = answer
                        if method == "HEAD" and not thorough:
                            shown.add(address.name)
    return found


def known_digests() -> normalise.Known:
    """The digests that another model and other nonces change, and whose each is."""
    digests = {}
    for row in LedgerRow.objects.order_by("study", "index"):
        digests |= {bytes(row.commitment).hex(): f"commitment {row.index}", bytes(row.h).hex(): f"head {row.index}"}
    for seal in Seal.objects.order_by("ledger_index"):
        digests |= {seal.body[part]: f"{part} {seal.ledger_index}" for part in ("ciphertext", "wraps", "payload")}
    for version in ModelVersion.objects.all():
        digests |= {version.artefact_sha256: f"model {version.tier}", version.report_sha256: f"report {version.tier}"}
    return digests


def row_counts() -> dict[str, int]:
    """How many rows every table has."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        counts = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            (counts[table],) = cursor.fetchone()
    return counts


def differences(one: dict[Asked, Answer], other: dict[Asked, Answer]) -> list[str]:
    """A sentence for every answer that differs, with the first place where it does."""
    found = [f"{' '.join(asked)}: asked in one world only" for asked in one.keys() ^ other.keys()]
    for asked in one.keys() & other.keys():
        mine, theirs = one[asked], other[asked]
        for part in ("status", "headers", "cookies", "body"):
            if mine != theirs and getattr(mine, part) != getattr(theirs, part):
                found.append(f"{' '.join(asked)}: {part}: {_first_difference(getattr(mine, part), getattr(theirs, part))}")
    return sorted(found)


class _Asker:
    """One person's browser, without a network in between; every request is undone after it was answered."""

    def __init__(self, person: User | None, digests: normalise.Known) -> None:
        browser = Client()
        if person is not None:
            browser.force_login(person)
        self.requests = RequestFactory()
        self.requests.cookies = browser.cookies
        self.platform = BaseHandler()
        self.platform.load_middleware()
        self.known: dict[Any, Any] = {"who": person}
        held = access.permissions_of(person) if person is not None else frozenset()
        heads = {digest: whose for digest, whose in digests.items() if whose.startswith("head ")}
        self.digests = digests if held & normalise.MAY_SEE_DIGESTS else heads if held & normalise.MAY_SEE_HEADS else {}

    def ask_for(self, path: str, also: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        """The answers to GET and to the further methods; HEAD and OPTIONS only where GET is answered."""
        answer = self.ask("GET", path)
        yield "GET", answer
        for method in also:
            if method == "POST" or answer.status == HTTPStatus.OK:
                yield method, self.ask(method, path)

    def ask(self, method: str, path: str) -> Answer:
        content_type = "application/json" if path.startswith(("/api/", "/edge/")) else "application/x-www-form-urlencoded"
        request = self.requests.generic(method, path, b"", content_type=content_type)
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined] # else every POST would be answered by the form token's check
        with transaction.atomic(), remembering(self.known) if method in ("GET", "HEAD") else nullcontext():
            response = self.platform.get_response(request)
            said = response.getvalue() if method != "HEAD" else b""
            _close(response)
            transaction.set_rollback(True)
        return Answer(
            response.status_code,
            normalise.headers(response.headers, len(said)),
            normalise.cookies(response.cookies),
            zlib.compress(normalise.body(said, self.digests), 1),
        )


def _close(response: HttpResponseBase) -> None:
    """Close what the response holds open, and not the database's connection, which is in the middle of a transaction."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


def _targets(story: Story, address: Address) -> list[UUID | str | None]:
    """The objects to ask an address for; where the story has none of its kind, another kind's, which is answered as one that never was."""
    if address.name in GATEWAY:
        return ["0" * 64]
    if address.name in OBJECTS:
        return list(story.of(OBJECTS[address.name]))
    if address.argument in ("", "format"):
        return [None]
    return list(story.of("participant")[:1])


def _first_difference(one: Any, other: Any) -> str:
    if isinstance(one, str):
        place = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        window = slice(max(0, place - 80), place + 80)
        return f"…{one[window]}… against …{other[window]}…"
    return f"{one!r} against {other!r}"
