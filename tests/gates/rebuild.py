"""What somebody at the web or worker process could do: rebuild the inputs from the tables, and try as the model every readable file
and every cell of every readable table, as it is and unpacked; pages and exports are made from nothing else.

Run as a program of its own, with the login and the user of that process; whoever runs it knows every file's name (JSON on the
standard input). Prints JSON: files read, cells tried, snapshots rebuilt, predictions.
"""

import base64
import contextlib
import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

DEEPEST, SMALLEST_MODEL = 3, 200
WRITTEN = re.compile(rb"[A-Za-z0-9+/=\s]+")
CELLS = """
    SELECT c.table_name, c.column_name FROM information_schema.columns c
    WHERE c.table_schema = 'public' AND c.data_type IN ('bytea', 'text', 'json', 'jsonb', 'character varying')
    AND has_column_privilege(quote_ident(c.table_name), c.column_name, 'SELECT')
"""


def main() -> None:
    django.setup()
    from accounts import scope
    from predictions import features
    from studies.models import Participant

    read, found, cells = [], [], 0
    with scope.over_everything():  # whoever holds the login can open the row policies to himself
        people = Participant.objects.select_related("study", "screening", "center")
        snapshots = [taken.content for taken in (features.take(person, "0") for person in people) if taken]
        for data in _cells():
            cells += 1
            found += _tried(data, snapshots)
    for name in json.load(sys.stdin):
        with contextlib.suppress(OSError):
            data = Path(name).read_bytes()
            read.append(name)
            found += _tried(data, snapshots)
    json.dump({"read": sorted(read), "cells": cells, "snapshots": len(snapshots), "found": found}, sys.stdout)


def _tried(data: bytes, snapshots: list[bytes]) -> list[str]:
    """The predictions of all snapshots where the bytes are a model, and of none otherwise."""
    from predictions import replay

    found = []
    for each in unpacked(data):
        with contextlib.suppress(ValueError):
            for snapshot in snapshots:
                found.append(replay.predict(each, snapshot, replay.Software("0" * 40, "0" * 64)).encode().decode())
    return found


def unpacked(data: bytes, depth: int = DEEPEST) -> Iterator[bytes]:
    """The bytes as they are, and what is packed in them: gzip, zip, tar, Base64 or hexadecimal digits, one within another."""
    yield data
    if depth:
        for inner in _inner(data):
            yield from unpacked(inner, depth - 1)


def _inner(data: bytes) -> Iterator[bytes]:
    with contextlib.suppress(OSError, EOFError, zlib.error):
        yield gzip.decompress(data)
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as packed:
        yield from (packed.read(each) for each in packed.namelist())
    with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(data), mode="r:") as packed:
        yield from (opened.read() for each in packed if (opened := packed.extractfile(each)))
    if len(data) >= SMALLEST_MODEL and WRITTEN.fullmatch(data):
        with contextlib.suppress(ValueError):
            yield base64.b64decode(data, validate=False)
        with contextlib.suppress(ValueError):
            yield bytes.fromhex(data.decode())


def _cells() -> Iterator[bytes]:
    """Every readable value that could hold a model: text and bytes as they are, JSON and each object within it in canonical form."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(CELLS)
        for table, column in cursor.fetchall():
            cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
            for (value,) in cursor.fetchall():
                yield from _bytes(value)


def _bytes(value: Any) -> Iterator[bytes]:
    from accounts.canonical import canonical

    if isinstance(value, bytes | memoryview):
        yield bytes(value)
        return
    if isinstance(value, str):
        yield value.encode()
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, dict):
        with contextlib.suppress(ValueError, TypeError):
            yield canonical(value)
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(each, dict | list | str):
            yield from _bytes(each)


if __name__ == "__main__":
    main()
