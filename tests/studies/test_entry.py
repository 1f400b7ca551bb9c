"""Entries: checked by the data dictionary, kept with their trail, changed after submission only with a reason (AU-03)."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import audit
from accounts.transitions import NotAllowedNow
from predictions import clinical
from studies import date_order, dictionary, entry, screening, setup
from studies.models import Entry, Participant, Screening
from studies.values import Value
from studies.vocabulary import Phase, Role
from tests.studies import world as worlds
from tests.studies.world import World

BOOK = dictionary.load("hcc_adjuvant")


@pytest.fixture
def participant(world: World) -> Participant:
    return worlds.enrolled(world)


def test_values_are_stored_as_decimal_text_with_what_was_typed(world: World, participant: Participant) -> None:
    values = {"afp": Value("60500", ">"), "bilirubin": Value("20.5248", unit="mg/dL", typed="1.2"), "alt": Value(missing="ND")}
    row = entry.record(participant=participant, form="laboratory", values=values, by=world.coordinator)
    assert row.values == {
        "afp": {"value": "60500", "comparator": ">"},
        "bilirubin": {"value": "20.5248", "unit": "mg/dL", "typed": "1.2"},
        "alt": {"missing": "ND"},
    }
    assert (row.status, row.dictionary_version) == ("draft", "1.0")
    assert entry.flat([participant]) == {participant.pk: {"afp": "60500", "bilirubin": "20.5248"}}
    assert entry.answered([participant]) == {participant.pk: {"afp", "bilirubin", "alt"}}


@pytest.mark.parametrize(
    ("form", "code", "value"),
    [
        ("laboratory", "afp", Value("-1")),
        ("laboratory", "albumin", Value("400")),
        ("laboratory", "albumin", Value("41", "<")),
        ("laboratory", "albumin", Value("41", unit="mg/dL")),
        ("laboratory", "lab_date", Value(missing="NA")),
        ("laboratory", "mvi", Value("M1")),
        ("pathology", "mvi", Value("M3")),
        ("nonsense", "mvi", Value("M1")),
        ("tumour", "tumour_number", Value("1.5")),
    ],
)
def test_impossible_value_is_refused_and_nothing_is_stored(
    world: World, participant: Participant, form: str, code: str, value: Value
) -> None:
    with pytest.raises(ValidationError):
        entry.record(participant=participant, form=form, values={code: value}, by=world.coordinator)
    assert not Entry.objects.exists()


def test_change_before_submission_leaves_a_trail_and_asks_nothing(world: World, participant: Participant) -> None:
    for text in ("20", "200"):
        [row] = entry.record_texts(participant=participant, texts={"afp": text}, by=world.coordinator)
    assert [event.values["afp"]["value"] for event in audit.history(row)] == ["20", "200"]


def test_change_after_submission_needs_a_reason_and_keeps_what_was(world: World, participant: Participant) -> None:
    entry.record_texts(participant=participant, texts={"afp": "20"}, by=world.coordinator, submit=True)
    with translation.override("en"), pytest.raises(ValidationError, match="Say why"):
        entry.record_texts(participant=participant, texts={"afp": "200"}, by=world.coordinator)
    entry.record_texts(participant=participant, texts={"albumin": "40"}, by=world.coordinator)  # a first value replaces nothing
    [row] = entry.record_texts(participant=participant, texts={"afp": ""}, by=world.coordinator, reason="other patient")
    told = [
        (event.values.get("afp", {}).get("value"), event.pgh_context["action"], event.pgh_context["reason"]) for event in audit.history(row)
    ]
    assert told == [
        ("20", "entry.submitted", ""),
        ("20", "entry.recorded", ""),
        (None, "entry.recorded", "other patient"),
    ]


def test_same_values_again_write_nothing(world: World, participant: Participant) -> None:
    for _again in range(2):
        [row] = entry.record_texts(participant=participant, texts={"afp": "20"}, by=world.coordinator, submit=True)
    assert audit.history(row).count() == 1


def test_nobody_but_the_center_enters_and_nobody_after_the_lock(world: World, participant: Participant) -> None:
    for by in (world.people[Role.MONITOR], world.people[Role.DATA_MANAGER]):
        with pytest.raises(PermissionDenied):
            entry.record_texts(participant=participant, texts={"afp": "20"}, by=by)
    for phase in (Phase.FOLLOW_UP, Phase.LOCKED):
        setup.advance_phase(study=world.study, to=phase, by=world.system)
    participant.refresh_from_db()
    with pytest.raises(NotAllowedNow):
        entry.record_texts(participant=participant, texts={"afp": "20"}, by=world.coordinator)


def test_every_text_that_is_not_understood_is_named_before_anything_is_written(world: World, participant: Participant) -> None:
    with pytest.raises(ValidationError) as refused:
        entry.record_texts(participant=participant, texts={"afp": "20", "mvi": "M9", "albumin": "4,1", "none": "1"}, by=world.coordinator)
    assert set(refused.value.message_dict) == {"mvi", "albumin", "none"}
    assert not Entry.objects.exists()


def test_value_whose_branch_closed_is_kept_and_not_read(world: World, participant: Participant) -> None:
    """Issue 3: never silently deleted; models and checks do not see it."""
    entry.record_texts(participant=participant, texts={"transfusion": "yes", "red_cells_units": "2"}, by=world.coordinator)
    [row] = entry.record_texts(participant=participant, texts={"transfusion": "no"}, by=world.coordinator)
    assert row.values["red_cells_units"] == {"value": "2"}
    assert entry.flat([participant])[participant.pk] == {"transfusion": "no"}


def test_drafts_feed_no_model(world: World, participant: Participant) -> None:
    entry.record_texts(participant=participant, texts={"afp": "20"}, by=world.coordinator)
    assert entry.flat([participant], submitted=True) == {}
    entry.record(participant=participant, form="laboratory", values={}, by=world.coordinator, submit=True)
    assert entry.flat([participant], submitted=True) == {participant.pk: {"afp": "20"}}


def test_states_list_required_items_without_value_or_reason(world: World, participant: Participant) -> None:
    entry.record_texts(
        participant=participant, texts={"tumour_number": "1", "pvtt": "none", "extrahepatic": "no", "cnlc": "UNK"}, by=world.coordinator
    )
    states = {state.form.code: state for state in entry.states(participant)}
    assert [item.code for item in states["tumour"].unanswered] == ["tumour_diameter_cm"]
    assert (states["tumour"].held, states["tumour"].asked) == (4, 9)
    assert states["surgery"].entry is None


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"lab_date": "2026-03-01", "discharge_date": "2026-01-01"}, "comes after"),
        ({"hbv_since": "1966"}, "before birth"),
        ({"discharge_date": "2199-01-01"}, "lies after today"),
    ],
)
def test_date_that_cannot_be_true_is_refused(world: World, participant: Participant, texts: dict[str, str], sentence: str) -> None:
    """peers.md C: birth < surgery ≤ …; aged 58 on the day of surgery in 2026, nobody was born before 1967."""
    with translation.override("en"), pytest.raises(ValidationError, match=sentence):
        entry.record_texts(participant=participant, texts={"hbv": "yes"} | texts, by=world.coordinator)


def test_partial_date_contradicts_only_when_no_day_of_it_fits() -> None:
    facts = {"surgery": date(2026, 5, 10), "age_at_surgery": 58, "today": date(2026, 6, 1)}
    for day, fits in (
        ("2026", True),
        ("2026-05", True),
        ("2026-05-11", False),
        ("2026-06", False),
        ("1967-05-11", True),
        ("1967-05-10", False),
    ):
        assert (date_order.contradictions(BOOK, {"conversion_last": day}, **facts) == []) is fits, day


def test_earliest_birth_of_a_leap_day_patient() -> None:
    """58 completed years on 2024-02-29: born after 1965-02-28 at the earliest (59 on 2024-02-29 from 1965-03-01 back)."""
    assert date_order.earliest_birth(date(2024, 2, 29), 58) == date(1965, 3, 1)
    assert date_order.earliest_birth(date(2026, 5, 10), 58) == date(1967, 5, 11)


def test_hundreds_of_participants_are_read_with_one_query(world: World, participant: Participant, django_assert_num_queries) -> None:
    entry.record_texts(participant=participant, texts={"afp": "20", "mvi": "M1", "hbv": "yes"}, by=world.coordinator)
    with django_assert_num_queries(1):
        entry.flat(Participant.objects.all())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_eligibility_never_changes_when_what_is_recorded_later_does(world: World, participant: Participant, data: st.DataObject) -> None:
    """EL-03: whatever is entered into forms, verdict and snapshot of the screening and of the participant stay as they are."""
    before = (participant.eligibility, participant.screening.eligibility)
    form = data.draw(st.sampled_from(BOOK.forms))
    item = data.draw(st.sampled_from([item for item in form.items if item.kind == "choice" or item.kind in ("number", "integer")]))
    value = data.draw(st.sampled_from([option.code for option in item.options] or [str(item.low), str(item.high)]))
    entry.record_texts(participant=participant, texts={item.code: value}, by=world.coordinator, reason="again")
    line = Screening.objects.get(pk=participant.screening_id)
    assert (Participant.objects.get(pk=participant.pk).eligibility, line.eligibility) == before
    assert screening.judge(world.study.protocol, line).verdict == before[1]["verdict"]


def test_features_follow_the_published_formulas() -> None:
    """ALBI of 17.1 µmol/L and 40 g/L: 0.66·log10(17.1) − 3.4 = −2.586 (by hand)."""
    found = clinical.features({"bilirubin": "17.1", "albumin": "40", "afp": "1000", "mvi": "not_reported"}, age_at_surgery=58, sex="M")
    assert found["clinical_albi"] == pytest.approx(-2.586, abs=5e-4)
    assert (found["clinical_afp_log10"], found["clinical_mvi"], found["clinical_sex_male"]) == (3.0, None, 1.0)


def test_model_reads_no_item_that_is_not_declared() -> None:
    """The snapshot holds exactly READ: features of READ alone equal features of everything."""
    everything = {item.code: item.options[0].code if item.options else "5" for item in BOOK.items}
    declared = {code: everything[code] for code in clinical.READ}
    assert clinical.features(declared, age_at_surgery=58, sex="M") == clinical.features(everything, age_at_surgery=58, sex="M")
    assert all(BOOK.has(code) for code in clinical.READ)
