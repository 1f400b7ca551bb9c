"""The benchmark of the listener runs, counts what was stored and judges every aim; its figures are for people, not for tests."""

import shutil

import pytest

from imaging import ingest_bench


@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")
def test_every_receiver_gets_the_same_instances_and_every_aim_a_verdict() -> None:
    rows = ingest_bench.ingest(instances=4, rounds=1, series=8)
    measured = [row for row in rows if "receiver" in row]
    assert {row["receiver"] for row in measured} >= {"ours", "pynetdicom + fdatasync"}
    assert len(measured) == 4 * len({row["receiver"] for row in measured})
    assert all(row["ratio"] == 1 for row in measured if row["receiver"] == "pynetdicom + fdatasync")
    assert [row["wanted"] for row in rows if "aim" in row] == [">= 3.0", ">= 20.0", ">= 1.5", ">= 2.5", "<= 1", "<= 66", "<= 72"]
    assert all(row["cause"] for row in rows if row.get("held") == "NO" and "not measured" not in row["measured"])
