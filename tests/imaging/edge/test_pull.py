"""A list of patients is fetched from a real Orthanc, at night, gently, with a result for every row, and goes on where it stopped."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from imaging.edge import clock, nodes, pull, state
from imaging.edge.home import Home
from imaging.edge.pull import Asked, PullFault
from tests.imaging.edge.parts import EdgeProcess, ct, rows, saved, until
from tests.imaging.edge.test_commands import edge as command
from tests.imaging.edge.test_senders import asked as rest
from tests.imaging.edge.test_senders import orthanc

pytestmark = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="needs the Debian package orthanc")
LIST = [["住院号", "起始日期", "截止日期"], ["A1", "2026-01-01", "2026-12-31"], ["A2", "", ""], ["NOBODY", "", ""]]


@pytest.fixture
def edge(edge_home: Home, start_edge: Callable[..., EdgeProcess]) -> EdgeProcess:
    return start_edge(edge_home)


@pytest.fixture
def pacs(edge: EdgeProcess, tmp_path: Path) -> Iterator[Asked]:
    """Orthanc with two patients: A1 has a study of three CT images and an older one, A2 one of two and a report-like SC study."""
    with orthanc(tmp_path / "orthanc", edge.port) as http_port:
        for number, study, patient, look in (
            *((number, "1.5.1", "A1", {}) for number in range(3)),
            (7, "1.5.0", "A1", {"StudyDate": "20200101"}),
            *((number, "1.5.2", "A2", {}) for number in (10, 11)),
            (20, "1.5.3", "A2", {"Modality": "US"}),
        ):
            image = ct(number, patient=patient, study=study, series=f"{study}.1", **look)
            rest(http_port, "/instances", saved(image, tmp_path / "image").read_bytes())
        port = json.loads((tmp_path / "orthanc" / "orthanc.json").read_bytes())["DicomPort"]
        yield Asked(nodes.Node("127.0.0.1", port), "STORESCU", "PRIME", ("CT", "MR"))


@pytest.fixture
def connection(edge_home: Home) -> Iterator[Any]:
    with closing(state.connect(edge_home.database)) as opened:
        yield opened


def test_every_row_has_its_result_and_a_second_run_fetches_nothing(edge: EdgeProcess, pacs: Asked, connection: Any) -> None:
    assert pull.enter(connection, LIST, by="test", at=clock.now()) == 3
    assert pull.enter(connection, LIST, by="test", at=clock.now()) == 0
    ended = [tuple(row)[1:7] for row in pull.run(connection, pacs, now=clock.now)]
    assert ended == [
        ("A1", "20260101", "20261231", "done", 1, 3),
        ("A2", "", "", "done", 1, 2),
        ("NOBODY", "", "", "nothing", 0, 0),
    ]
    until(lambda: rows(edge.home, "SELECT count(*) FROM object") == [(5,)], "every image received, the older study and the US one not")
    assert list(pull.run(connection, pacs, now=clock.now)) == []
    connection.execute("UPDATE pull SET state = 'failed'")  # as after a run that was broken off between a study and its row
    assert [row["state"] for row in pull.run(connection, pacs, now=clock.now)] == ["done", "done", "nothing"]
    assert rows(edge.home, "SELECT count(*) FROM resend") == [(0,)], "what was fetched is not fetched again"


class BrokenOff(Exception):
    """The command was ended while it waited."""


def test_a_run_that_is_broken_off_goes_on_with_the_next_series(edge: EdgeProcess, pacs: Asked, connection: Any, tmp_path: Path) -> None:
    """A study of two CT series and a dose report: paced after each series, none fetched twice, and of the report nothing is sent."""
    port = json.loads((tmp_path / "orthanc" / "orthanc.json").read_bytes())["HttpPort"]
    for number, series, modality in ((30, "1.5.4.1", "CT"), (31, "1.5.4.2", "CT"), (32, "1.5.4.2", "CT"), (33, "1.5.4.3", "SR")):
        image = ct(number, patient="A3", study="1.5.4", series=series, Modality=modality)
        rest(port, "/instances", saved(image, tmp_path / "image").read_bytes())
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 1:
            raise BrokenOff

    pull.enter(connection, [["住院号"], ["A3"]], by="test", at=clock.now())
    gently = Asked(pacs.node, pacs.called, pacs.ours, pacs.modalities, per_minute=60)
    with pytest.raises(BrokenOff):
        list(pull.run(connection, gently, now=clock.now, wait=wait))
    assert rows(edge.home, "SELECT state FROM pull") == [("waiting",)]
    assert [(row["state"], row["images"]) for row in pull.run(connection, gently, now=clock.now, wait=wait)] == [("done", 2)]
    assert waited == [1.0, 2.0]
    until(lambda: rows(edge.home, "SELECT modality, count(*) FROM object GROUP BY 1") == [("CT", 3)], "both series, no report")
    assert rows(edge.home, "SELECT count(*) FROM resend") == [(0,)]


def test_the_night_and_the_cap_are_kept(edge: EdgeProcess, pacs: Asked, connection: Any) -> None:
    """The clock is an argument: a minute waited is a minute later."""
    at, waited = [datetime(2026, 3, 2, 12, tzinfo=UTC)], []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        at[0] += timedelta(seconds=seconds)

    local = at[0].astimezone()
    window = ((local + timedelta(hours=2)).time(), (local + timedelta(hours=5)).time())
    pull.enter(connection, LIST[:2], by="test", at=at[0])
    gently = Asked(pacs.node, pacs.called, pacs.ours, pacs.modalities, per_minute=2, window=window)
    assert [row["images"] for row in pull.run(connection, gently, now=lambda: at[0], wait=wait)] == [3]
    assert waited == [60.0] * 120 + [90.0], "two hours until the window; three images at two a minute"
    assert pull.is_open((time(22), time(6)), time(23)) is pull.is_open((time(22), time(6)), time(5, 59)) is True
    assert pull.is_open((time(22), time(6)), time(6)) is pull.is_open((time(1), time(2)), time(2)) is False


def test_a_pacs_that_does_not_know_us_is_said_in_a_sentence(edge: EdgeProcess, pacs: Asked, connection: Any) -> None:
    pull.enter(connection, LIST[:2], by="test", at=clock.now())
    with pytest.raises(PullFault, match="does not let"):
        list(pull.run(connection, Asked(nodes.Node("127.0.0.1", 1), "GONE", "PRIME"), now=clock.now))
    [row] = pull.run(connection, Asked(pacs.node, pacs.called, "PRIME", ("MR",)), now=clock.now)
    assert row["state"] == "nothing"


@pytest.mark.parametrize("table", [[["a"], ["1"]], [["住院号"], ["*"]], [["住院号", "起始日期"], ["1", "spring"]], [["住院号"], [""]]])
def test_a_list_that_is_not_understood_enters_nothing(edge_home: Home, connection: Any, table: list[list[str]]) -> None:
    with pytest.raises(PullFault):
        pull.enter(connection, table, by="test", at=clock.now())
    assert rows(edge_home, "SELECT count(*) FROM pull") == [(0,)]


def test_the_command_fetches_and_reports(edge: EdgeProcess, pacs: Asked, tmp_path: Path) -> None:
    where = ("--dir", str(edge.home.directory))
    added = command(tmp_path, "peer", "add", "STORESCU", "--calls", f"127.0.0.1:{pacs.node.port}", *where)
    assert added.returncode == 0, added.stderr
    assert "STORESCU answered the echo" in command(tmp_path, "peer", "echo", "STORESCU", *where).stdout
    assert "senders find it in order" in command(tmp_path, "peer", "test", *where).stdout
    (tmp_path / "list.csv").write_text("\n".join(",".join(row) for row in LIST), encoding="gb18030")
    said = command(tmp_path, "pull", str(tmp_path / "list.csv"), "--from", "STORESCU", "--json", *where)
    assert said.returncode == 1, said.stderr
    answer = json.loads(said.stdout)
    assert (answer["done"], answer["nothing"], answer["rows"][0]["images"]) == (2, 1, 3)
    assert command(tmp_path, "pull", "--from", "NOBODY", *where).returncode == 2
    assert command(tmp_path, "pull", "--from", "STORESCU", "--window", "night", *where).returncode == 2
