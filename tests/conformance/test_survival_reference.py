"""Every survival number of the reference data against R 4.2 `survival` 3.5-3 and `cmprsk` 2.2 (AN-00 … AN-11, AN-15, AN-16)."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis.reference_check import CLOSED, ITERATIVE, UNSUPPORTED, Check, check
from tests.paths import SHARED

DATA = SHARED / "data" / "06_survival_reference"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"reference data are not at {DATA}")
SUMMARIES = ("A_colon_adjuvant_rfs", "C_hepatoCellular_resection", "E_classic", "I_icc_delong")


@pytest.fixture(scope="module")
def compared() -> Check:
    return check(DATA / "expected")


def test_every_number_agrees_or_is_excused(compared: Check) -> None:
    """Three kinds of limits, medians, log-rank plain, stratified, ρ, pairwise, Cox, zph, landmarks, means, competing risks, C, AUC."""
    assert [key.name for key in compared.wrong] == []
    assert compared.digits(CLOSED) >= 10 and compared.digits(ITERATIVE) >= 8


def test_at_most_one_number_in_twenty_is_excused(compared: Check) -> None:
    """Counted without the whole curves, which would make the share look small; every line of the list is used."""
    keys = [key for key in compared.keys if key.file in SUMMARIES]
    assert len(keys) > 2000
    assert sum(key.excused is not None for key in keys) <= len(keys) / 20
    assert set(compared.excused) == set(UNSUPPORTED.values())


def test_command_prints_how_many_keys_agree_and_fails_when_one_does_not(compared: Check, tmp_path: Path) -> None:
    out = StringIO()
    call_command("survival", str(DATA / "expected"), stdout=out)
    assert out.getvalue().splitlines()[-1] == f"{compared.agreeing} of {len(compared.keys)} keys"
    shutil.copytree(DATA / "csv", tmp_path / "csv")
    shutil.copytree(DATA / "expected", tmp_path / "06" / "expected")
    shutil.copytree(DATA.parent / "02_hcc_clinical" / "asaur_hepatoCellular", tmp_path / "02_hcc_clinical" / "asaur_hepatoCellular")
    shutil.move(tmp_path / "csv", tmp_path / "06" / "csv")
    wrong = tmp_path / "06" / "expected" / "C_hepatoCellular_resection.json"
    wrong.chmod(0o600)
    known = json.loads(wrong.read_text())
    known["logrank_rfs_vi"]["chisq"] += 1e-8
    wrong.write_text(json.dumps(known))
    with pytest.raises(CommandError) as refused:
        call_command("survival", str(wrong.parent), stdout=out)
    assert refused.value.returncode == 1
    assert "differs: C_hepatoCellular_resection/logrank_rfs_vi/chisq" in out.getvalue()
