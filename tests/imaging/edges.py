"""Edges that are registered at the platform of a test, and images taken through intake and packing without a running process."""

import json
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from accounts.models import User
from imaging import gateways
from imaging.edge import clock, folder, keys, match, state
from imaging.edge import home as homes
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.packing import Packer
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool
from tests.imaging.world import World


def registered(made: World, url: str, directory: Path) -> Home:
    """An edge of center 01 that was made from the platform's description and registered by its own file."""
    described: dict[str, Any] = {
        "v": 1, "study": made.study.code, "url": url, "package": keys.to_text(keys.package_public_bytes(made.package_key)),
        "receipt_stored": keys.to_text(made.public["stored"]), "receipt_archived": keys.to_text(made.public["archived"]),
    }  # fmt: skip
    homes.make(directory, center="01", platform=json.dumps(described).encode(), approval="2026-001")
    gateways.register(study=made.study, document=json.loads((directory / "gateway.json").read_bytes()), by=User.objects.system())
    settings = json.loads((directory / "edge.json").read_bytes()) | {"reserve_bytes": 0}
    (directory / "edge.json").write_text(json.dumps(settings))
    return Home(directory)


def packed(home: Home, source: Path, *, at: datetime | None = None) -> list[str]:
    """Import a folder, and pack what matches, as an edge does that was started for it; the reasons of what is held."""
    sandbox = Sandbox()
    for _ in folder.take_in(source, Spool(home.spool, reserve=0)):
        pass
    with closing(state.connect(home.database)) as connection:
        intake, packer = Intake(home, connection, sandbox), Packer(home, connection, sandbox)
        intake.step()
        for batch in match.batches(connection, now=time.time() + 100, quiet=1):
            packer.pack(batch, at=at or clock.now())
        held = [reason for (reason,) in connection.execute("SELECT reason FROM object WHERE state = 'quarantined'")]
    sandbox.close()
    return held


def saved_all(images: Iterable[Any], directory: Path, prefix: str = "") -> Path:
    """Write images into a new folder; the folder."""
    directory.mkdir()
    for number, image in enumerate(images):
        image.save_as(directory / f"{prefix}{number}", enforce_file_format=True)
    return directory
