"""Every count a page shows is the length of the list that its link opens: each link is followed and its rows are counted."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from studies import enrollment, screening
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_queries import asked
from tests.studies.quality.test_verification import verify
from tests.studies.world import ELIGIBLE

PAGES = (
    "worklist", "screening-log", "participants", "completeness", "visits", "treatment", "queries", "verification-due",
    "payable-visits",
)  # fmt: skip
"""The pages with filters; each filter is followed."""


class Links(HTMLParser):
    """The links that carry a count: `<a href>… <b>12</b></a>`."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: list[tuple[str, int]] = []
        self.href, self.bold, self.text = "", False, ""

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.href = dict(attrs).get("href", "")
        self.bold = tag == "b" and bool(self.href)

    def handle_data(self, data):
        if self.bold and re.fullmatch(r"[\d,]+", data.strip()):
            self.counted.append((self.href, int(data.replace(",", ""))))

    def handle_endtag(self, tag):
        self.bold = False
        if tag == "a":
            self.href = ""


def links(body: str) -> list[tuple[str, int]]:
    parser = Links()
    parser.feed(body)
    return parser.counted


def rows_behind(client: Client, address: str) -> int:
    """The rows of a list, page by page."""
    body = client.get(address).content.decode()
    found = len(re.findall(r"<tr data-row", body))
    following = re.search(r'<a href="([^"]+)" rel="next">', body)
    return found + (rows_behind(client, joined(address, following[1].replace("&amp;", "&"))) if following else 0)


def joined(page: str, href: str) -> str:
    return page.split("?", maxsplit=1)[0] + href if href.startswith("?") else href


@pytest.fixture
def busy(db):
    """Participants early and late, some with queries, some verified, lines of the log in several states."""
    world = worlds.build()
    people = [worlds.enrolled(world) for _ in range(4)]
    for person in people[:2]:
        asked(world, person)
    screening.amend(screening=people[2].screening, age_at_surgery=77, reason="typo", by=world.coordinator)
    verify(world, people[3], "surgery_date", "r0_resection", "consent")
    enrollment.withdraw(
        participant=people[1], how_far="no_contact", on=world.study.today() - timedelta(1), reason="moved", by=world.coordinator
    )
    worlds.screened(world)
    worlds.screened(world, answers={**ELIGIBLE, "histology_hcc": "no"})
    return world


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.DATA_MANAGER, Role.MONITOR])
def test_count_is_the_length_of_the_list_behind_it(busy, role):
    """ui.md, principle 2: for the navigation and for every filter of every list."""
    client = Client()
    client.force_login(busy.people[role])
    followed, wrong, known = 0, [], {}
    for page in PAGES:
        answer = client.get(reverse(page))
        if answer.status_code == 403:
            continue
        for href, count in links(answer.content.decode()):
            address = joined(reverse(page), href.replace("&amp;", "&"))
            if address not in known:
                known[address] = rows_behind(client, address)
            followed += 1
            if known[address] != count:
                wrong.append((page, address, count, known[address]))
    assert wrong == []
    assert followed > 40


def test_reading_of_links_has_teeth():
    """A count that is not the length of its list is seen."""
    assert links('<a href="?a=1">All <b>1,234</b></a><b>9</b><a href="/x/">no</a>') == [("?a=1", 1234)]


def test_matrix_takes_the_same_queries_for_one_and_for_five(db):
    """At most 20 for the list itself; the frame is counted elsewhere."""
    world, used = worlds.build(), []
    client = Client()
    client.force_login(world.coordinator)
    for more in (1, 4):
        for _ in range(more):
            worlds.enrolled(world)
        with CaptureQueriesContext(connection) as made:
            assert client.get(reverse("completeness")).status_code == 200
        used.append(len(made))
    assert used[0] == used[1]
