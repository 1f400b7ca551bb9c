"""Published tables in their own words: units, codes, readers and rows left out, against the raw files (PM-06, AN-16)."""

import math

import pandas as pd
import pytest

from predictions.training.foreign import mapping
from predictions.training.foreign.mrecist import Category, agreed, category
from predictions.training.prime import cohort
from predictions.training.table import TableRefused
from tests.paths import SHARED

DATA = SHARED / "data" / "02_hcc_clinical"
there = pytest.mark.skipif(not DATA.exists(), reason="the public cohorts are not here")
NAN = math.nan


@pytest.mark.parametrize(
    ("baseline", "now", "more", "expected"),
    [
        (50, 35, {}, Category.PR),  # −30.0 %
        (50, 35.1, {}, Category.SD),
        (50, 60, {}, Category.PD),  # +20.0 %
        (50, 59.9, {}, Category.SD),
        (50, 0, {}, Category.CR),
        (50, 0, {"new_lesion": True}, Category.PD),
        (50, 3, {"nadir": 0}, Category.PD),
        (50, 24, {"nadir": 20}, Category.PD),  # against the nadir, though −52 % of baseline
        (50, 0, {"nadir": 0}, Category.CR),
        (0.3, 0.21, {}, Category.PR),  # 0.7 · 0.3 is not 0.21 in binary
        (NAN, 20, {}, Category.NE),
        (0, 20, {}, Category.NE),
    ],
)
def test_category_at_its_borders(baseline, now, more, expected):
    assert category(baseline, now, **more) == expected


def test_third_reader_decides_where_two_differ():
    assert agreed([Category.PR, Category.PR, Category.SD]) == Category.PR
    assert agreed([Category.PR, Category.SD, Category.SD]) == Category.SD
    assert agreed([Category.PR, Category.SD]) == Category.NE


@there
def test_category_is_the_listed_one_for_every_reading_of_three_readers():
    """1 CR, 2 PR, 3 SD, 4 PD in the source."""
    raw = pd.read_csv(DATA / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv")
    checked = 0
    for reader in (1, 2, 3):
        rows = raw[[f"{reader}_mRECIST_{end}" for end in ("BL", "FU")] + [f"{reader}_mRECIST"]].dropna()
        for baseline, now, listed in rows.itertuples(index=False):
            assert list(Category).index(category(baseline, now)) + 1 == {1: 1, 2: 2, 3: 3, 4: 4}[int(listed)]
            checked += 1
    assert checked == 3 * 65


@there
def test_weeks_become_days_and_a_negative_interval_is_reported_and_left_out():
    raw = pd.read_csv(DATA / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv").set_index("TCIA_ID")
    frame, _, said = mapping.read(DATA / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv", "hcc_tace_seg_survival")
    assert len(frame) == 69
    assert "HCC_017" not in set(frame["patient"])
    assert any("1 rows are left out" in each and "negative interval" in each for each in said)
    assert any("weeks" in each and "7" in each for each in said)
    assert all(row.time == pytest.approx(7 * raw.OS[row.patient]) for row in frame.itertuples())


@there
def test_strategies_of_tcga_are_156_8_4_0():
    frame, _, _ = mapping.read(DATA / "tcga_lihc" / "data_clinical_patient.txt", "tcga_lihc")
    assert frame["strategy"].value_counts().to_dict() == {"SURG": 156, "TACE": 8, "SYS": 4}


@there
def test_several_lesions_need_a_stated_rule():
    """WAW-TACE: by volume the largest lesion stands for its patient, in both phases."""
    path = DATA / "waw_tace" / "waw_tace_arterial_given.csv"
    frame, sha256, _ = mapping.read(path, "waw_tace")
    with pytest.raises(TableRefused, match="say --lesions"):
        cohort.of_frame(frame, sha256=sha256)
    kept = cohort.of_frame(frame, sha256=sha256, lesions="largest")
    volume = "arterial_original_shape_MeshVolume"
    place = kept.features.index(volume)
    largest = frame.groupby("patient")[[volume, volume.replace("arterial", "venous")]].max().max(axis=1)
    found = kept.x[:, [place, kept.features.index(volume.replace("arterial", "venous"))]].max(axis=1)
    assert dict(zip(kept.patient, found, strict=True)) == pytest.approx(largest.to_dict())
    assert kept.n == frame["patient"].nunique() < len(frame)
    assert kept.response is None and kept.time is None


@there
def test_unknown_code_is_refused(tmp_path):
    (tmp_path / "hcc_tace_seg_radiomics_given.csv").write_bytes((DATA / "hcc_tace_seg" / "hcc_tace_seg_radiomics_given.csv").read_bytes())
    text = (DATA / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv").read_text().replace("Stage-B", "Stage-E")
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(TableRefused, match="BCLC holds 'Stage-E'"):
        mapping.read(tmp_path / "table.csv", "hcc_tace_seg_survival")
