"""Charts read back as XML: steps, bands, numbers under their ticks, no inline style."""

import re
from datetime import date
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from analysis.accrual_chart import AccrualWords, accrual_chart
from analysis.charts import DAYS_PER_MONTH, Clock, Strand, SurvivalWords, survival_chart
from analysis.kaplan_meier import Curve, kaplan_meier
from analysis.weighted_curve import weighted_kaplan_meier

WORDS = SurvivalWords("曲线 <A & B>", "Months from surgery", "Recurrence-free", "At risk", "Fewer than ten participants.")
ACCRUAL = AccrualWords("Enrolment", "bars: per week", "plan", "Nobody is enrolled yet.")
PLOT_TOP, LEFT = 12.0, 52.0


def curve(seed: int = 1, n: int = 200) -> Curve:
    random = np.random.default_rng(seed)
    relapse, followed = random.exponential(900, n), random.uniform(200, 1300, n)
    return kaplan_meier(np.ceil(np.minimum(relapse, followed)), relapse <= followed)


def parsed(chart: str) -> Xml.Element:
    return Xml.fromstring(chart)  # noqa: S314 (our own output)


def of_class(drawing: Xml.Element, name: str) -> list[Xml.Element]:
    return [element for element in drawing.iter() if name in (element.get("class") or "").split()]


def texts(drawing: Xml.Element) -> list[str]:
    return [element.text or "" for element in drawing.iter("text")]


def steps(commands: str) -> tuple[list[float], list[float]]:
    """Days (as x) and levels (as y) of a staircase that begins with M."""
    x, y = commands.removeprefix("M").split("H", 1)[0].split()
    pairs = re.findall(r"H([\d.]+)V([\d.]+)", commands)
    return [float(x), *(float(a) for a, _ in pairs)], [float(y), *(float(b) for _, b in pairs)]


def test_curve_is_a_staircase_from_100_percent_down_to_the_estimate() -> None:
    known = curve()
    drawing = parsed(survival_chart([Strand("all", known)], WORDS))
    [line] = [element for element in of_class(drawing, "km") if element.tag == "path"]
    x, y = steps(line.get("d") or "")
    bottom = 346 - 48 - 18
    shown = known.time <= known.observed[-10]
    np.testing.assert_allclose(y, bottom - (bottom - PLOT_TOP) * np.concatenate(([1], known.survival[shown])), atol=0.051)
    assert x[0] == LEFT and x == sorted(x)
    assert line.get("class") == "km k0"


def test_axes_say_what_they_show_from_0_to_100_percent_in_months() -> None:
    drawing = parsed(survival_chart([Strand("all", curve())], WORDS))
    assert drawing.get("aria-label") == WORDS.title and drawing.get("role") == "img"
    for words in ("0%", "25%", "50%", "75%", "100%", WORDS.time, WORDS.survival, WORDS.at_risk, "12", "24", "36"):
        assert words in texts(drawing)


def test_no_inline_style_and_only_known_classes() -> None:
    """SE-01: the content security policy allows none."""
    for chart in (survival_chart([Strand("a", curve(), 1), Strand("b", curve(2), 2)], WORDS, clock=Clock(90, 600)), accrual()):
        assert "style" not in chart and "<script" not in chart and "{" not in chart
        used = {name for element in parsed(chart).iter() for name in (element.get("class") or "").split()}
        assert used <= {"c", "ax", "gl", "sm", "strong", "cut", "km", "k0", "k1", "k2", "band", "a0", "a1", "a2", "tick", "bar2", "target"}


def test_numbers_at_risk_stand_under_their_ticks_led_by_a_line_sample() -> None:
    known = curve()
    drawing = parsed(survival_chart([Strand("一致", known, 1), Strand("不一致", curve(2), 2)], WORDS))
    samples = [element for element in of_class(drawing, "km") if element.tag == "line"]
    assert [element.get("class") for element in samples] == ["km k1", "km k2"]
    assert [element.findtext("title") for element in samples] == ["一致", "不一致"]
    ticks = {element.text: element.get("x") for element in drawing.iter("text") if element.get("y") == "280.0"}
    row = [(element.get("x"), element.text) for element in drawing.iter("text") if element.get("y") == "314.0"]
    assert dict(row)[ticks["12"]] == str(int(known.number_at_risk(12 * DAYS_PER_MONTH)[0]))


def test_curve_and_numbers_end_where_fewer_than_ten_are_left() -> None:
    known = kaplan_meier(np.arange(1, 41) * 30, np.tile([1, 0], 20))
    drawing = parsed(survival_chart([Strand("all", known)], WORDS))
    [line] = [element for element in of_class(drawing, "km") if element.tag == "path"]
    assert (line.get("d") or "").count("V") == int((known.time <= 31 * 30).sum())
    numbers = [int(text) for element in drawing.iter("text") if element.get("y") == "332.0" and (text := element.text)]
    assert min(numbers) >= 10


def test_band_encloses_the_curve_and_ticks_mark_the_censored() -> None:
    known = kaplan_meier(np.arange(1, 31) * 40, np.tile([1, 1, 0], 10))
    drawing = parsed(survival_chart([Strand("all", known)], WORDS, censored_url="/why?x=1&y=2"))
    [band] = of_class(drawing, "band")
    assert (band.get("d") or "").endswith("Z") and "nan" not in (band.get("d") or "")
    [tick] = of_class(drawing, "tick")
    assert (tick.get("d") or "").count("v7") == int((known.censored <= known.observed[-10]).sum())
    [link] = drawing.iter("a")
    assert link.get("href") == "/why?x=1&y=2"


def test_landmark_starts_the_axis_and_the_reading_line_is_dotted() -> None:
    """EP-07, F4: figures are read at day 1126, the end of the M36 window."""
    drawing = parsed(survival_chart([Strand("all", curve(3, 900))], WORDS, clock=Clock(start=90, read_at=1126, until=1126)))
    [cut] = of_class(drawing, "cut")
    assert float(cut.get("x1") or 0) == pytest.approx(560 - 12)
    labels = [element for element in drawing.iter("text") if element.get("y") == "298.0"]
    assert labels[0].text == "3" and float(labels[0].get("x") or 0) == pytest.approx(LEFT, abs=1)


def test_weighted_curves_show_effective_numbers() -> None:
    random = np.random.default_rng(1)
    weighted = weighted_kaplan_meier(random.uniform(10, 900, 80), random.integers(0, 2, 80), random.uniform(0, 1, 80))
    drawing = parsed(survival_chart([Strand("all", weighted)], WORDS))
    row = [element.text for element in drawing.iter("text") if element.get("y") == "332.0"]
    assert row[0] == f"{weighted.effective_at_risk(0)[0]:.0f}" != "80"


@pytest.mark.parametrize("strands", [[], [Strand("few", curve(n=9))]])
def test_without_ten_patients_the_chart_is_a_sentence(strands: list[Strand]) -> None:
    assert texts(parsed(survival_chart(strands, WORDS))) == [WORDS.empty]


def accrual() -> str:
    plan = [(date(2025, 4, 1), 0.0), (date(2025, 7, 1), 20.0), (date(2026, 4, 1), 140.0)]
    return accrual_chart(date(2025, 4, 1), [0, 1, 2, 5, 3, 4], plan, ACCRUAL)


def test_accrual_shows_weeks_sum_and_plan() -> None:
    drawing = parsed(accrual())
    bars = [float(element.get("height") or 0) for element in of_class(drawing, "bar2")]
    np.testing.assert_allclose(np.array(bars) / max(bars), np.array([0, 1, 2, 5, 3, 4]) / 5, atol=0.005)
    assert len(of_class(drawing, "target")) == 1 and of_class(drawing, "strong")[0].text == "15"
    assert {"0", "50", "100", "150", "2025-04", ACCRUAL.bars, ACCRUAL.plan} <= set(texts(drawing))


def test_accrual_sum_never_falls_and_ends_at_the_number_enrolled() -> None:
    [line] = of_class(parsed(accrual()), "km")
    heights = [float(point.split()[1]) for point in (line.get("d") or "").removeprefix("M").split("L")]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == pytest.approx(220 - 210 * 15 / 150, abs=0.051)


def test_accrual_without_data_is_a_sentence_and_a_plan_must_advance() -> None:
    day = date(2025, 1, 1)
    assert texts(parsed(accrual_chart(day, [], [], ACCRUAL))) == [ACCRUAL.empty]
    with pytest.raises(ValueError, match="must increase"):
        accrual_chart(day, [1], [(day, 0.0), (day, 5.0)], ACCRUAL)
