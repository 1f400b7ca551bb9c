"""`manage.py radiomics`: exit status 0 measured, 1 refused, 2 usage; no database."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils.translation import override

from tests.imaging.test_radiomics import ball, texture
from tests.imaging.test_volumes import stack


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    image = texture()
    sitk.WriteImage(image, str(tmp_path / "image.nii.gz"))
    sitk.WriteImage(ball(image, (15, 16, 18)), str(tmp_path / "mask.nrrd"))
    (tmp_path / "original.yaml").write_text("{setting: {binWidth: 25}}")
    return {"image": tmp_path / "image.nii.gz", "mask": tmp_path / "mask.nrrd", "params": tmp_path / "original.yaml"}


def run(*extra: str, **options: Any) -> str:
    out = StringIO()
    call_command("radiomics", *extra, stdout=out, **options)
    return out.getvalue()


def status(**options: Any) -> int:
    with pytest.raises(CommandError) as refused:
        run(**options)
    return refused.value.returncode


def test_command_runs_in_a_process_without_a_database(files: dict[str, Path]) -> None:
    root = Path(__file__).parents[2]
    command = [
        sys.executable,
        "manage.py",
        "radiomics",
        "--json",
        *(part for key, path in files.items() for part in (f"--{key}", str(path))),
    ]
    done = subprocess.run(command, cwd=root, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert len(said["values"]) == 107
    assert {"sha256", "image_sha256", "mask_sha256", "profile_sha256", "software", "diagnostics", "warnings"} <= set(said)


def test_command_prints_the_same_values_in_every_form(files: dict[str, Path]) -> None:
    values = json.loads(run("--json", **files))["values"]
    rows = list(csv.DictReader(StringIO(run("--csv", **files))))
    assert {row["feature"]: float(row["value"]) for row in rows} == values
    assert "107 features" in run(**files)


def test_command_measures_a_folder_of_dicom_files(files: dict[str, Path], tmp_path: Path) -> None:
    """A mask of another grid is refused with status 1: the folder was read and the mask held against it."""
    folder = tmp_path / "series"
    folder.mkdir()
    for place, source in enumerate(stack(0, 5, 10)):
        (folder / str(place)).write_bytes(source)
    with pytest.raises(CommandError, match="36 × 33 × 30 voxels, the image 4 × 3 × 3") as refused:
        run(**{**files, "image": folder})
    assert refused.value.returncode == 1


def test_command_says_no_with_one_and_usage_with_two(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("binWidth: -1")
    assert status(**files, label=4) == 1
    assert status(**{**files, "params": tmp_path / "bad.yaml"}) == 2
    assert status(**{**files, "mask": tmp_path / "absent.nrrd"}) == 2
