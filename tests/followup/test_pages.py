"""The pages of treatment, visits and events: what is typed is recorded or refused with a sentence and stays in its field."""

import html
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from followup import entry, events, pages, treatment, treatment_lists, visit_lists
from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from studies import enrollment
from studies.models import Participant
from tests import world
from tests.world import World

pytestmark = pytest.mark.django_db
DAYS = 120
WORDS = ("predict", "score", "strategy", "seal", "预测", "封存", "策略")


@pytest.fixture
def site() -> World:
    return world.build()


@pytest.fixture
def participant(site: World) -> Participant:
    return world.enrolled(site, surgery=timezone.localdate() - timedelta(days=DAYS))


@pytest.fixture
def browser(site: World) -> Client:
    return browser_of(site, "coordinator01")


def browser_of(site: World, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    client.post(reverse("language"), {"language": "en"})
    return client


def day(participant: Participant, number: int) -> str:
    on: date = participant.screening.surgery_date + timedelta(days=number)
    return on.isoformat()


def good(participant: Participant) -> dict[str, dict[str, str]]:
    """What a coordinator types into each form, each acceptable to a participant of whom nothing is known yet."""
    return {
        "course": {"kind": "TACE", "intent": "adjuvant", "start": day(participant, 20), "place": "here", "source": "operation record"},
        "declaration": {"declared_on": day(participant, 95), "source": "call with the patient"},
        "assessment": {
            "visit": "M3", "on": day(participant, 91), "modality": "CT", "adequate": "yes", "finding": "free", "place": "elsewhere",
        },
        "recurrence": {"first_seen_on": day(participant, 100), "site": "intrahepatic", "modality": "CT"},
        "death": {"on": day(participant, 110)[:7], "cause": "hcc", "source": "relative"},
        "contact": {"on": day(participant, 80), "outcome": "answered"},
    }  # fmt: skip


def send(browser: Client, participant: Participant, kind: str, /, **changes: str) -> Any:
    return browser.post(reverse(f"{kind}-new", args=[participant.uuid]), good(participant)[kind] | changes)


def body(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def page(browser: Client, participant: Participant) -> str:
    return body(browser.get(reverse("participant", args=[participant.uuid])))


TABLES = [
    ("course", TreatmentCourse), ("declaration", NoAdjuvantDeclaration), ("assessment", Assessment),
    ("recurrence", Recurrence), ("death", Death), ("contact", Contact),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_good_entry_is_recorded_and_told(browser: Client, participant: Participant, kind: str, table: type) -> None:
    """One row, by the person signed in; the participant's page says what was recorded."""
    answer = send(browser, participant, kind)
    assert answer.status_code == 302
    row = table.objects.get(participant=participant)
    assert row.recorded_by.username == "coordinator01"
    told = page(browser, participant)
    assert "Recorded: " in told
    assert f"/followup/{kind}/{row.uuid}/void/" in told


@pytest.mark.parametrize(
    ("place", "typed", "sentence"),
    [
        ("course.kind", "", "This field is required."),
        ("course.start", "05-03", "is not understood as a date"),
        ("course.start", "2026-02-30", "is a day that does not exist"),
        ("course.start", "DAY-3", "is before the surgery"),
        ("course.start", "DAY121", "is in the future"),
        ("course.end", "DAY19", "The end lies before the start"),
        ("course.decided_on", "2026", "is not understood as a date"),
        ("course.source", "", "This field is required."),
        ("course.kind", "SYSTEMIC", "Systemic therapy needs its drug and the class of the drug."),
        ("declaration.declared_on", "DAY89", "The treatment window ends on"),
        ("declaration.declared_on", "DAY121", "is in the future"),
        ("assessment.visit", "M99", "Choose one of the answers on offer."),
        ("assessment.on", "DAY-1", "is before the surgery"),
        ("assessment.finding", "", "This field is required."),
        ("assessment.adequate", "no", "A check that could not have shown a recurrence cannot show its absence"),
        ("recurrence.first_seen_on", "DAY-1", "is before the surgery"),
        ("recurrence.confirmed_on", "DAY99", "It was confirmed before it was first seen."),
        ("recurrence.site", "heart", "Choose one of the answers on offer."),
        ("death.on", "2026", "Give at least the month of the death."),
        ("death.cause", "", "This field is required."),
        ("contact.on", "DAY121", "is in the future"),
        ("contact.outcome", "shouted", "Choose one of the answers on offer."),
    ],
)
def test_bad_entry_gets_a_sentence_and_keeps_what_was_typed(
    browser: Client, participant: Participant, place: str, typed: str, sentence: str
) -> None:
    """ui.md, Forms: list on top that links, sentence under the field, first error focused, nothing lost, nothing saved."""
    kind, field = place.split(".")
    value = day(participant, int(typed.removeprefix("DAY"))) if typed.startswith("DAY") else typed
    answer = send(browser, participant, kind, **{field: value})
    assert answer.status_code == 400
    told = body(answer)
    assert sentence in told
    wrong = answer.context["form"].wrong
    assert f'<a href="#id_{wrong[0].name}">' in told
    assert "autofocus" in wrong[0].as_widget()
    typed_in = good(participant)[kind] | {field: value}
    assert {name: answer.context["form"][name].value() for name in typed_in} == typed_in
    assert not dict(TABLES)[kind].objects.exists()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "stored", "said"),
    [
        ("2026年8月", "2026-08", "2026-08, day not known"),
        ("２０２６", "2026", "2026, month and day not known"),
        ("2026/8/1", "2026-08-01", "2026-08-01, Saturday"),
        ("202608", None, "is not understood as a date"),
        ("", None, ""),
    ],
)
def test_partial_date_is_said_back(browser: Client, typed: str, stored: str | None, said: str) -> None:
    """EP-09: the precision is kept; six digits could be read two ways and are not guessed."""
    answer = browser.get(reverse("understand-partial-date"), {"text": typed}).json()
    assert said in answer["sentence"]
    assert answer["understood"] is (stored is not None or not typed)


@pytest.mark.parametrize(
    ("kind", "field"), [("declaration", "declared_on"), ("assessment", "visit"), ("recurrence", "first_seen_on"), ("death", "on")]
)
def test_second_entry_of_what_happens_once_is_refused_at_its_field(
    browser: Client, participant: Participant, kind: str, field: str
) -> None:
    """Marked as entered in error, the first one no longer stands in the way."""
    send(browser, participant, kind)
    answer = send(browser, participant, kind)
    assert answer.status_code == 400
    assert "recorded already" in answer.context["form"].errors[field][0]
    row = dict(TABLES)[kind].objects.get()  # type: ignore[attr-defined]
    assert browser.post(reverse(f"{kind}-void", args=[row.uuid]), {"reason": "typed for another patient"}).status_code == 302
    assert send(browser, participant, kind).status_code == 302


def test_visit_of_the_row_is_chosen_beforehand(browser: Client, participant: Participant) -> None:
    answer = browser.get(reverse("assessment-new", args=[participant.uuid]), {"visit": "M6"})
    assert '<option value="M6" selected>' in body(answer)


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_voided_row_is_struck_with_its_reason(browser: Client, participant: Participant, kind: str, table: type) -> None:
    """AU-03: without a reason nothing happens; with one the row stays to be read, and a second time is not possible now."""
    send(browser, participant, kind)
    row = table.objects.get()
    address = reverse(f"{kind}-void", args=[row.uuid])
    refused = browser.post(address, {"reason": ""})
    assert refused.status_code == 400
    assert table.objects.in_force().exists()
    assert browser.post(address, {"reason": "wrong <patient>"}).status_code == 302
    assert not table.objects.in_force().exists()
    told = page(browser, participant)
    assert "<s>" in told
    assert "reason: wrong <patient>" in told
    assert address not in told
    assert browser.post(address, {"reason": "again"}).status_code == 409


@pytest.mark.parametrize("kind", [kind for kind, _ in TABLES])
def test_who_may_not_enter_is_told_so_and_sees_no_button(site: World, participant: Participant, kind: str) -> None:
    """The monitor reads; the address answers 403 to a look and to a form."""
    monitor = browser_of(site, "monitor")
    assert reverse(f"{kind}-new", args=[participant.uuid]) not in page(monitor, participant)
    assert monitor.get(reverse(f"{kind}-new", args=[participant.uuid])).status_code == 403
    assert send(monitor, participant, kind).status_code == 403
    assert not dict(TABLES)[kind].objects.exists()  # type: ignore[attr-defined]


def test_other_center_does_not_see_the_participant(site: World, participant: Participant) -> None:
    """SE-04"""
    stranger = browser_of(site, "coordinator02")
    for kind, _table in TABLES:
        assert send(stranger, participant, kind).status_code == 404


def test_window_counts_its_days_and_asks_for_the_declaration_at_its_end(site: World, browser: Client) -> None:
    """TX-02: day n of 90; the declaration is offered on the last day and not before."""
    today = timezone.localdate()
    for number, state, offered in [(47, "treatment_window", False), (90, "last_day", True), (91, "declaration_missing", True)]:
        person = world.enrolled(site, surgery=today - timedelta(days=number))
        window = pages.treatment_window(person, on=today)
        assert (window.day, window.state) == (number, state)
        assert (reverse("declaration-new", args=[person.uuid]) in page(browser, person)) is offered


def test_contradiction_is_shown_until_one_is_voided(site: World, browser: Client, participant: Participant) -> None:
    """Entry of treatment is never blocked by a declaration; both stand, visibly."""
    send(browser, participant, "declaration")
    assert send(browser, participant, "course").status_code == 302
    assert "are both on record" in page(browser, participant)
    assert treatment_lists.treatment_counts(site.people["coordinator01"])["contradicted"] == 1
    declaration = NoAdjuvantDeclaration.objects.get()
    browser.post(reverse("declaration-void", args=[declaration.uuid]), {"reason": "treated elsewhere"})
    assert "are both on record" not in page(browser, participant)
    assert treatment.contradicted(participant) is False


def test_completeness_of_treatment_is_stated_by_a_button(browser: Client, participant: Participant) -> None:
    """The window of a treated participant counts as closed when somebody says that everything is recorded."""
    send(browser, participant, "course")
    assert pages.treatment_window(participant, on=timezone.localdate()).state == "treatment_unstated"
    assert browser.post(reverse("window-close", args=[participant.uuid])).status_code == 302
    assert pages.treatment_window(participant, on=timezone.localdate()).state == "treatment_complete"


def test_visits_stand_as_the_schedule_says(participant: Participant, site: World) -> None:
    """EP-07: M1 made late counts as M1; M3 (day 70 to 112) is overdue at day 120, M6 not yet due; death ends what is expected."""
    by, today = site.people["coordinator01"], timezone.localdate()
    facts = {"modality": "CT", "adequate": True, "finding": "free", "by": by}
    events.record_assessment(participant=participant, visit="M1", on=date.fromisoformat(day(participant, 66)), **facts)
    states = lambda: [row.state for row in pages.visits(participant, pages.entries(participant, "assessment", "death"), on=today)][:3]  # noqa: E731
    assert states() == ["visit_done_outside", "overdue", "not_yet_due"]
    row = events.record_death(participant=participant, on=day(participant, 100), cause="hcc", by=by)
    assert states() == ["visit_done_outside", "not_expected", "not_expected"]
    entry.void(row=row, reason="wrong patient", by=by)
    assert states() == ["visit_done_outside", "overdue", "not_yet_due"]


def test_lists_count_what_they_hold(site: World, browser: Client) -> None:
    """Every filter opens what it counts; who died or withdrew waits for no visit."""
    today, by = timezone.localdate(), site.people["coordinator01"]
    people = [world.enrolled(site, surgery=today - timedelta(days=number)) for number in (10, 38, 60, 95, 120, 130)]
    world.enrolled(site, "02", surgery=today - timedelta(days=120))
    events.record_death(participant=people[4], on=day(people[4], 100), cause="hcc", by=by)
    enrollment.withdraw(participant=people[5], how_far="no_new_data", on=today, reason="moved", by=by)
    numbers = {
        state: [(each.number, each.window.code) for each in visit_lists.open_visits(by, state)] for state in visit_lists.VISIT_FILTERS
    }
    known = [person.study_number for person in people]
    assert numbers["overdue"] == [(known[3], "M1"), (known[2], "M1")]
    assert numbers["due"] == [(known[1], "M1"), (known[3], "M3")]
    assert visit_lists.visit_counts(by) == {state: len(rows) for state, rows in numbers.items()}
    assert [row.study_number for row in treatment_lists.treatment_rows(by)] == [known[4], known[3]]
    for name, counts in (("visits", visit_lists.visit_counts(by)), ("treatment", treatment_lists.treatment_counts(by))):
        for state, count in counts.items():
            answer = browser.get(reverse(name), {"state": state})
            assert (len(answer.context["rows"]), answer.context["total"]) == (count, count)


def test_treatment_of_who_wants_no_contact_is_still_asked_of_the_records(site: World) -> None:
    """EN-04: no more contact, but the records may be read; a declaration can be made from them."""
    today, by = timezone.localdate(), site.people["coordinator01"]
    person = world.enrolled(site, surgery=today - timedelta(days=125))
    enrollment.withdraw(participant=person, how_far="no_contact", on=today, reason="moved", by=by)
    assert [row.study_number for row in treatment_lists.treatment_rows(by)] == [person.study_number]
    assert treatment_lists.treatment_counts(by) == {"all": 1, "missing": 1, "unstated": 0, "contradicted": 0}
    treatment.declare_no_adjuvant(participant=Participant.objects.get(pk=person.pk), declared_on=today, source="record", by=by)
    assert treatment_lists.treatment_counts(by)["all"] == 0


def test_early_visit_counts_when_its_window_opens(site: World) -> None:
    """A visit made before its window opened is not counted as open later, nor subtracted twice now."""
    by, person = site.people["coordinator01"], world.enrolled(site, surgery=timezone.localdate() - timedelta(days=60))
    facts = {"modality": "CT", "adequate": True, "finding": "free", "by": by}
    events.record_assessment(participant=person, visit="M3", on=timezone.localdate(), **facts)
    assert visit_lists.visit_counts(by) == {"all": 1, "overdue": 1, "due": 0}
    assert len(visit_lists.open_visits(by)) == 1


def test_pages_of_the_lists_hold_everybody_once(site: World, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key-set paging by the end of the window; a foreign cursor begins anew."""
    for lists in (visit_lists, treatment_lists):
        monkeypatch.setattr(lists, "ROWS", 2)
    people = {world.enrolled(site, surgery=timezone.localdate() - timedelta(days=100)).study_number for _ in range(5)}
    for name, per_person in (("visits", 2), ("treatment", 1)):
        shown, address = [], reverse(name)
        while address:
            answer = browser.get(address)
            shown += [getattr(row, "number", None) or row[0].study_number for row in answer.context["rows"]]
            following = answer.context["next_url"]
            address = reverse(name) + following if following else ""
        assert len(shown) == len(people) * per_person
        assert set(shown) == people
        foreign = browser.get(reverse(name), {"after": str(UUID(int=7))})
        assert foreign.context["rows"] or name == "visits"


def test_list_of_visits_is_printed_whole(site: World, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One link leads to all rows on one page, in this filter; a list beyond what is printed at once goes on behind it."""
    monkeypatch.setattr(visit_lists, "ROWS", 2)
    for _ in range(3):
        world.enrolled(site, surgery=timezone.localdate() - timedelta(days=100))
    address = reverse("visits")
    paper = browser.get(f"{address}?state=overdue").context["paper_url"]
    assert paper == "?state=overdue&paper=1"
    whole = browser.get(address + paper)
    assert len(whole.context["rows"]) == visit_lists.visit_counts(site.people["coordinator01"])["overdue"] == 3
    assert (whole.context["next_url"], whole.context["paper_url"]) == ("", "")
    monkeypatch.setattr(visit_lists, "ON_PAPER", 2 + 1)
    assert browser.get(f"{address}?paper=1").context["next_url"].endswith("&paper=1")


@pytest.mark.parametrize("name", ["visits", "treatment", "worklist"])
def test_lists_ask_the_same_number_of_queries_for_any_number_of_rows(site: World, browser: Client, name: str) -> None:
    """At most 20 for the list itself, the frame of the page left out."""
    asked = []
    for _ in range(2):
        for number in (38, 60, 95, 130):
            world.enrolled(site, surgery=timezone.localdate() - timedelta(days=number))
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse(name))
        asked.append(len(queries))
    assert asked[0] == asked[1]
    with CaptureQueriesContext(connection) as queries:
        visit_lists.visits_page(site.people["coordinator01"], state="all", after="")
        treatment_lists.treatment_page(site.people["coordinator01"], state="all", after="")
    assert len(queries) <= 20


def test_participants_page_asks_the_same_number_of_queries_for_any_number_of_entries(browser: Client, participant: Participant) -> None:
    asked = []
    for month in (1, 2):
        for number in range(1, 4):
            send(browser, participant, "contact", on=day(participant, 30 * month + number))
            send(browser, participant, "course", start=day(participant, 30 * month + number), intent="salvage")
        page(browser, participant)
        with CaptureQueriesContext(connection) as queries:
            page(browser, participant)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_pages_of_entry_never_speak_of_predictions(browser: Client, participant: Participant) -> None:
    """blinding §4: nothing about care waits for a seal, and no form names one."""
    for kind, _table in TABLES:
        told = body(browser.get(reverse(f"{kind}-new", args=[participant.uuid]))).split("<main")[1].split("</main>")[0].lower()
        assert not [word for word in WORDS if word in told]


def test_participants_page_says_what_waits(browser: Client, participant: Participant) -> None:
    """At day 120 without an entry: the window's account, M1 and M3."""
    waits = browser.get(reverse("participant", args=[participant.uuid])).context["todo"]
    told = [item["sentence"] for item in waits]
    assert any("treatment window has ended" in sentence for sentence in told)
    assert [sentence[:2] for sentence in told if "overdue" in sentence] == ["M1", "M3"]
