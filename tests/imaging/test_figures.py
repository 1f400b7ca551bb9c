"""The numbers beneath a verdict, in English and Chinese: each sentence says how much and where (NW-09)."""

import math
from dataclasses import replace

import pytest
from django.utils import translation

from imaging import figures
from imaging.assessment import _columns
from imaging.geometry import Slice, assess
from imaging.models import Series
from tests.imaging.test_geometry import stack

TILT = (1.0, 0.0, 0.0, 0.0, math.cos(math.radians(15)), -math.sin(math.radians(15)))
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def judged(slices: list[Slice], **facts: str) -> Series:
    """A series with what the worker writes of such slices."""
    return Series(modality="CT", facts=facts, **_columns(assess(slices), []))


@pytest.mark.parametrize(
    ("slices", "english", "chinese"),
    [
        (stack(), "", ""),
        ([replace(one, orientation=TILT) for one in stack()], "leans by 15.0°", "相差 15.0°"),
        (
            [one for i, one in enumerate(stack()) if i not in (4, 5)],
            "7.5 mm from the first slice, 2 slices are missing.", "距首层 7.5 mm 处缺 2 层",
        ),
        ([*stack(), replace(stack()[3], key="x")], "1 slice repeats", "1 层与该位置已有图像相同"),
        (
            [*[replace(one, pixels=one.key) for one in stack()], replace(stack()[3], key="x", pixels="x")],
            "1 slice shows something else", "1 层与同一位置的另一图像内容不同",
        ),
        ([*stack(), *[replace(one, orientation=CORONAL) for one in stack(3)]], "belong together: 20 + 3.", "各组层数：20 + 3"),
        ([replace(one, reference=str(i // 15)) for i, one in enumerate(stack())], "belong together: 15 + 5.", "各组层数：15 + 5"),
        (stack(4), "4 places in all; 10 are needed.", "共 4 个层面位置"),
        (
            [replace(one, position=(0.0, 0.0, 2.5 * i + (0.7 if i > 9 else 0))) for i, one in enumerate(stack())],
            "0.33 mm off the even grid of 2.54 mm", "2.54 mm 等距网格相差 0.33 mm",
        ),
    ],
)  # fmt: skip
def test_verdict_says_how_much(slices: list[Slice], english: str, chinese: str) -> None:
    series = judged(slices)
    for language, wanted in (("en", english), ("zh-hans", chinese)):
        with translation.override(language):
            said = " ".join(figures.sentences(series))
            assert wanted in said
            assert bool(said) is bool(wanted)


def test_parts_of_a_mixed_series_carry_their_phase() -> None:
    """Injected at 10:00:00; passes begin 32 s and 68 s later, told by the time alone: arterial and portal venous."""
    mixed = [replace(one, key=f"{at}{one.key}", acquired=at + 0.2 * i) for at in (36_032.0, 36_068.0) for i, one in enumerate(stack())]
    series = judged(mixed, ContrastBolusAgent="iodinated", ContrastBolusStartTime="100000")
    with translation.override("en"):
        said = [(str(part.by), part.value, part.count, part.start, part.end, str(part.phase)) for part in figures.parts(series)]
    assert said == [
        ("acquisition time", "10:00:32", 20, 0.0, 47.5, "arterial phase"),
        ("acquisition time", "10:01:08", 20, 0.0, 47.5, "portal venous phase"),
    ]


def test_series_judged_before_has_no_parts() -> None:
    """Rows of an older release say less."""
    findings = {"tilt": 0.0, "gaps": [], "duplicates": 20, "acquisitions": 2}
    old = Series(modality="CT", facts={}, verdict="several_acquisitions", findings=findings)
    assert figures.parts(old) == []
    assert figures.sentences(old) == []
