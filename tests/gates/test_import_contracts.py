"""The walls between the rooms stand, and each of the five contracts bites when its wall is breached."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("prime_platform", "analysis", "predictions", "followup", "imaging", "studies", "accounts")
BREACHES = {
    "1. Arrows go down only": ("accounts/people.py", "import studies.models"),
    "2. Data entry never reaches predictions or analysis": ("followup/entry.py", "import predictions.models"),
    "3. The hospital edge": ("imaging/edge/envelope.py", "import django.conf"),
    "4. Pure modules know no framework": ("followup/partial_date.py", "from django.utils import timezone"),
    "5. The models of predictions": ("analysis/apps.py", "import predictions.models"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--config", "pyproject.toml", "--no-cache"], cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms' modules alone, where a wall may be breached without harm."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")])
    return tmp_path


def test_contracts_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("contract", BREACHES)
def test_contract_bites_when_breached(copy, contract):
    module, line = BREACHES[contract]
    path = copy / module
    path.write_text(path.read_text() + f"\n{line}  # the breach\n")
    done = lint(copy)
    assert done.returncode == 1
    assert any(contract in shown and "BROKEN" in shown for shown in done.stdout.splitlines()), done.stdout
