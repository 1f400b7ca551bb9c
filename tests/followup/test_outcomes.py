"""From dated facts to endpoints (EP-01 to EP-06, EP-09, EP-10, EP-13): cases by hand, then what always holds."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from followup.history import Assessment, Contradiction, Finding, History, Recurrence, faults
from followup.outcomes import ImpossibleHistory, Outcomes, Reason, censor_after_missed, censor_at_therapy, derive, months
from followup.partial_date import Imputation, PartialDate
from followup.schedule import Window

SURGERY = date(2026, 1, 1)
FAR = date(2031, 1, 1)


def day(number: int) -> date:
    return SURGERY + timedelta(number)


def exact(number: int) -> PartialDate:
    return PartialDate.parse(day(number).isoformat())


def free(number: int, *, adequate: bool = True) -> Assessment:
    return Assessment(day(number), adequate, Finding.FREE)


def outcomes(cutoff: date = FAR, imputation: Imputation = Imputation.CENTRAL, **facts: object) -> Outcomes:
    return derive(History(SURGERY, **facts), cutoff=cutoff, imputation=imputation)


def said(endpoint) -> tuple[int, str]:
    return endpoint.time, endpoint.reason


def test_suspicion_at_month_6_confirmed_at_month_9_is_a_recurrence_at_month_6():
    """EP-02."""
    found = outcomes(assessments=(free(91),), recurrences=(Recurrence(exact(183), day(274)),))
    assert said(found.rfs) == (183, Reason.RECURRENCE)
    assert said(found.os) == (183, Reason.LAST_KNOWN_ALIVE)


def test_suspicion_never_confirmed_is_no_event():
    found = outcomes(assessments=(free(91), Assessment(day(183), True, Finding.SUSPECTED)), recurrences=(Recurrence(exact(183)),))
    assert said(found.rfs) == (91, Reason.LAST_ADEQUATE_ASSESSMENT)


def test_contact_after_the_last_imaging_moves_survival_and_not_recurrence_free_survival():
    """EP-03, EP-06: imaging at month 18, telephone at month 24."""
    found = outcomes(assessments=(free(548),), contacts=(day(730),))
    assert said(found.rfs) == (548, Reason.LAST_ADEQUATE_ASSESSMENT)
    assert said(found.os) == (730, Reason.LAST_KNOWN_ALIVE)


def test_inadequate_or_unclear_assessment_does_not_carry_disease_freedom():
    """EP-03."""
    unclear = Assessment(day(300), True, Finding.NOT_EVALUABLE)
    found = outcomes(assessments=(free(91), free(200, adequate=False), unclear))
    assert said(found.rfs) == (91, Reason.LAST_ADEQUATE_ASSESSMENT)
    assert said(found.os) == (300, Reason.LAST_KNOWN_ALIVE)


def test_nobody_seen_after_surgery_is_censored_at_day_0_and_listed():
    """EP-03; the scan of the day of surgery is no follow-up."""
    assert said(outcomes(assessments=(free(0),), contacts=(day(50),)).rfs) == (0, Reason.NO_ASSESSMENT)


def test_death_without_recurrence_is_an_event_of_both_endpoints():
    found = outcomes(assessments=(free(91),), death=exact(120))
    assert said(found.rfs) == said(found.os) == (120, Reason.DEATH)


def test_recurrence_and_death_on_one_day_is_a_recurrence():
    found = outcomes(recurrences=(Recurrence(exact(120), day(120)),), death=exact(120))
    assert said(found.rfs) == (120, Reason.RECURRENCE)
    assert said(found.os) == (120, Reason.DEATH)


def test_recurrence_confirmed_after_death_counts_from_the_day_it_was_seen():
    found = outcomes(recurrences=(Recurrence(exact(100), day(150)),), death=exact(120))
    assert said(found.rfs) == (100, Reason.RECURRENCE)
    assert said(found.os) == (120, Reason.DEATH)


def test_facts_after_the_cutoff_are_not_known():
    facts = {"assessments": (free(91), free(274)), "recurrences": (Recurrence(exact(183), day(280)),), "death": exact(400)}
    with pytest.raises(ImpossibleHistory, match="FREE_BEFORE_CONFIRMED"):
        outcomes(**facts)
    assert said(outcomes(cutoff=day(275), **facts).rfs) == (274, Reason.LAST_ADEQUATE_ASSESSMENT)


def test_disease_freedom_after_a_treated_recurrence_changes_nothing():
    found = outcomes(assessments=(free(91), free(400)), recurrences=(Recurrence(exact(183), day(190)),))
    assert said(found.rfs) == (183, Reason.RECURRENCE)


def test_withdrawal_from_data_ends_both_endpoints_before_it():
    """EN-04 b."""
    facts = {"assessments": (free(91), free(183)), "contacts": (day(110),), "death": exact(300), "stopped_on": day(120)}
    found = outcomes(**facts)
    assert said(found.rfs) == (91, Reason.LAST_ADEQUATE_ASSESSMENT)
    assert said(found.os) == (110, Reason.LAST_KNOWN_ALIVE)


@pytest.mark.parametrize(("number", "flag"), [(59, True), (60, False)])
def test_recurrence_before_day_60_asks_for_a_second_look_at_r0(number, flag):
    """EP-13: and stays an event."""
    found = outcomes(recurrences=(Recurrence(exact(number), day(70)),))
    assert (found.rfs.event, found.possible_residual_disease) == (True, flag)


@pytest.mark.parametrize(
    ("imputation", "on"),
    [(Imputation.CENTRAL, date(2026, 5, 15)), (Imputation.EARLIEST, date(2026, 5, 11)), (Imputation.LATEST, date(2026, 5, 20))],
)
def test_recurrence_known_to_the_month_lies_after_the_last_free_day_and_not_after_its_confirmation(imputation, on):
    """EP-09."""
    facts = {
        "assessments": (Assessment(date(2026, 5, 10), True, Finding.FREE),),
        "recurrences": (Recurrence(PartialDate.parse("2026-05"), date(2026, 5, 20)),),
    }
    found = outcomes(imputation=imputation, **facts).rfs
    assert (found.on, found.first, found.last) == (on, date(2026, 5, 11), date(2026, 5, 20))
    assert found.imputed
    assert found.straddles(date(2026, 5, 15))
    assert not found.straddles(date(2026, 5, 20))


def test_date_known_to_the_year_stands_for_the_first_of_july():
    assert outcomes(recurrences=(Recurrence(PartialDate.parse("2027"), date(2028, 1, 5)),)).rfs.on == date(2027, 7, 1)


def test_death_known_to_the_month_is_never_before_a_sign_of_life():
    """EP-09, EP-06."""
    assert outcomes(death=PartialDate.parse("2026-05"), contacts=(date(2026, 5, 20),)).os.on == date(2026, 5, 20)
    assert outcomes(death=PartialDate.parse("2026-05"), contacts=(date(2026, 4, 20),)).os.on == date(2026, 5, 15)


@pytest.mark.parametrize(
    ("facts", "contradiction"),
    [
        ({"assessments": (free(-1),)}, Contradiction.BEFORE_SURGERY),
        ({"recurrences": (Recurrence(exact(-5), day(3)),)}, Contradiction.BEFORE_SURGERY),
        ({"death": exact(-1)}, Contradiction.BEFORE_SURGERY),
        ({"contacts": (day(9),)}, Contradiction.IN_THE_FUTURE),
        ({"death": exact(3), "assessments": (free(4),)}, Contradiction.AFTER_DEATH),
        ({"death": exact(3), "contacts": (day(4),)}, Contradiction.AFTER_DEATH),
        ({"death": exact(3), "recurrences": (Recurrence(exact(4), day(5)),)}, Contradiction.AFTER_DEATH),
        ({"recurrences": (Recurrence(exact(5), day(4)),)}, Contradiction.CONFIRMED_BEFORE_SEEN),
        ({"recurrences": (Recurrence(exact(3), day(6)),), "assessments": (free(4),)}, Contradiction.FREE_BEFORE_CONFIRMED),
        ({"death": PartialDate.parse("2026")}, Contradiction.DEATH_WITHOUT_MONTH),
    ],
)
def test_impossible_chronology_is_named(facts, contradiction):
    """EP-10."""
    found = faults(History(SURGERY, **facts), on=day(8))
    assert [fault.contradiction for fault in found] == [contradiction]


def test_cutoff_before_surgery_is_refused():
    with pytest.raises(ValueError, match="cutoff"):
        outcomes(cutoff=day(-1))


def test_months_are_the_protocols():
    """EP-01."""
    assert months(1096) == pytest.approx(36.0082, abs=1e-4)


PLANNED = [Window(f"M{month}", month, *(day(30 * month + shift) for shift in (0, -10, 10))) for month in (3, 6, 9, 12)]


@pytest.mark.parametrize(
    ("seen", "died", "expected"),
    [
        ((90,), 200, (200, Reason.DEATH)),  # one assessment missed
        ((90,), 281, (90, Reason.MISSED_ASSESSMENTS)),  # two missed
        ((90,), 280, (280, Reason.DEATH)),  # the second window was still open
        ((90, 270), 300, (300, Reason.DEATH)),  # the gap was closed again
        ((), 300, (0, Reason.MISSED_ASSESSMENTS)),
    ],
)
def test_event_after_two_missed_assessments_is_censored_before_the_gap(seen, died, expected):
    """EP-04, FDA guidance on clinical trial endpoints, table A."""
    history = History(SURGERY, tuple(free(number) for number in seen), death=exact(died))
    assert said(censor_after_missed(derive(history, cutoff=FAR), history, PLANNED)) == expected


def test_new_therapy_before_the_event_censors_at_the_assessment_before_it():
    """EP-04."""
    history = History(SURGERY, (free(90), free(180)), (Recurrence(exact(270), day(280)),), therapies=(day(120),))
    assert said(censor_at_therapy(derive(history, cutoff=FAR), history)) == (90, Reason.NEW_THERAPY)
    later = replace(history, therapies=(day(275),))
    assert said(censor_at_therapy(derive(later, cutoff=FAR), later)) == (270, Reason.RECURRENCE)


days = st.integers(0, 1200)


@st.composite
def partial(draw, number):
    text = day(number).isoformat()
    return PartialDate.parse(draw(st.sampled_from([text, text[:7]])))


@st.composite
def histories(draw):
    """Histories that can be true: a life, its looks, perhaps a recurrence seen and later confirmed, perhaps a death."""
    died = draw(st.none() | st.integers(1, 1200))
    last = died if died is not None else 1200
    seen = draw(st.none() | st.integers(0, last))
    confirmed = None if seen is None else draw(st.none() | st.integers(seen, 1300))
    looks = draw(st.lists(st.tuples(st.integers(0, last), st.booleans(), st.sampled_from(Finding)), max_size=8))
    looks = [look for look in looks if seen is None or not seen <= look[0] <= (confirmed or 1300) or look[2] != Finding.FREE]
    return History(
        SURGERY,
        tuple(Assessment(day(number), adequate, finding) for number, adequate, finding in looks),
        () if seen is None else (Recurrence(draw(partial(seen)), None if confirmed is None else day(confirmed)),),
        None if died is None else draw(partial(died)),
        tuple(day(number) for number in draw(st.lists(st.integers(0, last), max_size=4))),
    )


imputations = st.sampled_from(Imputation)


@given(histories(), days, imputations)
def test_times_are_ordered_and_an_event_has_its_dated_fact(history, cutoff, imputation):
    """0 ≤ RFS ≤ OS ≤ cutoff; an event implies a recurrence confirmed or a death; nothing is dated outside its bounds."""
    found = derive(history, cutoff=day(cutoff), imputation=imputation)
    assert 0 <= found.rfs.time <= found.os.time <= cutoff
    for endpoint in (found.rfs, found.os):
        assert endpoint.on == day(endpoint.time)
        assert endpoint.first <= endpoint.on <= endpoint.last
    if found.rfs.reason == Reason.RECURRENCE:
        assert any(each.confirmed_on and each.first_seen.earliest <= found.rfs.on <= each.first_seen.latest for each in history.recurrences)
    if found.os.event:
        assert history.death.earliest <= found.os.on <= history.death.latest
    assert found.rfs.reason != Reason.DEATH or found.os.event


@given(histories(), days)
def test_event_is_exactly_a_confirmed_recurrence_or_a_death_before_the_cutoff(history, cutoff):
    found = derive(history, cutoff=day(cutoff))
    recurred = any(each.confirmed_on and each.confirmed_on <= day(cutoff) for each in history.recurrences)
    assert (found.rfs.reason == Reason.RECURRENCE) == recurred
    assert found.rfs.event == (recurred or found.os.event)


@given(histories(), days, st.randoms())
def test_order_of_the_rows_never_matters(history, cutoff, random):
    def mixed(rows):
        return tuple(random.sample(rows, len(rows)))

    turned = replace(history, assessments=mixed(history.assessments), contacts=mixed(history.contacts))
    assert derive(turned, cutoff=day(cutoff)) == derive(history, cutoff=day(cutoff))


@given(histories(), days)
def test_later_contact_never_changes_recurrence_free_survival_while_alive(history, contact):
    """EP-03."""
    assume(history.death is None)
    before, after = derive(history, cutoff=FAR), derive(replace(history, contacts=(*history.contacts, day(contact))), cutoff=FAR)
    assert after.rfs == before.rfs
    assert after.os.time == max(before.os.time, contact)


@given(histories(), days, days)
def test_later_cutoff_never_takes_back_an_event_nor_shortens_survival(history, one, other):
    early, late = derive(history, cutoff=day(min(one, other))), derive(history, cutoff=day(max(one, other)))
    assert early.os.time <= late.os.time
    if early.os.event:
        assert late.os.on == early.os.on or history.death.earliest != history.death.latest
    if early.rfs.reason == Reason.RECURRENCE:
        assert late.rfs == early.rfs
    if not early.rfs.event and not any(not each.confirmed_on for each in history.recurrences):
        assert late.rfs.time >= early.rfs.time or late.rfs.imputed


@given(histories(), imputations)
def test_imputation_changes_no_exact_date(history, imputation):
    assume(all(each.first_seen.earliest == each.first_seen.latest for each in history.recurrences))
    assume(history.death is None or history.death.earliest == history.death.latest)
    assert derive(history, cutoff=FAR, imputation=imputation) == derive(history, cutoff=FAR)


@given(histories())
def test_imputed_day_lies_between_the_earliest_and_the_latest_choice(history):
    first, middle, last = (derive(history, cutoff=FAR, imputation=each).rfs.time for each in ("earliest", "central", "latest"))
    assert first <= middle <= last
