"""No address of the site takes a custodian's secret (SL-01, UB-01): sent to every one of them, it is nowhere afterwards.

What is sent is a custodian's key file and its passphrase, as JSON, as the fields of a form and as files, under every name that a field
might have. It is looked for in every row of the database, every file, every answer and everything that was logged.
"""

import json
import logging
import re
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation
from psycopg import sql

from accounts import audit
from accounts.models import User
from predictions import sealing_keys
from predictions.sealing_keys import PrivateKey
from prime_platform.settings import BASE_DIR
from tests import world
from tests.gates.test_addresses import ADDRESSES, GATEWAY, OBJECTS, objects_at, url

pytestmark = pytest.mark.django_db
PASSPHRASE = "seven-quiet-herons-cross-the-estuary"
SECRET_FIELDS = ("key", "secret", "private", "private_key", "passphrase", "seed", "lattice", "curve", "signing", "custodian", "approval")
FILE_FIELDS = ("file", "mask", "document", "scan")
ALL, AS_A_FORM = slice(None), slice(1, None)
ROOMS = ("accounts", "studies", "imaging", "predictions", "followup", "analysis", "prime_platform")
TABLES = "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


def traces(key: PrivateKey) -> list[bytes]:
    """The secret parts of a key in the forms in which they could be kept, long enough to stand nowhere by chance."""
    raw = (key.lattice, key.curve, key.signing)
    written = b64encode(b"".join(raw))
    return [*raw, *(each.hex().encode() for each in raw), *(written[place : place + 40] for place in (0, 60, 120)), PASSPHRASE.encode()]


def sent(key: PrivateKey) -> Iterator[dict[str, Any]]:
    """The same key as a program, a form and a browser's file field would send it."""
    file = sealing_keys.write_private(key)
    fields = dict.fromkeys(SECRET_FIELDS, file.decode()) | {"passphrase": PASSPHRASE}
    yield {"data": json.dumps(json.loads(file) | fields), "content_type": "application/json"}
    yield {"data": fields | {name: SimpleUploadedFile("custodian-a.key", file, "application/json") for name in FILE_FIELDS}}


def kept(key: PrivateKey, folder: Path, log: str) -> list[str]:
    """Where a trace of it is: tables, files, log."""
    wanted = traces(key)
    found = ["log"] if any(each.decode("latin-1") in log for each in wanted) else []
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.replace('"', "").split("."))))
            rows = b"\n".join(_bytes(value) for row in cursor.fetchall() for value in row)
            found += [table] if any(each in rows for each in wanted) else []
    files = [path for path in folder.rglob("*") if path.is_file()]
    return found + [str(path) for path in files if any(each in path.read_bytes() for each in wanted)]


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()


def asked(person: User, targets: dict[str, Any], key: PrivateKey, methods: tuple[str, ...], ways: slice = ALL) -> list[str]:
    """Send it to every address in these of the ways of `sent`; those that say it back."""
    client, wanted, told = Client(), traces(key), []
    client.force_login(person)
    for address in ADDRESSES:
        target = "0" * 64 if address.name in GATEWAY else targets.get(OBJECTS.get(address.name, "participant"))
        for method in methods:
            for body in [*sent(key)][ways] if address.name != "sign-out" else ():
                response = getattr(client, method)(url(address, target), **body)
                said = response.getvalue() + str(dict(response.headers)).encode()
                told += [f"{method} {address.name}"] if any(each in said for each in wanted) else []
    return told


@pytest.fixture
def site(tmp_path: Path, settings: Any) -> tuple[world.World, dict[str, Any], Path]:
    settings.VAR = tmp_path / "var"
    (settings.VAR / "inbox").mkdir(parents=True)
    made = world.build()
    return made, objects_at(made, "01", world.enrolled(made, "01"), tmp_path), settings.VAR


def test_key_sent_to_every_page_is_nowhere(site: Any, key: PrivateKey, caplog: pytest.LogCaptureFixture) -> None:
    """SL-01: by a custodian's own account, as a form and its files; the long run sends it in every way."""
    made, targets, folder = site
    with caplog.at_level(logging.DEBUG):
        assert asked(made.people["custodian"], targets, key, ("post",), AS_A_FORM) == []
    assert kept(key, folder, caplog.text) == []


def test_what_was_sent_where_a_choice_was_asked_for_is_not_said_back(site: Any, key: PrivateKey) -> None:
    """A field that happens to be called as a part of a key is answered by a sentence without it."""
    made, targets, _ = site
    client = Client()
    client.force_login(made.people["site_pi01"])
    answer = client.post(reverse("consent-version", args=[targets["center"]]), {"approval": sealing_keys.write_private(key).decode()})
    assert answer.status_code == 400
    assert not any(each in answer.content for each in traces(key))
    assert translation.gettext("Choose one of the answers on offer.") in answer.content.decode()


@pytest.mark.soak
@pytest.mark.parametrize("person", ["coordinator01", "site_pi01", "data_manager", "investigator", "sponsor", "monitor", "custodian"])
def test_key_sent_to_every_page_by_every_method_is_nowhere(
    site: Any, key: PrivateKey, caplog: pytest.LogCaptureFixture, person: str
) -> None:
    made, targets, folder = site
    with caplog.at_level(logging.DEBUG):
        assert asked(made.people[person], targets, key, ("post", "put", "patch", "delete")) == []
    assert kept(key, folder, caplog.text) == []


def test_planted_trace_is_found(site: Any, key: PrivateKey) -> None:
    """Teeth: a detail in a table, a file of an upload, a line of a log; of the key as its file holds it."""
    _, _, folder = site
    file = sealing_keys.write_private(key)
    assert kept(key, folder, "") == []
    (folder / "inbox" / "note").write_bytes(b"x" + file)
    audit.record(kind="read", by=None, subject="typed", detail=json.loads(file))
    assert kept(key, folder, f"typed {PASSPHRASE}") == ["log", "accounts_accessrecord", str(folder / "inbox" / "note")]


def test_what_runs_pages_knows_no_key() -> None:
    """What custodians do with a key has no address, and no page imports anything that reads one."""
    assert not [address for address in ADDRESSES if "custod" in url(address, uuid.UUID(int=0))]
    pages = [
        path for path in BASE_DIR.glob("*/**/*.py") if path.name.endswith(("views.py", "pages.py", "api.py")) and "tests" not in path.parts
    ]
    assert len(pages) > 15
    assert not [str(path) for path in pages if re.search(r"sealing_keys|analysis\.custody|PrivateKey", path.read_text())]
