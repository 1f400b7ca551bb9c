"""Study numbers and their check digits (EN-05)."""

import random

import pytest

from studies import study_number

NUMBERS = [
    study_number.make(f"{center:02d}", sequence) for center in range(1, 16) for sequence in (1, 7, 42, 99, 180, 999, 1000, 5050, 9999)
]


def digits(number: str) -> str:
    return number.replace("-", "")


def refused(text: str) -> bool:
    try:
        study_number.check(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(("center", "sequence", "number"), [("01", 7, "01-0007-50"), ("00", 1, "00-0001-95"), ("00", 794, "00-0794-44")])
def test_check_digits_are_those_of_iso_7064(center: str, sequence: int, number: str) -> None:
    """ISO 7064 MOD 97-10: the whole leaves 1; 794 → 44 is the worked example of the standard."""
    assert study_number.make(center, sequence) == number
    assert int(digits(number)) % 97 == 1


def test_every_single_wrong_digit_is_caught() -> None:
    """EN-05: all 72 single errors of each number."""
    for number in NUMBERS:
        plain = digits(number)
        for place, right in enumerate(plain):
            for wrong in set("0123456789") - {right}:
                assert refused(plain[:place] + wrong + plain[place + 1 :])


def test_every_exchange_of_neighbours_is_caught() -> None:
    """EN-05: all seven transpositions of each number."""
    for number in NUMBERS:
        plain = digits(number)
        for place in range(7):
            if plain[place] != plain[place + 1]:
                assert refused(plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :])


@pytest.mark.parametrize(
    "typed", ["01-0007-50", "01000750", " 01 0007 50 ", "０１－０００７－５０", "01–0007—50", "01-0007‐50", "01-000750"]
)
def test_ways_of_typing_a_number_are_read_alike(typed: str) -> None:
    assert study_number.check(typed) == "01-0007-50"


@pytest.mark.parametrize("typed", ["", "01", "01-0007-51", "1-0007-50", "01-0007-5", "01-0007-500", "A1-0007-50", "01-0000-98", "٠١٠٠٠٧٥٠"])
def test_what_is_no_number_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        study_number.check(typed)


def test_center_and_sequence_have_their_bounds() -> None:
    for center, sequence in (("1", 1), ("001", 1), ("0A", 1), ("01", 0), ("01", 10000)):
        with pytest.raises(ValueError, match=r"\."):
            study_number.make(center, sequence)


def test_numbers_are_all_different() -> None:
    chosen = random.Random(7).sample(range(1, 10000), 500)
    assert len({study_number.make("03", sequence) for sequence in chosen}) == 500
