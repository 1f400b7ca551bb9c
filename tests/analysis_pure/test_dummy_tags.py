"""Dummy tags are public noise: computed again by anybody, the same in every cut, and no prediction goes into them (docs/blinding.md §6)."""

import csv
import inspect
import io

from analysis import dummy_tags

BY_SHA256SUM = {"01-0001-01": "fc", "01-0002-02": "dc", "01-0003-03": "c6", "01-0004-04": "d4", "02-0001-05": "4f"}
"""First byte that `printf 'seed\\0NUMBER' | sha256sum` prints."""


def test_tag_is_what_a_command_of_the_system_gives():
    for number, byte in BY_SHA256SUM.items():
        assert dummy_tags.tag("seed", number) == ("CONSISTENT" if int(byte, 16) < 128 else "INCONSISTENT")


def test_file_says_that_it_is_a_dummy():
    rows = list(csv.DictReader(io.StringIO(dummy_tags.table("seed", BY_SHA256SUM).decode())))
    assert [row["patient"] for row in rows] == list(BY_SHA256SUM)
    assert {row["dummy"] for row in rows} == {"yes"}
    assert [row["state"] for row in rows] == ["INCONSISTENT"] * 4 + ["CONSISTENT"]


def test_same_patient_keeps_his_tag_in_every_cut():
    """Two cuts tell no more than one: of a permutation of real tags they tell everything."""
    early, late = (dummy_tags.table("seed", numbers).splitlines() for numbers in (list(BY_SHA256SUM)[:3], list(BY_SHA256SUM)))
    assert late[: len(early)] == early


def test_half_of_many_are_consistent():
    """10,000 numbers: 5,000 ± 4 standard errors of 50; another seed makes half of them different."""
    numbers = [f"01-{place:04d}-00" for place in range(10_000)]
    one, other = ([dummy_tags.tag(seed, number) for number in numbers] for seed in ("seed", "other"))
    assert abs(one.count("CONSISTENT") - 5000) < 200
    assert abs(sum(a == b for a, b in zip(one, other, strict=True)) - 5000) < 200


def test_nothing_goes_in_but_seed_and_numbers():
    assert list(inspect.signature(dummy_tags.table).parameters) == ["seed", "numbers"]
