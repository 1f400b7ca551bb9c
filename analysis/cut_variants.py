"""The columns of an opening cut that only sensitivity analyses read: the same facts under other rules (TX-02, TX-04, EP-04, EP-09),
and the days on which each was looked at (EP-08).

Computed beside the primary columns by the same functions.
"""

from dataclasses import replace
from datetime import date, timedelta

from analysis.histories import Followed
from analysis.other_rules import CHECKS, FREE_UNTIL, PREFIX, rules
from analysis.strategy import Rule, crossover
from followup.adjudication import Conclusion, Reading
from followup.history import Recurrence
from followup.outcomes import Endpoint, ImpossibleHistory, Outcomes, censor_after_missed, censor_at_therapy, derive, free_until
from followup.partial_date import Imputation, PartialDate
from followup.schedule import Window
from followup.surveillance import checked_days


def columns(
    followed: Followed, outcomes: Outcomes, rule: Rule, *, on: date, planned: tuple[Window, ...], central: Reading | None = None
) -> dict[str, str]:
    """Strategy under the other rules, recurrence-free survival under the other readings, and the day of a crossover.

    `central` is what the committee concluded of the participant, None where it did not (EP-12).
    """
    found = {}
    for name, other in rules(rule).items():
        given = _seen_later(followed).actual(outcomes, other)
        found |= {
            f"{PREFIX}{name}_strategy": str(given.strategy or ""),
            f"{PREFIX}{name}_reason": str(given.reason or ""),
            f"{PREFIX}{name}_known_on": given.known_on.isoformat() if given.known_on else "",
        }
    readings = {each.value: derive(followed.history, cutoff=on, imputation=each).rfs for each in (Imputation.EARLIEST, Imputation.LATEST)}
    readings["missed"] = censor_after_missed(outcomes, followed.history, planned)
    readings["therapy"] = censor_at_therapy(outcomes, followed.history)
    readings["central"] = _by_committee(followed, outcomes, central, on)
    for name, endpoint in readings.items():
        found |= _reading(name, endpoint)
    crossed = crossover(surgery=followed.history.surgery, courses=followed.courses, given=followed.actual(outcomes, rule), rule=rule)
    found[FREE_UNTIL] = str(free_until(outcomes, followed.history))
    found[CHECKS] = " ".join(map(str, checked_days(followed.history, outcomes.rfs.time)))
    return found | {f"{PREFIX}crossover": "" if crossed is None else str((crossed - followed.history.surgery).days)}


def _seen_later(followed: Followed) -> Followed:
    """A center that stated its window complete and saw the patient later has recorded what was given until then (TX-02)."""
    if followed.closed_on is None:
        return followed
    return replace(followed, closed_on=max([followed.closed_on, *(each.on for each in followed.history.assessments)]))


def _by_committee(followed: Followed, outcomes: Outcomes, central: Reading | None, on: date) -> Endpoint:
    """Recurrence-free survival by the committee's conclusion; the site's own where there is none or it contradicts what is known."""
    if central is None or central.conclusion == Conclusion.NOT_EVALUABLE:
        return outcomes.rfs
    known: tuple[Recurrence, ...] = ()
    if central.first_seen_day is not None:
        day = followed.history.surgery + timedelta(days=central.first_seen_day)
        known = (Recurrence(PartialDate.parse(day.isoformat()), confirmed_on=day),)
    try:
        return derive(replace(followed.history, recurrences=known), cutoff=on).rfs
    except ImpossibleHistory:
        return outcomes.rfs


def _reading(name: str, endpoint: Endpoint) -> dict[str, str]:
    return {f"{PREFIX}{name}_time": str(endpoint.time), f"{PREFIX}{name}_event": str(int(endpoint.event))}
