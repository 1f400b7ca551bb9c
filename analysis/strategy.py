"""Which strategy a participant was actually given, from dated courses, and why it cannot be said of some.

Source: TX-01 to TX-04, TX-05 (the reasons a site may see, BL-03), landmark of F3. Days are counted from surgery (day 0).
Both the prospective cut and the retrospective training table use this module (MD-01).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from followup.outcomes import Outcomes, Reason
from followup.partial_date import PartialDate
from predictions.decision import Strategy


class SiteReason(StrEnum):
    """Why no strategy counts, on the treatment's side."""

    INELIGIBLE_POSTHOC = "INELIGIBLE_POSTHOC"
    DEATH_BEFORE_L = "DEATH_BEFORE_L"
    RECUR_BEFORE_L = "RECUR_BEFORE_L"
    WITHDRAWN = "WITHDRAWN"
    CENSORED_BEFORE_L = "CENSORED_BEFORE_L"
    TREATMENT_INCOMPLETE = "TREATMENT_INCOMPLETE"
    OTHER_MODALITY = "OTHER_MODALITY"


@dataclass(frozen=True, slots=True)
class Rule:
    """The registered parameters: ascertainment window W, landmark L ≥ W (days), and whether HAIC counts as TACE (sensitivity)."""

    version: str
    window_days: int = 90
    landmark_days: int = 90
    haic_is_tace: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.window_days <= self.landmark_days:
            raise ValueError("the landmark lies on or after the end of the treatment window")


@dataclass(frozen=True, slots=True)
class Course:
    """One course: kind, intent and drug class as `followup.vocabulary` codes them, its first day, and the decision's day if recorded.

    `adjudicated`: a committee has called it adjuvant although it began on the day a recurrence was seen.
    """

    kind: str
    intent: str
    start: PartialDate
    drug_class: str = ""
    decided_on: date | None = None
    adjudicated: bool = False


@dataclass(frozen=True, slots=True)
class Actual:
    """What counts at the landmark: a strategy or a reason, never both.

    `known_on` is the first day on which the treatment was or may have been known (`docs/sealing.md`), None while nothing is.
    """

    strategy: Strategy | None
    reason: SiteReason | None
    known_on: date | None


ADJUVANT = "adjuvant"
SYSTEMIC_CLASSES = frozenset({"TKI", "ANTI_VEGF", "ICI"})
NOT_ANTITUMOUR = frozenset({"SUPPORTIVE"})

_STRATEGIES = {
    (False, False): Strategy.SURG,
    (True, False): Strategy.TACE,
    (False, True): Strategy.SYS,
    (True, True): Strategy.TACE_SYS,
}


def actual(
    *,
    surgery: date,
    courses: Iterable[Course],
    outcomes: Outcomes,
    closed_on: date | None,
    verified: bool,
    rule: Rule,
    stopped_on: date | None = None,
    ineligible: bool = False,
) -> Actual:
    """The strategy that counts at the landmark, or the one reason why none does.

    `closed_on`: the day it was stated, on or after the window's end, that treatment is completely ascertained here and
    elsewhere; `verified`: that statement was checked against the source or signed. `ineligible`: an error at baseline was
    found later. A crossover after the window changes nothing (TX-04).
    """
    recurred_on = outcomes.rfs.on if outcomes.rfs.reason == Reason.RECURRENCE else None
    counted = [course for course in courses if _may_count(course, surgery, recurred_on)]
    strategy, reason = _given(counted, surgery, rule)
    complete = verified and closed_on is not None and closed_on >= surgery + timedelta(rule.window_days)
    if not complete:
        reason = SiteReason.TREATMENT_INCOMPLETE
    reason = SiteReason.INELIGIBLE_POSTHOC if ineligible else _before_landmark(surgery, outcomes, stopped_on, rule) or reason
    known = [day for course in counted for day in (course.start.earliest, course.decided_on) if day and day > surgery]
    if strategy == Strategy.SURG and closed_on:
        known.append(closed_on)
    return Actual(None if reason else strategy, reason, min(known, default=None))


def crossover(*, surgery: date, courses: Iterable[Course], given: Actual, rule: Rule) -> date | None:
    """The first day after the window on which an adjuvant component was added that the strategy does not hold; None without one.

    It never changes the strategy (TX-04); a sensitivity analysis censors there.
    """
    if given.strategy is None:
        return None
    held = {name for (tace, systemic), one in _STRATEGIES.items() if one == given.strategy for name in _names(tace, systemic)}
    last = surgery + timedelta(rule.window_days)
    added = [
        course.start.earliest
        for course in courses
        if course.intent == ADJUVANT and course.start.earliest > last and _component(course, rule) in {"tace", "systemic"} - held
    ]
    return min(added, default=None)


def begun(*, surgery: date, courses: Iterable[Course], rule: Rule) -> list[tuple[int, str]]:
    """The day after surgery on which each adjuvant course against the tumour began, and its component: tace, systemic or other.

    A day that is known to the month or year only counts from its earliest day on.
    """
    counted = [course for course in courses if _may_count(course, surgery, None)]
    return [((course.start.earliest - surgery).days, _component(course, rule)) for course in counted]


def _names(tace: bool, systemic: bool) -> set[str]:
    return {name for name, there in (("tace", tace), ("systemic", systemic)) if there}


def _may_count(course: Course, surgery: date, recurred_on: date | None) -> bool:
    """Adjuvant against the tumour, after surgery, and possibly before any recurrence."""
    if course.intent != ADJUVANT or course.kind in NOT_ANTITUMOUR or course.start.latest <= surgery:
        return False
    return recurred_on is None or course.start.earliest < recurred_on or (course.adjudicated and course.start.earliest == recurred_on)


def _given(courses: Iterable[Course], surgery: date, rule: Rule) -> tuple[Strategy | None, SiteReason | None]:
    """Who is compared has no recurrence up to the landmark, so none inside the window either: only the window decides here."""
    first, last = surgery + timedelta(1), surgery + timedelta(rule.window_days)
    tace = systemic = other = unsure = False
    for course in courses:
        if course.start.earliest > last:
            continue
        unsure |= course.start.earliest < first or course.start.latest > last
        match _component(course, rule):
            case "tace":
                tace = True
            case "systemic":
                systemic = True
            case _:
                other = True
    if unsure:
        return None, SiteReason.TREATMENT_INCOMPLETE
    return (None, SiteReason.OTHER_MODALITY) if other else (_STRATEGIES[tace, systemic], None)


def _component(course: Course, rule: Rule) -> str:
    """Any TKI, anti-VEGF antibody or checkpoint inhibitor is systemic therapy; HAIC, TAI and the rest are neither."""
    if course.kind == "TACE" or (course.kind == "HAIC" and rule.haic_is_tace):
        return "tace"
    return "systemic" if course.kind == "SYSTEMIC" and course.drug_class in SYSTEMIC_CLASSES else "other"


def _before_landmark(surgery: date, outcomes: Outcomes, stopped_on: date | None, rule: Rule) -> SiteReason | None:
    """Who is not event-free and under observation after the landmark day is not compared there (F3)."""
    landmark = surgery + timedelta(rule.landmark_days)
    rfs = outcomes.rfs
    if rfs.on > landmark:
        return None
    if rfs.event:
        return SiteReason.RECUR_BEFORE_L if rfs.reason == Reason.RECURRENCE else SiteReason.DEATH_BEFORE_L
    return SiteReason.WITHDRAWN if stopped_on is not None and stopped_on <= landmark else SiteReason.CENSORED_BEFORE_L
