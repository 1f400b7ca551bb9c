"""A typed date is understood one way or refused (design/ui, Forms)."""

from datetime import date

import pytest

from studies.typed_dates import NotUnderstood, understand


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
