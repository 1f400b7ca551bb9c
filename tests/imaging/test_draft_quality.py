"""Sampled quality control of drafts: the draw can be repeated, the interval is that of statsmodels, the command answers yes or no."""

import random
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from django.core.management import CommandError, call_command
from django.utils.translation import override
from statsmodels.stats.proportion import proportion_confint

from imaging.draft_quality import judge, sample

NAMES = [f"{center:02d}-{number:04d}-00" for center, count in ((1, 40), (2, 5)) for number in range(count)]


def test_sample_is_drawn_within_each_center_and_again_the_same() -> None:
    """10 % of 40 are 4, of 5 one; order and doubles play no part, another salt draws others."""
    drawn = sample(NAMES, share=0.1, salt="2026-a")
    assert [sum(name.startswith(center) for name in drawn) for center in ("01", "02")] == [4, 1]
    assert sample([*random.Random(1).sample(NAMES, len(NAMES)), NAMES[0]], share=0.1, salt="2026-a") == drawn
    assert sample(NAMES, share=0.1, salt="2026-b") != drawn
    assert sample(NAMES, share=1, salt="x") == sorted(NAMES)


@pytest.mark.parametrize(("good", "count"), [(0, 7), (7, 7), (19, 20), (20, 20), (95, 100), (40, 50)])
def test_interval_is_that_of_statsmodels(good: int, count: int) -> None:
    found = judge([0.8] * good + [0.799] * (count - good))
    low, high = proportion_confint(good, count, method="wilson")
    assert (found.good, found.count) == (good, count)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


def test_all_good_of_few_is_not_enough() -> None:
    """By hand: n of n good has the lower end n/(n + 3.8415): 15/18.84 = 0.796, 16/19.84 = 0.806."""
    assert not judge([0.9] * 15).may_stand
    assert judge([0.9] * 16).may_stand


def put(folder: Path, name: str, width: int) -> None:
    """A block of 4 × 4 × `width` voxels as a mask."""
    grid = np.zeros((8, 12, 12), dtype=np.uint8)
    grid[2:6, 2:6, 2 : 2 + width] = 1
    folder.mkdir(exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(grid), str(folder / f"{name}.nii.gz"))


@pytest.mark.parametrize(("width", "status"), [(6, 0), (8, 1)])
def test_command_says_whether_the_rest_may_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str], width: int, status: int) -> None:
    """Drafts of 5 columns: corrected to 6 the Dice is 2·5/11 = 0.909, to 8 it is 10/13 = 0.769; 16 of 16 drafts are compared."""
    names = [f"01-{number:04d}-00" for number in range(16)]
    for name in names:
        put(tmp_path / "drafts", name, 5)
    with override("en"):
        call_command("draft_quality", str(tmp_path / "drafts"), "--share", "1")
        assert capsys.readouterr().out.split() == names
        with pytest.raises(CommandError, match="Not corrected yet") as refused:
            call_command("draft_quality", str(tmp_path / "drafts"), "--share", "1", "--corrected", str(tmp_path / "corrected"))
        assert refused.value.returncode == 2
        for name in names:
            put(tmp_path / "corrected", name, width)
        arguments = ["draft_quality", str(tmp_path / "drafts"), "--share", "1", "--corrected", str(tmp_path / "corrected")]
        if status:
            with pytest.raises(CommandError, match="may not stand") as answered:
                call_command(*arguments)
            assert answered.value.returncode == status
        else:
            call_command(*arguments)
            said = capsys.readouterr().out
            assert "16 of 16 drafts needed little correction: 100 % (95 % interval 81 to 100 %)." in said
            assert "Dice 0.909  Hausdorff 1.0 mm" in said
