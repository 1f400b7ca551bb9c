"""The pages of queries: each role's list, counts that are lengths, and what can be done from them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.once import remembering
from studies import entry, screening, setup
from studies.access import held_by
from studies.models import Query
from studies.quality import queries, query_lists
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_queries import asked, at_surgery


def page_as(user, name="queries", *args, **data):
    client = Client()
    client.force_login(user)
    return client.get(reverse(name, args=args), data)


def post_as(user, name, *args, **data):
    client = Client()
    client.force_login(user)
    return client.post(reverse(name, args=args), data)


@pytest.fixture
def several(world):
    """Four queries: open, answered, reopened, closed; three weeks later another open one."""
    monitor = world.people[Role.MONITOR]
    made = [asked(world) for _ in range(4)]
    for query in made[1:]:
        queries.answer(query=query, text="it is right", corrected=False, by=world.coordinator)
    queries.reopen(query=made[2], reason="no", by=monitor)
    queries.close(query=made[3], reason="yes", by=monitor)
    world.study = setup.advance_clock(study=world.study, days=21, by=world.system)
    world.own.refresh_from_db()
    asked(world)
    return world


def test_counts_are_the_lengths_of_their_lists(several):
    """ui.md; overdue are the three not closed of three weeks ago (14 days are allowed)."""
    for role in (Role.COORDINATOR, Role.DATA_MANAGER, Role.MONITOR):
        user = several.people[role]
        counts = query_lists.counts(user)
        assert counts == {state: query_lists.listed(user, state).count() for state in query_lists.FILTERS}
        assert counts == {"waiting": 4, "site": 3, "answered": 1, "overdue": 3, "closed": 1, "all": 5}
        assert query_lists.waiting_count(user) == 4


def test_page_shows_the_oldest_first_with_its_age(several):
    rows = page_as(several.people[Role.DATA_MANAGER], state="all").context["rows"]
    assert [(row.age, row.query.status) for row, _closable in rows] == [
        (21, "open"), (21, "answered"), (21, "reopened"), (0, "closed"), (0, "open"),
    ]  # fmt: skip


def test_list_narrows_to_a_center_and_keeps_its_counts_true(several):
    body = page_as(several.people[Role.MONITOR], state="all", center="02").content.decode()
    assert "data-row" not in body
    assert query_lists.counts(several.people[Role.MONITOR], {"center": "02"})["all"] == 0


def test_queries_of_the_list_do_not_grow_with_its_rows(world):
    """What the list itself asks of the database, and the page with its frame, for two rows and for eight."""
    user, used = world.people[Role.MONITOR], []
    client = Client()
    client.force_login(user)
    for rows in (2, 6):
        for _ in range(rows):
            asked(world)
        with CaptureQueriesContext(connection) as of_list:
            query_lists.page(user, state="", after="", narrow={})
        with CaptureQueriesContext(connection) as of_page:
            assert client.get(reverse("queries")).status_code == 200
        used.append((len(of_list), len(of_page)))
    assert used[0] == used[1]
    assert used[0][0] <= 12


def test_coordinator_answers_and_monitor_closes(world):
    query = asked(world)
    assert page_as(world.coordinator, "query", query.uuid).status_code == 200
    refused = post_as(world.coordinator, "query-close", query.uuid, text="I close it")
    assert refused.status_code == 403
    missing = post_as(world.coordinator, "query-answer", query.uuid, text="")
    assert missing.status_code == 400
    assert post_as(world.coordinator, "query-answer", query.uuid, text="Checked.", corrected="no").status_code == 302
    assert post_as(world.people[Role.MONITOR], "query-close", query.uuid, text="Agreed.").status_code == 302
    query.refresh_from_db()
    assert query.status == "closed"
    assert post_as(world.coordinator, "query-answer", query.uuid, text="late", corrected="no").status_code == 409


def test_number_like_a_telephone_is_asked_about_and_nothing_typed_is_lost(world):
    query = asked(world)
    refused = post_as(world.coordinator, "query-answer", query.uuid, text="Ring 13812345678", corrected="no")
    assert refused.status_code == 400
    body = refused.content.decode()
    assert "Ring 13812345678" in body
    assert 'type="checkbox" name="confirmed"' in body
    assert (
        post_as(world.coordinator, "query-answer", query.uuid, text="Ring 13812345678", corrected="no", confirmed="on").status_code == 302
    )


def test_monitor_asks_about_a_field_of_the_participant(world):
    participant = worlds.enrolled(world)
    monitor = world.people[Role.MONITOR]
    at = at_surgery(participant)
    assert page_as(monitor, "query-new", participant.uuid).status_code == 200
    sent = post_as(monitor, "query-new", participant.uuid, at=f"{at.record}|{at.uuid}|{at.field}", text="Which day?")
    query = Query.objects.get()
    assert sent["Location"] == reverse("query", args=[query.uuid])
    assert (query.record, query.record_uuid, query.field, query.participant) == ("studies.Screening", at.uuid, "surgery_date", participant)
    elsewhere = worlds.enrolled(world)
    foreign = at_surgery(elsewhere)
    assert (
        post_as(monitor, "query-new", participant.uuid, at=f"{foreign.record}|{foreign.uuid}|{foreign.field}", text="?").status_code == 400
    )


def test_several_are_asked_at_once(world):
    people = [worlds.enrolled(world) for _ in range(2)]
    manager = world.people[Role.DATA_MANAGER]
    numbers = "\n".join(each.study_number for each in people)
    wrong = post_as(manager, "queries-raise", numbers=numbers + " 99-0001-01", field="surgery_date", text="Compare.")
    assert wrong.status_code == 400
    assert "99-0001-01" in wrong.content.decode()
    assert not Query.objects.exists()
    assert post_as(manager, "queries-raise", numbers=numbers, field="surgery_date", text="Compare.").status_code == 302
    assert set(Query.objects.values_list("participant", flat=True)) == {each.pk for each in people}
    marked = [str(uuid) for uuid in Query.objects.values_list("uuid", flat=True)]
    assert post_as(manager, "queries-close", query=marked, reason="Known.").status_code == 302
    assert set(Query.objects.values_list("status", flat=True)) == {"closed"}
    assert post_as(manager, "queries-close", reason="Known.").status_code == 400


def test_age_counts_calendar_days_of_the_study(world):
    query = asked(world)
    world.study = setup.advance_clock(study=world.study, days=15, by=world.system)
    fresh = queries.queries_for(world.coordinator).get(pk=query.pk)
    assert query_lists.age(fresh) == 15
    assert query_lists.state_of(fresh) == "query_overdue"
    assert fresh.raised_on + timedelta(days=15) == fresh.center.study.today()


def test_page_of_checks_counts_what_its_links_open(world):
    """ui.md: the number beside a rule is the length of the list behind it; only who may run the checks sees them."""
    participant = worlds.enrolled(world)
    screening.amend(screening=participant.screening, age_at_surgery=77, reason="typo", by=world.coordinator)
    manager = world.people[Role.DATA_MANAGER]
    rows = page_as(manager, "checks").context["rows"]
    assert (rows[0].rule.code, rows[0].open, rows[1].open) == ("AGE_OUT_OF_RANGE", 1, 0)
    assert page_as(manager, "queries", state="waiting", rule="AGE_OUT_OF_RANGE").context["total"] == 1
    assert page_as(manager, "queries", state="waiting", rule="MVI_NOT_REPORTED").context["total"] == 0
    assert page_as(world.coordinator, "checks").status_code == 403
    assert post_as(manager, "checks-run").status_code == 302
    body = page_as(manager, "checks").content.decode()
    assert "data-poll" in body
    assert post_as(manager, "checks-run").status_code == 409


def test_mark_stands_beside_the_field_asked_about(world):
    """With the link to its query, for who may see it; gone once it is closed; one question to the database beside the frame's."""
    query = asked(world)
    request = RequestFactory().get("/")
    request.user = world.coordinator
    page = Template("{% load quality %}{% query_mark person 'surgery_date' %}|{% query_mark person 'sex' %}")
    with remembering(), CaptureQueriesContext(connection) as used:
        held_by(world.coordinator)  # as the frame of every page asks
        beside, other = page.render(Context({"request": request, "person": query.participant})).split("|")
    assert reverse("query", args=[query.uuid]) in beside
    assert (other, len(used)) == ("", 2)
    queries.close(query=query, reason="fine", by=world.people[Role.MONITOR])
    later = RequestFactory().get("/")
    later.user = world.coordinator
    assert page.render(Context({"request": later, "person": query.participant})) == "|"


def test_form_page_marks_the_item_asked_about(world):
    """The rule about MVI stands beside MVI, once, for one question to the database however many items the form has."""
    participant = worlds.enrolled(world)
    entry.record_texts(participant=participant, texts={"mvi": "not_reported"}, by=world.coordinator, submit=True)
    client = Client()
    client.force_login(world.coordinator)
    with CaptureQueriesContext(connection) as used:
        body = client.get(reverse("form", args=[participant.uuid, "pathology"])).content.decode()
    assert body.count(reverse("query", args=[Query.objects.get().uuid])) == 1
    assert sum("studies_query" in each["sql"] and '"studies_query"."participant_id" =' in each["sql"] for each in used) == 1
