"""Study numbers as the edge reads them, and the link table (EN-05, formats b and e)."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.edge import links, state, study_number
from imaging.edge.links import LinkFault
from studies import study_number as platform_study_number

NUMBERS = st.builds(study_number.make, st.integers(0, 99).map("{:02d}".format), st.integers(1, 9999))
NOW = datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)


@given(st.integers(0, 99).map("{:02d}".format), st.integers(1, 9999))
def test_edge_and_platform_make_the_same_numbers(center: str, sequence: int) -> None:
    made = study_number.make(center, sequence)
    assert made == platform_study_number.make(center, sequence)
    assert int(made.replace("-", "")) % 97 == 1


def test_edge_and_platform_agree_on_every_number_of_three_centers() -> None:
    for center in ("00", "01", "99"):
        for sequence in range(1, 10_000, 7):
            assert study_number.make(center, sequence) == platform_study_number.make(center, sequence)


def verdict(check: Any, text: str) -> str | None:
    try:
        return str(check(text))
    except ValueError:
        return None


@given(NUMBERS)
def test_every_single_error_and_exchange_of_neighbours_is_caught_by_both(number: str) -> None:
    digits = number.replace("-", "")
    wrong = {digits[:at] + other + digits[at + 1 :] for at in range(8) for other in "0123456789"}
    wrong |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(7)}
    for text in wrong - {digits}:
        assert verdict(study_number.check, text) is None
        assert verdict(platform_study_number.check, text) is None
    assert verdict(study_number.check, digits) == verdict(platform_study_number.check, digits) == number


@given(st.text(alphabet="0123456789- ０１２３－—x", max_size=14))
def test_edge_and_platform_refuse_and_accept_the_same_texts(text: str) -> None:
    assert verdict(study_number.check, text) == verdict(platform_study_number.check, text)


@pytest.mark.parametrize("text", ["01-0007-50", "０１－０００７－５０", " 01 0007 50 ", "01000750", "01—0007—50"])
def test_number_is_read_as_people_type_it(text: str) -> None:
    assert study_number.check(text) == "01-0007-50"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = state.connect(tmp_path / "edge.sqlite")
    yield connection
    connection.close()


def link(database: sqlite3.Connection, number: str, local_id: str, **changed: Any) -> str:
    given = {"issuer": "", "kind": "imaging", "name": "", "by": "admin", "at": NOW} | changed
    return links.link(database, center="01", number=number, local_id=local_id, **given)


def test_participant_has_many_ids_and_an_id_one_participant(database: sqlite3.Connection) -> None:
    link(database, "01-0007-50", "IMG1")
    link(database, "01-0007-50", "ADM9", kind="admission")
    link(database, "01-0008-47", "IMG1", issuer="OTHER HOSPITAL", kind="outside")
    with pytest.raises(LinkFault, match="01-0007-50"):
        link(database, "01-0008-47", "img1 ")
    assert link(database, "01-0007-50", "IMG1") == "01-0007-50"
    assert len(links.listed(database)) == 3


def test_id_may_be_linked_again_after_it_was_unlinked_and_both_stay_on_record(database: sqlite3.Connection) -> None:
    link(database, "01-0007-50", "IMG1")
    assert links.unlink(database, center="01", local_id="ＩＭＧ１", issuer="", by="admin", at=NOW) == "01-0007-50"
    link(database, "01-0008-47", "IMG1")
    found = database.execute("SELECT study_number, unlinked_at, unlinked_by FROM link ORDER BY id").fetchall()
    assert [tuple(row) for row in found] == [("01-0007-50", "2026-03-02T08:15:30Z", "admin"), ("01-0008-47", None, None)]
    with pytest.raises(LinkFault, match="not linked"):
        links.unlink(database, center="01", local_id="NEVER", issuer="", by="admin", at=NOW)


@pytest.mark.parametrize(("number", "local_id", "changed", "words"), [
    ("01-0007-51", "X", {}, "check digits"),
    ("02-0007-05", "X", {}, "center 02"),
    ("01-0007-50", "  ", {}, "not empty"),
    ("01-0007-50", "X", {"kind": "other"}, "kind"),
])  # fmt: skip
def test_link_that_cannot_be_is_refused_with_a_reason(
    database: sqlite3.Connection, number: str, local_id: str, changed: dict[str, str], words: str
) -> None:
    if number.startswith("02"):
        number = study_number.make("02", 7)
    with pytest.raises(LinkFault, match=words):
        link(database, number, local_id, **changed)
    assert links.listed(database) == []


def test_database_itself_keeps_an_id_to_one_participant(database: sqlite3.Connection) -> None:
    insert = "INSERT INTO link (study_number, issuer, local_id, kind, by, at) VALUES (?, '01', 'IMG1', 'imaging', 'x', 'y')"
    database.execute(insert, ("01-0007-50",))
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(insert, ("01-0008-47",))
