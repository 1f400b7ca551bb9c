"""Nothing leaves without a valid approval, every package names its own, and the register says what left under it."""

import json
import time
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from imaging.edge import approvals, clock, match, package, state
from imaging.edge.approvals import ApprovalFault
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.packing import Packer, path_of
from imaging.edge.page import entry
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool
from tests.imaging.edge.parts import NUMBER, Platform, ct, rows, saved
from tests.imaging.edge.test_page import application, token

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def entered(connection: Any, number: str, first: str, last: str) -> None:
    approvals.add(connection, number=number, valid_from=first, valid_until=last, by="ZS", at=NOON)


def test_the_newest_that_holds_counts_and_none_holds_beside_them(edge_home: Home) -> None:
    with closing(state.connect(edge_home.database)) as connection:
        assert approvals.current(connection, edge_home.settings, on=date(2026, 3, 2)) == "2026-12", "the number of edge init"
        entered(connection, "A", "2026-03-02", "2026-03-31")
        entered(connection, "B", "2026-03-10", "2026-04-30")
        days = {"2026-03-01": None, "2026-03-02": "A", "2026-03-10": "B", "2026-03-31": "B", "2026-04-30": "B", "2026-05-01": None}
        assert {day: approvals.current(connection, edge_home.settings, on=date.fromisoformat(day)) for day in days} == days
        approvals.end(connection, approval=2, why="withdrawn by the committee", by="LS", at=NOON)
        assert approvals.current(connection, edge_home.settings, on=date(2026, 3, 20)) == "A"
        good = {"number": "C", "valid_from": "2026-03-02", "valid_until": "2026-03-03"}
        for change in ({"number": " "}, {"valid_until": "2025-01-01"}, {"valid_from": "2.3.2026"}, {"valid_from": "2026-02-30"}):
            with pytest.raises(ApprovalFault):
                approvals.add(connection, **(good | change), by="ZS", at=NOON)
        with pytest.raises(ApprovalFault, match="already"):
            approvals.end(connection, approval=2, why="again", by="LS", at=NOON)
    assert [what for (what,) in rows(edge_home, "SELECT what FROM act ORDER BY id")] == ["approval-added"] * 2 + ["approval-ended"]


def test_images_wait_for_an_approval_and_their_package_names_it(edge_home: Home, platform: Platform, tmp_path: Path) -> None:
    sandbox, spool = Sandbox(), Spool(edge_home.spool, reserve=0)
    for number in range(2):
        image = saved(ct(number), tmp_path / "image")
        spool.take(f"{number}.dcm", [image.read_bytes()], image.stat().st_size)
    with closing(state.connect(edge_home.database)) as connection:
        Intake(edge_home, connection, sandbox).step()
        packer = Packer(edge_home, connection, sandbox)
        entered(connection, "伦审 2026-7", "2026-04-01", "2026-12-31")
        [batch] = match.batches(connection, now=time.time() + 100, quiet=1)
        assert packer.pack(batch, at=NOON) is None
        assert rows(edge_home, "SELECT state FROM object") == [("waiting",)] * 2
        assert packer.pack(batch, at=datetime(2026, 4, 2, 12, tzinfo=UTC)) == 1
        [row] = approvals.register(connection, before=None, limit=10)
    sandbox.close()
    assert (row["approval"], row["images"], row["series"], row["modalities"], row["carried"]) == ("伦审 2026-7", 2, 1, "CT", 0)
    opened = package.open_package(path_of(edge_home, 1), platform.package_key, platform.gateways.get, tmp_path / "opened")
    assert (opened.manifest["approval"], opened.manifest["study_number"]) == ("伦审 2026-7", NUMBER)


def test_pages_enter_end_register_and_put_on_a_disk(edge_home: Home, tmp_path: Path) -> None:
    client = application(edge_home)
    english = {"Accept-Language": "en"}
    client.post("/sign-in", data={"passcode": entry.passcode_of(edge_home), "initials": "ZS", "csrf": token(client)})
    form = {"csrf": token(client, "/approvals")}
    good = form | {"number": "E-9", "valid_from": "2020-01-01", "valid_until": "2099-01-01"}
    wrong = client.post("/approvals", data=good | {"valid_from": "today"}, headers=english)
    assert (wrong.status_code, "Write both days" in wrong.text, 'value="E-9"' in wrong.text) == (400, True, True)
    assert client.post("/approvals", data=good).status_code == 302
    assert "today: E-9" in client.get("/approvals", headers=english).text
    assert client.post("/approvals/1/end", data=form | {"why": ""}).status_code == 409
    assert client.post("/approvals/1/end", data=form | {"why": "over"}).status_code == 302
    assert "No approval holds today" in client.get("/", headers=english).text
    disk = tmp_path / "disk"
    disk.mkdir()
    for path, status in ((str(disk), 302), ("relative", 400), ("", 400), (str(edge_home.outbox), 400)):
        assert client.post("/packages/disk", data=form | {"directory": path}).status_code == status
        assert client.post("/packages/receipts", data=form | {"directory": path}).status_code == status
    register = client.get("/packages/register.csv")
    assert register.data.startswith(b"\xef\xbb\xbfseq,id,study_number,approval,")
    assert json.loads(client.get("/status").text)["center"] == "01"
    assert clock.now().tzinfo is UTC
