"""Every page of the menu and every list of the API asks the same few questions at 10, 1,000 and 11,000 participants (done 7)."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from prime_platform import navigation
from prime_platform.demo import crowd
from studies.models import Participant
from tests.gates.test_addresses import PLAIN
from tests.questions import asked

pytestmark = pytest.mark.django_db
MOST = 20
"""A page's own questions and those of the frame around it: session, person, reach, navigation with its counts."""
REPORTS = {"overview": 26, "blindness": 30}
"""No list: the whole study, and how the installation is run, each asked once."""
PEOPLE = ("crowd", "crowd01coordinator", "crowd01site_pi")
"""The data manager, who sees everybody, and a coordinator and an investigator, who see half of them."""


def lists() -> list[str]:
    """The addresses that show rows: what the menu leads to, and what programs read."""
    menu = [place.url_name for _, places in navigation.MENU for place in places]
    return sorted({*menu, *(name for name in PLAIN if name.endswith("-list"))})


def questions(name: str, person: str) -> tuple[int, list[str]]:
    """Status of the answer and the statements that were asked for it, without those that only mark transactions."""
    client = Client()
    client.force_login(User.objects.get(username=person))
    with asked() as statements:
        status = client.get(reverse(name)).status_code
    return status, statements


def asked_at(sizes: dict[int, tuple[int, ...]]) -> Iterator[dict[tuple[str, str], int]]:
    """For each number of participants, how many questions each page asks for each person."""
    crowd.found()
    for size, copies in sizes.items():
        if copies:
            crowd.multiply(*copies)
        assert Participant.objects.count() == size
        found = {}
        for name in lists():
            for person in PEOPLE:
                status, statements = questions(name, person)
                assert status in (200, 403, 409), (name, person, status)
                found[name, person] = len(statements)
        assert {page: count for page, count in found.items() if count > REPORTS.get(page[0], MOST)} == {}, size
        yield found


def test_there_are_lists_to_ask() -> None:
    assert {"worklist", "screening-log", "participants", "visits", "treatment", "api-participant-list"} <= set(lists())


def test_questions_do_not_grow_with_the_study() -> None:
    """Ten and a thousand participants."""
    ten, thousand = asked_at({10: (), 1_000: (1, 99)})
    assert ten == thousand


@pytest.mark.soak
def test_questions_do_not_grow_with_the_whole_study() -> None:
    """Ten and eleven thousand."""
    ten, many = asked_at({10: (), 11_000: (1, 1_099)})
    assert ten == many
