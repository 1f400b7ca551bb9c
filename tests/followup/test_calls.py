"""The call list: who is on it, what one press records, when somebody is lost, and a calendar that tells nothing (EP-06, EP-11)."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.transitions import NotAllowedNow
from followup import calls, events, loss, visit_lists
from followup.models import Contact
from followup.schedule import Window
from studies import enrollment, setup
from studies.models import Participant
from tests import world
from tests.followup.test_pages import browser_of
from tests.world import World

pytestmark = pytest.mark.django_db
SURGERY = date(2026, 1, 1)
PLANNED = [Window(f"M{m}", m, *(SURGERY + timedelta(round(m * 30.4375) + d) for d in (0, -21, 21))) for m in (1, 3, 6, 9, 12)]


@pytest.fixture
def site() -> World:
    return world.build()


@pytest.fixture
def by(site: World) -> User:
    return site.people["coordinator01"]


@pytest.fixture
def participant(site: World) -> Participant:
    """Operated on 100 days before; then the study's clock goes on until four visits are overdue."""
    person = world.enrolled(site, surgery=timezone.localdate() - timedelta(days=100))
    setup.advance_clock(study=site.study, days=300, by=User.objects.system())
    return Participant.objects.get(pk=person.pk)


@pytest.fixture
def browser(site: World) -> Client:
    return browser_of(site, "coordinator01")


@pytest.mark.parametrize(("attempts", "last_seen", "on", "said"), [
    ((200, 210, 220), 95, 299, False),
    ((200, 210, 220), 95, 400, True),
    ((200, 210), 95, 400, False),
    ((20, 30, 40), 95, 400, False),
    ((200, 210, 220), 370, 400, False),
])  # fmt: skip
def test_lost_needs_three_missed_visits_and_three_attempts_since(attempts, last_seen, on, said):
    """EP-11: more than two planned intervals; attempts before the last assessment are none."""
    days = [SURGERY + timedelta(day) for day in attempts]
    assert loss.lost(PLANNED, days, SURGERY + timedelta(last_seen), on=SURGERY + timedelta(on)) is said


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 300)), min_size=1))
def test_completeness_is_a_share(days):
    """EP-12 of Clark: observed over possible."""
    possible = [seen + more for seen, more in days]
    share = loss.completeness([seen for seen, _more in days], possible)
    assert sum(possible) == 0 or 0 <= share <= 1


def test_coordinator_logs_three_calls_and_the_third_makes_a_lost_one(browser: Client, participant: Participant, by: User) -> None:
    """Each press is a row of its own, dated today; the list says how often, what came of it, and that he is lost now."""
    assert [row.visit.participant for row in calls.callees(by)] == [participant.uuid]
    for outcome in ("no_answer", "wrong_number", "no_answer"):
        assert "lost to follow-up" not in browser.get(reverse("calls")).content.decode().split("<tbody>")[1]
        assert browser.post(reverse("call", args=[participant.uuid]), {"outcome": outcome}).status_code == 302
    [row] = calls.callees(by)
    assert (row.tried, row.last.outcome, row.lost) == (3, "no_answer", True)
    assert row.missed >= loss.MISSED
    rows = Contact.objects.filter(participant=participant)
    assert {(one.on, one.channel, one.vital) for one in rows} == {(participant.study.today(), "call", "unknown")}


def test_who_wants_no_contact_is_not_called_but_a_register_is_asked(browser: Client, participant: Participant, by: User) -> None:
    """EN-04 a."""
    today = participant.study.today()
    enrollment.withdraw(participant=participant, how_far="no_contact", on=today - timedelta(days=1), reason="asked for it", by=by)
    participant.refresh_from_db()
    assert calls.callees(by) == []
    assert browser.post(reverse("call", args=[participant.uuid]), {"outcome": "answered"}).status_code == 409
    with pytest.raises(NotAllowedNow):
        events.record_contact(participant=participant, on=today, outcome="answered", by=by)
    row = events.record_contact(participant=participant, on=today, outcome="no_answer", channel="registry", vital="alive", by=by)
    assert row.pk


def test_nobody_reached_means_nothing_learned(participant: Participant, by: User) -> None:
    with pytest.raises(ValidationError, match="nothing was learned"):
        events.record_contact(participant=participant, on=participant.study.today(), outcome="no_answer", vital="alive", by=by)


def test_calendar_holds_every_open_visit_and_no_word_of_the_disease(browser: Client, participant: Participant, by: User) -> None:
    given = browser.get(reverse("visits-calendar"))
    text = given.content.decode()
    assert given["Content-Type"].startswith("text/calendar")
    assert text.count("BEGIN:VEVENT") == len(visit_lists.open_visits(by)) > 0
    assert f"{participant.study_number}\r\n" in text
    assert not any(word in text.lower() for word in ("hcc", "liver", "tumour", "recurrence", participant.study.code.lower(), "prime-hcc"))
