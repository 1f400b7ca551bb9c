"""Counts are the lengths of the lists they open, and fifty rows at a time lose or repeat nobody (design/ui, Principles 2 and Tables)."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AccessRecord
from prime_platform import worklist
from studies import lists
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import World

LINES = 53


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()


@pytest.fixture
def browser(world: World) -> Client:
    client = Client()
    client.force_login(world.coordinator)
    return client


def numbers(client: Client, address: str) -> list[str]:
    return re.findall(r'<a class="id" href="[^"]+">([^<]+)</a>', client.get(address).content.decode())


def test_pages_of_the_log_hold_everybody_once(world: World, browser: Client) -> None:
    """Key-set paging: a line that arrives between two pages moves nothing."""
    for _ in range(LINES):
        worlds.screened(world)
    first = browser.get(reverse("screening-log"))
    shown = numbers(browser, reverse("screening-log"))
    worlds.screened(world)
    following = numbers(browser, reverse("screening-log") + first.context["next_url"])
    assert len(shown) == 50
    assert [*shown, *following] == [f"01-S{number:04d}" for number in range(LINES, 0, -1)]


def test_foreign_cursor_shows_the_first_page(world: World, browser: Client) -> None:
    """A cursor of another center or a broken one is no way to look around."""
    worlds.screened(world)
    for cursor in ["nonsense", str(world.own.uuid)]:
        assert numbers(browser, f"{reverse('screening-log')}?after={cursor}") == ["01-S0001"]


def test_counts_of_filters_are_lengths_of_lists(world: World, browser: Client) -> None:
    """Screened, unknown, eligible, failing, excluded, enrolled: each filter opens what it counts, and the parts add up."""
    worlds.screened(world, answers={})
    worlds.screened(world, age_at_surgery=80)
    worlds.consented(world)
    worlds.enrolled(world)
    for address, labels in [(reverse("screening-log"), lists.SCREENING_FILTERS), (reverse("participants"), lists.PARTICIPANT_FILTERS)]:
        counts = {choice.code: choice.count for choice in browser.get(address).context["filters"]}
        assert list(counts) == list(labels)
        for code, count in counts.items():
            assert len(numbers(browser, f"{address}?state={code}")) == count
    counts = {choice.code: choice.count for choice in browser.get(reverse("screening-log")).context["filters"]}
    assert counts["all"] == sum(count for code, count in counts.items() if code != "all") == 4


def test_worklist_counts_what_it_lists(world: World, browser: Client) -> None:
    """Open lines by verdict, participants whose images or phases are missing, windows not accounted for, visits overdue and due."""
    worlds.screened(world, answers={})
    worlds.consented(world)
    person = worlds.enrolled(world)
    number, day = person.study_number, (world.study.today() - worlds.SURGERY).days
    due = sum(visit.first_day <= day for visit in world.study.protocol.visits)
    assert numbers(browser, reverse("worklist")) == ["01-S0001", "01-S0002", number, *[number] * (1 + due)]
    assert worklist.count(world.coordinator) == 4 + due
    counted = {code: count for source in worklist.SOURCES for code, count in source.counts(world.coordinator).items()}
    assert counted["treatment_open"] == counted["images_missing"] == 1
    for code, count in counted.items():
        page = browser.get(reverse("worklist"), {"task": code})
        assert len(page.context["rows"]) == count


def test_lists_end_at_the_center(world: World) -> None:
    """SE-04: the coordinator of another center sees an empty log and why it is empty."""
    stranger = worlds.person("stranger")
    worlds.join(world.study, stranger, Role.COORDINATOR, world.other, world.system)
    worlds.enrolled(world)
    client = Client()
    client.force_login(stranger)
    for name in ["worklist", "screening-log", "participants"]:
        page = client.get(reverse(name))
        assert not page.context["rows"]
        assert page.context["empty"] in page.content.decode()


@pytest.mark.parametrize("name", ["worklist", "screening-log", "participants", "visits", "treatment"])
def test_queries_of_a_list_do_not_grow_with_its_rows(world: World, browser: Client, name: str) -> None:
    """Performance: the same number of queries for one row of each kind and for two."""
    asked = []
    for _ in range(2):
        worlds.enrolled(world)
        worlds.consented(world)
        worlds.screened(world)
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse(name))
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_double_click_screens_one_patient(world: World, browser: Client) -> None:
    """EN-02: the form sent twice makes one line."""
    form = browser.get(reverse("screening-new"))
    sent = {"row_token": form.context["row_token"], "surgery_date": worlds.SURGERY.isoformat(), "age": "58", "sex": "M"}
    first, second = (browser.post(reverse("screening-new"), sent) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert numbers(browser, reverse("screening-log")) == ["01-S0001"]


def test_refused_birth_date_leaves_no_line(world: World, browser: Client) -> None:
    """formats.md k: a birth date after the surgery is refused at its field, and nothing of it is stored or recorded."""
    later = worlds.SURGERY + timedelta(days=1)
    answer = browser.post(
        reverse("screening-new"), {"surgery_date": worlds.SURGERY.isoformat(), "birth_date": later.isoformat(), "sex": "M"}
    )
    assert answer.status_code == 400
    assert answer.context["form"].errors["birth_date"]
    assert numbers(browser, reverse("screening-log")) == []
    assert not AccessRecord.objects.exists()
