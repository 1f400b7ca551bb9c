"""Held images: released ones go their normal way, rejected ones stay until the policy, and every decision stays written."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from pydicom import dcmread

from imaging.edge import acts, associations, clock, quarantine, state
from imaging.edge.home import Home
from imaging.edge.intake import Intake
from imaging.edge.page import faults
from imaging.edge.quarantine import REASONS, Group, NotPossible
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool
from imaging.edge.words import CHINESE
from tests.imaging.edge.parts import LOCAL_ID, OTHER_NUMBER, EdgeProcess, Platform, ct, link, pixel_hash, rows, saved, send, until

Start = Callable[..., EdgeProcess]
BURNED = {"BurnedInAnnotation": "YES"}


@pytest.fixture
def connection(edge_home: Home) -> Iterator[sqlite3.Connection]:
    with closing(state.connect(edge_home.database)) as opened:
        yield opened


def group(connection: sqlite3.Connection) -> Group:
    (row,) = quarantine.listed(connection, rejected=False, limit=10)
    return Group(row["study_uid"], row["issuer"], row["local_id"], row["reason"])


def decide(connection: sqlite3.Connection, what: str, why: str = "seen on the console") -> int:
    if what == "release":
        return quarantine.release(connection, group(connection), why=why, by="ZS", at=clock.now())
    return quarantine.reject(connection, group(connection), why=why, by="ZS", at=clock.now())


def test_a_crash_of_who_receives_shows_no_held_image_again(edge_home: Home, connection: sqlite3.Connection) -> None:
    """The durable name in `arriving` outlives a kill; shown again in the spool it is another name of the file that is held already.

    The name in the spool must go, and after a release the one in quarantine; rename(2) leaves two names of one file as they are.
    """
    spool = Spool(edge_home.spool, reserve=0)
    file = spool.begin()
    file.write(saved(ct(1, **BURNED), edge_home.directory / "image").read_bytes())
    name = file.keep().name
    with closing(Sandbox()) as sandbox:
        intake = Intake(edge_home, connection, sandbox)
        assert intake.step() == 1
        Spool(edge_home.spool, reserve=0).sweep()  # the half that receives begins anew
        assert [path.name for path in edge_home.spool.iterdir()] == [name]
        assert intake.step() == 0
        assert [path.name for path in edge_home.quarantine.iterdir()] == [name]
        assert not list(edge_home.spool.iterdir())
        os.link(edge_home.quarantine / name, edge_home.spool / name)  # as above, and released before the next step
        assert decide(connection, "release") == 1
        intake.step()
    assert [path.name for path in edge_home.spool.iterdir()] == [name]
    assert not list(edge_home.quarantine.iterdir())


def test_a_released_image_goes_its_normal_way(
    edge_home: Home, platform: Platform, start_edge: Start, connection: sqlite3.Connection
) -> None:
    edge = start_edge(edge_home)
    image = ct(1, **BURNED, ImageType=["DERIVED", "SECONDARY"])
    assert send(edge.port, [image]) == [0]
    until(lambda: rows(edge_home, "SELECT reason FROM object") == [("burned-in",)], "held")
    until(lambda: list(edge_home.quarantine.iterdir()), "moved")
    assert decide(connection, "release") == 1
    until(lambda: rows(edge_home, "SELECT reason FROM object") == [("derived-secondary",)], "held again, for the other reason")
    assert decide(connection, "release") == 1
    until(lambda: rows(edge_home, "SELECT state FROM object") == [("archived",)], "archived")
    assert [pixel_hash(dcmread(path)) for path in platform.objects()] == [pixel_hash(image)]
    assert send(edge.port, [image]) == [0]
    until(lambda: rows(edge_home, "SELECT count(*) FROM resend") == [(1,)], "sent again it is known, not held again")
    assert rows(edge_home, "SELECT what, reason, why, by FROM act") == [
        ("released", "burned-in", "seen on the console", "ZS"),
        ("released", "derived-secondary", "seen on the console", "ZS"),
    ]


@pytest.fixture
def received(edge_home: Home, connection: sqlite3.Connection) -> Iterator[Callable[..., None]]:
    """Puts images through the edge's intake, without a running edge."""
    sandbox = Sandbox()
    intake, spool = Intake(edge_home, connection, sandbox), Spool(edge_home.spool, reserve=0)

    def receive(*images: object) -> None:
        for number, image in enumerate(images):
            path = saved(image, edge_home.directory / "image")  # type: ignore[arg-type]
            spool.take(f"{number}{clock.now().timestamp()}.dcm", [path.read_bytes()], path.stat().st_size)
            intake.step()

    yield receive
    sandbox.close()


def test_a_conflicting_second_version_never_replaces_the_first(
    edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]
) -> None:
    received(ct(1, uid="1.2.3.4.5"), ct(2, uid="1.2.3.4.5"))
    with pytest.raises(NotPossible, match="cannot be replaced"):
        decide(connection, "release")
    assert decide(connection, "reject") == 1
    assert rows(edge_home, "SELECT state FROM object ORDER BY received_at") == [("waiting",), ("quarantined",)]
    assert quarantine.open_reasons(connection) == {}


def test_two_held_versions_of_one_image_cannot_both_leave(
    edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]
) -> None:
    received(ct(1, uid="1.2.3.4.5", **BURNED), ct(2, uid="1.2.3.4.5", **BURNED))
    with pytest.raises(NotPossible, match="on its way"):
        decide(connection, "release")
    assert rows(edge_home, "SELECT count(*) FROM object WHERE state = 'quarantined'") == [(2,)]
    assert len(list(edge_home.quarantine.iterdir())) == 2
    assert not rows(edge_home, "SELECT * FROM act")


def test_corrected_links_let_a_torn_image_go(edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]) -> None:
    received(ct(1), ct(2, patient="OTHER", series="1.2.3.5"))
    assert group(connection).reason == "mixed-patients"
    link(edge_home, OTHER_NUMBER, "OTHER")
    assert decide(connection, "release", "both numbers are one person") == 1
    assert rows(edge_home, "SELECT state FROM object") == [("waiting",)] * 2
    assert len(list(edge_home.quarantine.iterdir())) == 1, "moved by who takes in, at its next step"
    received(ct(3, study="1.2.4", series="1.2.4.1"))
    assert len(list(edge_home.spool.iterdir())) == 3
    assert not list(edge_home.quarantine.iterdir())


def test_a_rejected_image_is_kept_until_the_policy_and_its_rows_stay(
    edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]
) -> None:
    received(ct(1, **BURNED))
    decide(connection, "reject")
    now = clock.now()
    assert quarantine.purge(edge_home, connection, at=now + timedelta(days=89)) == 0
    assert len(list(edge_home.quarantine.iterdir())) == 1
    (row,) = quarantine.listed(connection, rejected=True, limit=10)
    assert (row["person"], row["by"], row["why"]) == ("Zhang San", "ZS", "seen on the console")
    assert quarantine.purge(edge_home, connection, at=now + timedelta(days=90, seconds=1)) == 1
    assert not list(edge_home.quarantine.iterdir())
    assert quarantine.purge(edge_home, connection, at=now + timedelta(days=91)) == 0
    assert rows(edge_home, "SELECT what FROM act ORDER BY id") == [("rejected",), ("purged",)]
    assert rows(edge_home, "SELECT count(*) FROM object") == [(1,)]
    assert not quarantine.listed(connection, rejected=True, limit=10)


def test_a_rejected_image_can_still_be_released(edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]) -> None:
    received(ct(1, **BURNED))
    held = group(connection)
    decide(connection, "reject")
    assert quarantine.release(connection, held, why="looked again", by="LS", at=clock.now()) == 1
    assert quarantine.purge(edge_home, connection, at=clock.now() + timedelta(days=1000)) == 0


def test_a_decision_needs_its_reason_and_cannot_be_unwritten(
    edge_home: Home, connection: sqlite3.Connection, received: Callable[..., None]
) -> None:
    received(ct(1, **BURNED))
    held = group(connection)
    for what in ("release", "reject"):
        with pytest.raises(NotPossible, match="Say why"):
            decide(connection, what, " ")
    decide(connection, "reject")
    for change in ("UPDATE act SET why = 'other'", "DELETE FROM act"):
        with pytest.raises(sqlite3.IntegrityError, match="stays written"):
            connection.execute(change)
    with pytest.raises(NotPossible, match="decided about meanwhile"):
        quarantine.reject(connection, Group("9.9", held.issuer, LOCAL_ID, held.reason), why="x", by="ZS", at=clock.now())


def test_every_reason_and_act_has_words_in_both_languages() -> None:
    said = [*REASONS.values(), quarantine.OTHERWISE, *acts.NAMES.values(), *faults.PARTS.values(), *faults.CODES.values()]
    said += [
        *associations.REJECTED.values(),
        *associations.ANSWERS.values(),
        *associations.ENDS.values(),
        *associations.WHY.values(),
        associations.COMMITTED,
    ]
    assert set(said) <= CHINESE.keys()
