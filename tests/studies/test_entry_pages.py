"""The pages of the forms: what is typed is saved, kept or refused with a sentence, never lost; two people decide, nobody overwrites."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import User
from studies import enrollment, entry
from studies.entries import drafts
from studies.laboratory import ranges
from studies.models import Draft, Entry, Participant
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture
def participant(world: World) -> Participant:
    return worlds.enrolled(world)


def sign_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    client.post(reverse("language"), {"language": "en"})
    return client


@pytest.fixture
def browser(world: World) -> Client:
    return sign_in(world.coordinator)


def drawn(browser: Client, participant: Participant, form: str = "laboratory") -> Any:
    return browser.get(reverse("form", args=[participant.uuid, form]))


def send(browser: Client, page: Any, action: str = "save", **fields: str) -> Any:
    """Send the form as that page drew it, with these fields changed."""
    hidden = {"seen": page.context["drawn_with"], "drawn_for": page.context["drawn_for"], "action": action}
    return browser.post(page.request["PATH_INFO"], {**hidden, **fields})


def text(answer: Any) -> str:
    return answer.content.decode()


def stored(participant: Participant) -> dict[str, str]:
    return entry.flat([participant]).get(participant.pk, {})


def test_every_form_shows_every_item_once(browser: Client, participant: Participant) -> None:
    """ui.md, Forms: label, unit, range, a reason for every blank; the list says how complete each form is."""
    for form in participant.study.dictionary.forms:
        page = drawn(browser, participant, form.code)
        views = [view.item.code for _section, views in page.context["sections"] for view in views]
        assert views == [item.code for item in form.items]
        for item in form.items:
            assert f'data-item="{item.code}"' in text(page)
            assert (f'name="missing_{item.code}"' in text(page)) == bool(item.missing)
    listed = browser.get(reverse("forms", args=[participant.uuid]))
    assert [row["form"].code for row in listed.context["rows"]] == [form.code for form in participant.study.dictionary.forms]
    assert browser.get(reverse("form", args=[participant.uuid, "nothing"])).status_code == 404


def test_values_units_comparators_and_reasons_are_saved(browser: Client, participant: Participant) -> None:
    """Full-width digits, another unit, a censored value, a reason; 1.2 mg/dL × 17.104 = 20.5248 µmol/L, shown beside the field."""
    page = drawn(browser, participant)
    fields = {"value_albumin": "４１", "value_bilirubin": "1.2", "unit_bilirubin": "mg/dL", "value_afp": "> 60500", "missing_alt": "ND"}
    answer = send(browser, page, **fields)
    assert answer.status_code == 302
    assert Entry.objects.get().values == {
        "albumin": {"value": "41", "source": "typed"},
        "bilirubin": {"value": "20.5248", "unit": "mg/dL", "typed": "1.2", "source": "typed"},
        "afp": {"value": "60500", "comparator": ">", "source": "typed"},
        "alt": {"missing": "ND"},
    }
    page = drawn(browser, participant)
    assert "= 20.5248 µmol/L" in text(page)
    assert "Saved: 4 of 41 items are answered." in text(page)
    assert 'value="&gt; 60500"' in text(page)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("value_afp", "high", "is no number for alpha-fetoprotein"),
        ("value_albumin", "4,1", "comma"),
        ("value_albumin", "400", "lies between 10 and 70 g/L"),
        ("value_lab_date", "2026-03-09", "comes after date of surgery"),
        ("value_sodium", "120", "outside 125 to 150 mmol/L"),
    ],
)
def test_impossible_value_gets_a_sentence_and_nothing_typed_is_lost(
    browser: Client, participant: Participant, field: str, value: str, sentence: str
) -> None:
    """The list on top links to the field; the good value beside the bad one stays; surgery was on 2026-03-02."""
    answer = send(browser, drawn(browser, participant), **{field: value, "value_bilirubin": "17.1"})
    assert answer.status_code == 400
    assert sentence in text(answer)
    assert f'<a href="#{field}">' in text(answer)
    assert 'value="17.1"' in text(answer)
    assert not Entry.objects.exists()
    assert 'value="17.1"' in text(drawn(browser, participant))


def test_unusual_value_needs_one_tick_and_no_more(browser: Client, participant: Participant) -> None:
    assert send(browser, drawn(browser, participant), value_sodium="120", tick_sodium="on").status_code == 302
    assert Entry.objects.get().values["sodium"] == {"value": "120", "confirmed": True, "source": "typed"}
    page = drawn(browser, participant)
    assert send(browser, page, value_sodium="120", tick_sodium="on", value_albumin="40").status_code == 302
    assert stored(participant) == {"sodium": "120", "albumin": "40"}


def test_change_after_submission_asks_its_reason_and_stands_in_the_history(browser: Client, participant: Participant) -> None:
    """AU-03."""
    assert send(browser, drawn(browser, participant), action="submit", value_afp="20").status_code == 302
    page = drawn(browser, participant)
    answer = send(browser, page, value_afp="200", value_albumin="40")
    assert answer.status_code == 400
    assert "Say why" in text(answer)
    assert stored(participant) == {"afp": "20"}
    assert send(browser, page, value_afp="200", value_albumin="40", reason="misread").status_code == 302
    page = text(drawn(browser, participant))
    assert "<s>20 ng/mL</s> → 200 ng/mL" in page
    assert "reason: misread" in page


def test_first_entry_of_somebody_withdrawn_can_give_the_reason_it_needs(world: World, browser: Client, participant: Participant) -> None:
    """EN-04 b: what is from before the withdrawal is taken with a reason, and a form that was never submitted has the field for it."""
    assert 'name="reason"' not in text(drawn(browser, participant))
    by, day = world.people[Role.SITE_PI], participant.study.today()
    enrollment.withdraw(participant=participant, how_far="no_new_data", on=day, reason="moved away", by=by)
    page = drawn(browser, participant)
    assert 'name="reason"' in text(page)
    refused = send(browser, page, value_afp="20")
    assert (refused.status_code, "withdrew on" in text(refused)) == (400, True)
    assert send(browser, page, value_afp="20", reason="report came late").status_code == 302
    assert stored(participant) == {"afp": "20"}


def test_laboratory_form_leads_to_the_pasted_report_by_its_key(world: World, browser: Client, participant: Participant) -> None:
    link = f'href="{reverse("lab-paste", args=[participant.uuid])}" data-key="p"'
    assert link in text(drawn(browser, participant))
    assert link not in text(drawn(browser, participant, "liver"))
    assert link not in text(drawn(sign_in(world.people[Role.MONITOR]), participant))


def test_apri_takes_the_upper_limit_of_ast_at_the_center_on_the_day_of_sampling(
    world: World, browser: Client, participant: Participant
) -> None:
    """APRI = 80 / 40 · 100 / 100; the ranges of before that day and of the other sex say nothing, and without one the form says so."""
    entered = send(browser, drawn(browser, participant), value_ast="80", value_platelets="100", value_lab_date="2026-02-26")
    assert entered.status_code == 302
    assert "lacks the upper limit of AST at this center" in text(drawn(browser, participant))
    day, center = date(2026, 2, 26), world.own
    for high, first, last, sex in ((20, day - timedelta(days=90), day - timedelta(days=1), ""), (40, day, None, "M"), (30, day, None, "F")):
        limits = {"low": None, "high": Decimal(high), "unit": "U/L", "valid_from": first, "valid_until": last, "sex": sex}
        ranges.record(center=center, item="ast", by=world.coordinator, **limits)
    page = drawn(browser, participant)
    views = {view.item.code: view.said for _section, views in page.context["sections"] for view in views}
    assert (participant.screening.sex, views["apri"]) == ("M", "2.00")


def test_two_people_fill_in_different_fields(world: World, browser: Client, participant: Participant) -> None:
    """peers.md C: a page drawn before the other's save takes nothing away from it."""
    other = sign_in(world.people[Role.SITE_PI])
    mine, theirs = drawn(browser, participant), drawn(other, participant)
    assert send(other, theirs, value_afp="20").status_code == 302
    assert send(browser, mine, value_albumin="40").status_code == 302
    assert stored(participant) == {"afp": "20", "albumin": "40"}


@pytest.fixture
def meeting(world: World, browser: Client, participant: Participant) -> Any:
    """Both typed AFP and albumin, and agree about sodium; the site PI saved first. The answer to the coordinator."""
    other = sign_in(world.people[Role.SITE_PI])
    mine, theirs = drawn(browser, participant), drawn(other, participant)
    assert send(other, theirs, action="submit", value_afp="20", value_albumin="40", value_sodium="140").status_code == 302
    return send(browser, mine, value_afp="25", value_albumin="44", value_sodium="140", value_bilirubin="12")


def decide(browser: Client, page: Any, reason: str = "", **choices: str) -> Any:
    """Send the conflict page with a choice for some of its fields."""
    hidden = {"seen": page.context["drawn_with"], "drawn_for": page.context["drawn_for"], "action": "save", "reason": reason}
    met = [row.item.code for row in page.context["rows"]]
    chosen = {f"decide_{code}": choice for code, choice in choices.items()}
    return browser.post(page.request["PATH_INFO"], {**hidden, **page.context["sheet"].as_draft, **chosen, "met": met})


def test_two_editors_get_a_conflict_page(world: World, meeting: Any, participant: Participant) -> None:
    """Issue 3, done 4: only what differs, mine and theirs, who and when; nothing was saved and nothing of mine is lost."""
    assert meeting.status_code == 409
    rows = {row.item.code: (row.mine, row.theirs, row.by) for row in meeting.context["rows"]}
    who = world.people[Role.SITE_PI].username
    assert rows == {"afp": ("25 ng/mL", "20 ng/mL", who), "albumin": ("44 g/L", "40 g/L", who)}
    assert stored(participant) == {"afp": "20", "albumin": "40", "sodium": "140"}
    assert Draft.objects.get().typed["value_bilirubin"] == "12"


def test_conflict_is_decided_value_by_value(browser: Client, meeting: Any, participant: Participant) -> None:
    """Mine for one and theirs for the other; the rest of mine is saved with them, and the change has its reason."""
    assert decide(browser, meeting, afp="mine", albumin="theirs").status_code == 400  # submitted: a change says why
    assert decide(browser, meeting, "read again", afp="mine", albumin="theirs").status_code == 302
    assert stored(participant) == {"afp": "25", "albumin": "40", "sodium": "140", "bilirubin": "12"}
    assert not Draft.objects.exists()


def test_undecided_value_is_asked_again(browser: Client, meeting: Any, participant: Participant) -> None:
    again = decide(browser, meeting, "read again", afp="mine")
    assert again.status_code == 409
    assert [row.item.code for row in again.context["rows"] if row.undecided] == ["albumin"]
    assert stored(participant)["afp"] == "20"


def test_third_change_while_deciding_is_a_conflict_again(world: World, browser: Client, meeting: Any, participant: Participant) -> None:
    entry.record_texts(participant=participant, texts={"afp": "30"}, by=world.people[Role.SITE_PI], reason="typing error")
    again = decide(browser, meeting, "read again", afp="mine", albumin="theirs")
    assert again.status_code == 409
    assert [(row.item.code, row.theirs) for row in again.context["rows"]] == [("afp", "30 ng/mL")]


@pytest.mark.parametrize("seen", ["", "no json", "[1]", "7", '{"afp": {"nonsense": "1"}}'])
def test_page_that_does_not_say_what_it_showed_overwrites_nothing(browser: Client, participant: Participant, seen: str) -> None:
    send(browser, drawn(browser, participant), value_afp="20")
    answer = browser.post(reverse("form", args=[participant.uuid, "laboratory"]), {"value_afp": "30", "seen": seen, "reason": "no"})
    assert answer.status_code == 409
    assert stored(participant) == {"afp": "20"}


def keep(browser: Client, page: Any, **fields: str) -> Any:
    """What the page's script sends when a field is left."""
    hidden = {"seen": page.context["drawn_with"], "drawn_for": page.context["drawn_for"]}
    return browser.post(page.context["draft_url"], {**hidden, **fields})


def test_leaving_a_field_keeps_a_draft_and_says_what_was_understood(world: World, browser: Client, participant: Participant) -> None:
    """ui.md: autosave on leaving a field, its time shown; only its author sees it."""
    told = keep(
        browser, drawn(browser, participant), value_bilirubin="1.2", unit_bilirubin="mg/dL", value_albumin="4,1", value_sodium="120"
    ).json()
    assert told["fields"]["bilirubin"] == {"said": "= 20.5248 µmol/L", "tone": "", "unusual": ""}
    assert told["fields"]["albumin"]["tone"] == "bad"
    assert "tick" in told["fields"]["sodium"]["unusual"]
    assert len(told["saved"]) == len("14:32:08")
    assert not Entry.objects.exists()
    again = text(drawn(browser, participant))
    assert "is here again" in again
    assert 'value="4,1"' in again
    assert "is here again" not in text(drawn(sign_in(world.people[Role.SITE_PI]), participant))
    assert "typed, not saved" in text(browser.get(reverse("forms", args=[participant.uuid])))


def test_branches_open_and_close_as_answers_come(browser: Client, participant: Participant) -> None:
    page = drawn(browser, participant, "liver")
    assert "antiviral_drug" not in keep(browser, page, value_hbv="yes").json()["asked"]
    assert "antiviral_drug" in keep(browser, page, value_hbv="yes", value_antiviral="yes").json()["asked"]


def test_draft_is_gone_once_saved_discarded_or_typed_back(browser: Client, participant: Participant) -> None:
    page = drawn(browser, participant)
    for finish in (
        lambda: send(browser, page, value_afp="20"),
        lambda: send(browser, page, action="discard", value_afp="20"),
        lambda: keep(browser, page, value_afp=""),
    ):
        keep(browser, page, value_afp="19")
        assert Draft.objects.count() == 1
        finish()
        assert not Draft.objects.exists()


def test_draft_typed_before_another_saved_meets_it(world: World, browser: Client, participant: Participant) -> None:
    """The draft remembers what its page had shown."""
    keep(browser, drawn(browser, participant), value_afp="19")
    entry.record_texts(participant=participant, texts={"afp": "20"}, by=world.people[Role.SITE_PI])
    page = drawn(browser, participant)
    assert json.loads(page.context["drawn_with"]) == {}
    assert send(browser, page, value_afp="19").status_code == 409


@pytest.mark.parametrize("address", ["form", "form-draft"])
def test_form_sent_after_the_session_ended_is_there_again_after_signing_in(
    world: World, browser: Client, participant: Participant, address: str
) -> None:
    """peers.md C: unsaved work survives session expiry; somebody else at the same machine does not get it."""
    page = drawn(browser, participant)
    browser.logout()
    hidden = {"seen": page.context["drawn_with"], "drawn_for": page.context["drawn_for"]}
    answer = browser.post(reverse(address, args=[participant.uuid, "laboratory"]), {**hidden, "value_afp": "21", "value_albumin": "4,1"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("sign-in"))
    browser.force_login(world.people[Role.SITE_PI])
    assert 'value="21"' not in text(drawn(browser, participant))
    browser.force_login(world.coordinator)
    again = text(drawn(browser, participant))
    assert 'value="21"' in again
    assert 'value="4,1"' in again


def test_form_that_the_dictionary_has_no_more_keeps_nothing(world: World, participant: Participant) -> None:
    """A page that outlived its form leads to the sign-in like any other."""
    sent = {"seen": "{}", "drawn_for": drafts.word(participant, "removed", world.coordinator), "value_afp": "21"}
    answer = Client().post(reverse("form", args=[participant.uuid, "removed"]), sent)
    assert (answer.status_code, Draft.objects.count()) == (302, 0)


@pytest.mark.parametrize("word", ["", "forged", "of another form", "of another participant", "of somebody who left"])
def test_word_that_is_not_the_pages_own_keeps_nothing(world: World, browser: Client, participant: Participant, word: str) -> None:
    page = drawn(browser, participant, "tumour" if word == "of another form" else "laboratory")
    other = worlds.enrolled(world) if word == "of another participant" else participant
    if word == "of somebody who left":
        with audit.act(by=world.system, action="test"):
            User.objects.filter(pk=world.coordinator.pk).update(is_active=False)
    browser.logout()
    sent = {"": "", "forged": "forged:word:x"}.get(word, page.context["drawn_for"])
    browser.post(reverse("form", args=[other.uuid, "laboratory"]), {"seen": "{}", "drawn_for": sent, "value_afp": "21"})
    assert not Draft.objects.exists()


def test_who_may_not_enter_reads_only(world: World, participant: Participant) -> None:
    """The monitor sees the values without a button; sending them, or a draft, is refused."""
    client = sign_in(world.people[Role.MONITOR])
    page = drawn(client, participant)
    assert "savebar" not in text(page)
    assert "disabled" in text(page)
    assert send(client, page, value_afp="20").status_code == 403
    assert keep(client, page, value_afp="20").status_code == 403
    assert not Draft.objects.exists()
