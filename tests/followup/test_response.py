"""RECIST and mRECIST: cases at the thresholds by hand, and 70 patients measured by three readers (hcc_tace_seg)."""

import csv

import pytest

from followup.response import Measured, NotUsed, Response, agreed, response
from tests.paths import SHARED

TABLE = SHARED / "data" / "02_hcc_clinical" / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv"
CODES = {"1.0": Response.COMPLETE, "2.0": Response.PARTIAL, "3.0": Response.STABLE, "4.0": Response.PROGRESSION}
READERS, RULES, DAYS = "123", ("RECIST", "mRECIST"), 7


@pytest.mark.parametrize(
    ("baseline", "follow_up", "said"),
    [(100, 0, "CR"), (100, 70, "PR"), (100, 70.1, "SD"), (100, 119.9, "SD"), (100, 120, "PD"), (0, 5, "NO_LESION_AT_BASELINE"),
     (None, 5, "NOT_MEASURED"), (50, None, "NOT_MEASURED")],
)  # fmt: skip
def test_thresholds_belong_to_response_and_to_progression(baseline, follow_up, said):
    assert response(Measured(baseline, follow_up), days_after=40) == said


def test_new_lesion_is_progression_and_a_scan_before_baseline_is_not_used():
    assert response(Measured(100, 0, new_lesion=True), days_after=40) == Response.PROGRESSION
    assert response(Measured(100, 0), days_after=-1) == NotUsed.BEFORE_BASELINE
    with pytest.raises(ValueError, match="negative"):
        response(Measured(100, -1), days_after=1)


def test_readers_agree_or_a_third_decides():
    assert agreed({"1": Response.PARTIAL, "2": NotUsed.NOT_MEASURED}) == Response.PARTIAL
    assert agreed({"1": Response.PARTIAL, "2": Response.STABLE}) is None
    assert agreed({"1": NotUsed.NOT_MEASURED}) is None


@pytest.mark.skipif(not TABLE.exists(), reason=f"the public cohort is not at {TABLE}")
def test_categories_of_70_patients_are_those_listed_for_all_readers():
    """390 readings; the scan 25.86 weeks before baseline is reported and not used, whatever its sizes say."""
    with TABLE.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    used, before, blank = 0, set(), 0
    for row in rows:
        for reader in READERS:
            for rule in RULES:
                sizes, listed = [row[f"{reader}_{rule}_{when}"] for when in ("BL", "FU")], row[f"{reader}_{rule}"]
                measured = Measured(*(float(size) if size else None for size in sizes))
                found = response(measured, days_after=DAYS * float(row["Interval_FU"] or 0))
                if found == NotUsed.BEFORE_BASELINE:
                    before.add((row["TCIA_ID"], row["Interval_FU"]))
                    found = response(measured, days_after=0)
                if found == NotUsed.NOT_MEASURED:
                    blank += not listed
                else:
                    used += found == CODES[listed]
    assert (len(rows), used, blank) == (70, 390, 30)
    assert before == {("HCC_017", "-25.86")}
