"""The ledger's chain: what it shows alone, and what only an outside head shows (SL-02, SL-03, SL-04)."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import chain

DAY = 86_400_000_000  # µs


def build(bodies: list[bytes], *, start: int = 0, step: int = DAY, kind: str = "seal") -> list[chain.Row]:
    rows: list[chain.Row] = []
    head = chain.NO_HEAD
    for index, body in enumerate(bodies, chain.FIRST_INDEX):
        row = chain.extend(head, nonce=bytes([index + 1]) * 32, index=index, at=start + index * step, kind=kind, body=body)
        rows.append(row)
        head = row.head
    return rows


def relink(rows: list[chain.Row]) -> list[chain.Row]:
    """Somebody with full rights makes every hash fit again."""
    head, fitting = chain.NO_HEAD, []
    for index, row in enumerate(rows, chain.FIRST_INDEX):
        fitting.append(chain.extend(head, nonce=row.nonce, index=index, at=row.at, kind=row.kind, body=row.body))
        head = fitting[-1].head
    return fitting


def anchor(row: chain.Row, *, late: int = 60_000_000) -> chain.Anchor:
    return chain.Anchor(row.index, row.head, row.at + late)


@pytest.fixture
def rows() -> list[chain.Row]:
    return build([f"record {index}".encode() for index in range(8)])


def test_commitment_and_head_have_the_written_layout():
    """Formats c, spelled out byte by byte."""
    nonce, body = bytes(range(32)), b'{"a":1}'
    record = b"prime/C/1\0" + nonce + bytes.fromhex("0000000000000005") + bytes.fromhex("ffffffffffffffff") + b"seal\0" + body
    committed = chain.commitment(nonce=nonce, index=5, at=-1, kind="seal", body=body)
    assert committed == hashlib.sha256(record).digest()
    assert chain.link(chain.NO_HEAD, committed) == hashlib.sha256(b"prime/h/1\0" + bytes(32) + committed).digest()


def test_commitment_of_one_record_differs_with_its_nonce():
    """SL-02: four recommendations cannot be enumerated."""
    given = {"index": 0, "at": 0, "kind": "seal", "body": b"SURG"}
    assert chain.commitment(nonce=bytes(32), **given) != chain.commitment(nonce=b"\1" * 32, **given)


@pytest.mark.parametrize("bad", [{"nonce": b"short"}, {"kind": "rumour"}])
def test_commitment_refuses_a_short_nonce_and_an_unknown_kind(bad):
    given = {"nonce": bytes(32), "index": 0, "at": 0, "kind": "seal", "body": b""} | bad
    with pytest.raises(ValueError, match="nonce|kind"):
        chain.commitment(**given)


def test_whole_chain_with_its_anchors_has_no_fault(rows):
    assert chain.verify(rows, [anchor(row) for row in rows]) == []
    assert chain.verify_links([row.link for row in rows], [anchor(rows[-1])]) == []


def test_every_prefix_is_a_chain(rows):
    assert all(chain.verify(rows[:length]) == [] for length in range(len(rows) + 1))


@pytest.mark.parametrize(
    "change",
    [{"body": b"other"}, {"kind": "lock"}, {"nonce": b"\7" * 32}, {"at": 3 * DAY + 1}, {"commitment": b"\0" * 32}, {"head": b"\0" * 32}],
)
def test_an_edited_row_is_named(rows, change):
    """SL-04: every part of a row is under its commitment, and one edit is told once, at its index."""
    rows[3] = replace(rows[3], **change)
    faults = chain.verify(rows)
    assert faults
    assert any(fault.startswith("row 3:") for fault in faults)
    assert all(fault.startswith(("row 3:", "row 4:")) for fault in faults)


def test_a_deleted_an_inserted_and_an_exchanged_row_are_named(rows):
    assert chain.verify(rows[:3] + rows[4:])[0].startswith("row 4: stands where row 3 belongs")
    assert any(fault.startswith("row 3:") for fault in chain.verify([*rows[:4], rows[3], *rows[4:]]))
    exchanged = [*rows[:3], rows[4], rows[3], *rows[5:]]
    assert {fault.split(":")[0] for fault in chain.verify(exchanged)} >= {"row 3", "row 4"}


def test_rows_exchanged_under_each_others_index_do_not_fit_their_commitments(rows):
    swapped = [*rows[:3], replace(rows[4], index=3), replace(rows[3], index=4), *rows[5:]]
    faults = chain.verify(swapped)
    assert any("row 3: its record" in fault for fault in faults)
    assert any("row 4: its record" in fault for fault in faults)


def test_time_that_runs_backwards_is_named(rows):
    backwards = relink([*rows[:3], replace(rows[3], at=rows[2].at - 1), *rows[4:]])
    assert [fault.split(":")[0] for fault in chain.verify(backwards)] == ["row 3"]


def test_cut_tail_and_rewritten_chain_pass_without_an_anchor_and_fail_with_one(rows):
    """SL-04, teeth: only a head that left the house finds these two."""
    anchors = [anchor(row) for row in rows]
    cut, rewritten = rows[:-1], relink([*rows[:5], replace(rows[5], body=b"other"), *rows[6:]])
    assert chain.verify(cut) == []
    assert chain.verify(rewritten) == []
    assert [fault.split(":")[0] for fault in chain.verify(cut, anchors)] == ["row 7"]
    assert [fault.split(":")[0] for fault in chain.verify(rewritten, anchors)] == ["row 5", "row 6", "row 7"]


def test_an_emptied_chain_is_found_by_its_anchor(rows):
    assert "tail was cut" in chain.verify([], [anchor(rows[0])])[0]


def test_row_later_than_the_anchor_that_knew_it_is_named(rows):
    """SL-06: one second of skew is allowed, more is not."""
    assert chain.verify(rows, [anchor(rows[3], late=-1_000_000)]) == []
    assert chain.verify(rows, [anchor(rows[3], late=-1_000_001)])[0].startswith("row 3: says")


def test_back_dated_row_is_found_by_the_anchor_that_did_not_know_it():
    rows = build([b"a", b"b", b"c"], step=0)
    known = chain.Anchor(1, rows[1].head, 2 * 3_600_000_000)
    assert chain.verify(rows, [known])[0].startswith("row 2: says")


def test_first_covering_anchor_is_the_earliest_that_proves_the_row(rows):
    early, late = anchor(rows[4]), anchor(rows[6])
    assert chain.first_covering([late, early], 4) == early
    assert chain.first_covering([late, early], 5) == late
    assert chain.first_covering([late, early], 7) is None


def test_microseconds_and_instant_are_inverse():
    assert chain.microseconds(chain.instant(1_795_000_000_123_456)) == 1_795_000_000_123_456


def test_anchor_returns_from_its_file_and_other_bytes_are_refused(rows):
    assert chain.Anchor.decode(anchor(rows[2]).encode()) == anchor(rows[2])
    for data in (b"", b"[]", b"{}", b'{"index":1,"h":"zz","at":1}'):
        with pytest.raises(ValueError, match=r".+"):
            chain.Anchor.decode(data)


@given(st.data())
def test_no_chain_but_the_anchored_one_and_its_continuations_passes(data):
    """SL-04: rows dropped, repeated, reordered or rewritten, with every hash made to fit again or not."""
    whole = build([f"record {index}".encode() for index in range(6)])
    anchors = [anchor(row) for row in whole]
    kept = data.draw(st.lists(st.sampled_from(range(6)), max_size=8))
    changed = [replace(whole[place], body=data.draw(st.sampled_from([whole[place].body, b"other"]))) for place in kept]
    if data.draw(st.booleans()):
        changed = relink(changed)
    assert (chain.verify(changed, anchors) == []) == (changed == whole)
