"""A typed date is understood one way or refused (design/ui, Forms)."""

from datetime import date

import pytest

from studies.typed_dates import NotUnderstood, understand, understand_partial


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-19",
        "2026/11/19",
        "2026.11.19",
        "20261119",
        "2026年11月19日",
        "２０２６－１１－１９",
        "２０２６年１１月１９日",
        " 2026 - 11 - 19 ",
        "2026–11–19",
    ],
)
def test_date_is_understood_in_each_written_form(text: str) -> None:
    """Full-width digits and the Chinese form too."""
    assert understand(text) == date(2026, 11, 19)


def test_date_with_single_digits_is_understood() -> None:
    """2026年3月2日 as a laboratory prints it."""
    assert understand("2026年3月2日") == date(2026, 3, 2)


@pytest.mark.parametrize("text", ["", "11-19", "03/04/2026", "26-11-19", "2026-11", "yesterday", "2026-1119"])
def test_date_that_could_be_read_two_ways_is_refused(text: str) -> None:
    """Nothing is guessed silently."""
    with pytest.raises(NotUnderstood):
        understand(text)


@pytest.mark.parametrize("text", ["2026-02-29", "2026-13-01", "20260431"])
def test_day_that_never_was_is_refused(text: str) -> None:
    """29 February 2026 does not exist."""
    with pytest.raises(ValueError, match=r"(?i)day|month"):
        understand(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026", "2026"),
        ("２０２６年", "2026"),
        ("2026-5", "2026-05"),
        ("2026/05", "2026-05"),
        ("2026年5月", "2026-05"),
        ("2026年5月3日", "2026-05-03"),
        ("20260503", "2026-05-03"),
    ],
)
def test_date_may_stop_where_the_knowledge_stops(text: str, stored: str) -> None:
    """EP-09: month or year alone, never filled up."""
    assert understand_partial(text) == stored


@pytest.mark.parametrize("text", ["202605", "5", "05-2026", "2026-", "spring 2026"])
def test_partial_date_that_could_be_read_two_ways_is_refused(text: str) -> None:
    """202605 may be year and month or a short date."""
    with pytest.raises(NotUnderstood):
        understand_partial(text)


@pytest.mark.parametrize("text", ["2026-13", "0000", "2026-02-30"])
def test_partial_date_that_never_was_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|year|day"):
        understand_partial(text)
