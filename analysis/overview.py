"""Are we on course? Pooled accrual, completeness and one curve for everybody: all that exists of outcomes before publication.

Nothing here is split by treatment, recommendation or agreement (F5). Outcomes are shown as of the first day of the month.
"""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from analysis import histories
from analysis.accrual_chart import AccrualWords, accrual_chart
from analysis.charts import DAYS_PER_MONTH, Strand, SurvivalWords, survival_chart
from analysis.histories import Followed
from analysis.interval_censoring import FOR_A_PAGE, turnbull
from analysis.kaplan_meier import Curve, kaplan_meier, reverse_kaplan_meier
from analysis.projection import Projection, project
from analysis.reading import LastWindow, last_window, until_closed
from followup.outcomes import ImpossibleHistory, Outcomes, Reason, free_until
from followup.surveillance import intensity
from studies import accrual
from studies.models import Entry, Milestone, Participant, Screening, Study
from studies.vocabulary import MilestoneKind, ScreeningStatus

Enrolled = tuple[int, str, date, bool]
"""Key and code of the center, day of enrolment, whether any form is begun."""
CENSORED, _MONTHS_A_BIN = "censored", 6
CENSORED_WORDS = {
    Reason.LAST_ADEQUATE_ASSESSMENT: gettext_lazy("free of disease at the last adequate check"),
    Reason.NO_ASSESSMENT: gettext_lazy("not checked since surgery"),
}
"""Why recurrence-free survival is censored (EP-03), in words."""
LEAST_PATIENTS, LEAST_EVENTS = 10, 5
"""Below either there is no curve: single patients would show."""


@dataclass(frozen=True)
class Pooled:
    """Everybody's outcomes at one cut date; `impossible` histories contradict themselves and are left out and counted."""

    on: date
    known: list[tuple[Followed, Outcomes]]
    impossible: int
    window: LastWindow

    @property
    def curve(self) -> Curve | None:
        """Recurrence-free survival of all together; None where it would show single patients."""
        if len(self.known) < LEAST_PATIENTS or self.events < LEAST_EVENTS:
            return None
        time, event = self._times()
        return kaplan_meier(until_closed(time, event, self.window), event)

    @property
    def events(self) -> int:
        return sum(outcomes.rfs.event for _followed, outcomes in self.known)

    @property
    def follow_up(self) -> float | None:
        """Median follow-up in months by the reverse curve; None where it is not reached."""
        if not self.known:
            return None
        median = reverse_kaplan_meier(*self._times()).median() / DAYS_PER_MONTH
        return None if median != median else median  # noqa: PLR0124 - not a number

    def between_visits(self, day: int) -> tuple[float, float] | None:
        """The lowest and highest recurrence-free share at a day where a recurrence is only known to lie between two checks (EP-07).

        None where there is no curve, or fewer than ten are at risk then.
        """
        if self.curve is None or self.curve.number_at_risk(day)[0] < LEAST_PATIENTS:
            return None
        left = [free_until(outcomes, followed.history) for followed, outcomes in self.known]
        right = [outcomes.rfs.time if outcomes.rfs.event else math.inf for _followed, outcomes in self.known]
        return turnbull(left, right, gain=FOR_A_PAGE).bounds(day)

    def to_come(self, follow_for: int) -> list[Projection]:
        """Events to be expected by half-years for three years, everybody being followed for so many days; empty without a curve."""
        if self.curve is None:
            return []
        time, event = self._times()
        left = [0 if ended else max(follow_for - days, 0) for days, ended in zip(time, event, strict=True)]
        return project(time, event, left, [round(month * DAYS_PER_MONTH) for month in range(6, 37, 6)])

    def _times(self) -> tuple[list[int], list[bool]]:
        return [outcomes.rfs.time for _followed, outcomes in self.known], [outcomes.rfs.event for _followed, outcomes in self.known]


def pooled(study: Study) -> Pooled:
    """The outcomes as of the first day of the study's month."""
    on = study.today().replace(day=1)
    known, impossible = [], 0
    for followed in histories.read(study, on):
        try:
            known.append((followed, followed.outcomes(on)))
        except ImpossibleHistory:
            impossible += 1
    return Pooled(on, known, impossible, last_window(study.protocol))


def page(study: Study, *, sees_seals: bool) -> dict[str, Any]:
    """What the page shows; `sees_seals` adds how many predictions are sealed."""
    now, counts = pooled(study), accrual.figures(study)
    begun = Exists(Entry.objects.filter(participant=OuterRef("pk")))
    people = Participant.objects.filter(study=study).annotate(begun=begun).values_list("center_id", "center__code", "enrolled_on", "begun")
    enrolled: list[Enrolled] = list(people)
    return {
        "study": study,
        "today": study.today(),
        "cut_on": now.on,
        "next_cut": (now.on + timedelta(days=32)).replace(day=1),
        "figures": [*counts["figures"][:4], *_seals(study, counts["total"]["enrolled"], sees_seals), *_outcome_figures(now)],
        "total": counts["total"],
        "centers": _completeness(study, now, counts["centers"], enrolled),
        "reasons": _reasons(study),
        "impossible": now.impossible,
        **_accrual(study, enrolled),
        **_survival(now),
        **_ahead(study, now),
    }


def _seals(study: Study, enrolled: int, sees_seals: bool) -> list[dict[str, Any]]:
    if not sees_seals:
        return []
    kind = MilestoneKind.SEALED
    sealed = Milestone.objects.filter(participant__study=study, kind=kind).aggregate(n=Count("participant", distinct=True))["n"]
    return [{"label": _("Sealed"), "value": sealed, "of": _("of %(target)s") % {"target": enrolled}, "more": _("predictions, each closed")}]


def _outcome_figures(now: Pooled) -> list[dict[str, Any]]:
    months = now.follow_up
    shown = _("not estimable") if months is None else _("%(months)s months") % {"months": f"{months:.1f}"}
    events = now.events if now.curve else _("few")
    return [
        {"label": _("Median follow-up"), "value": shown, "more": _("reverse Kaplan–Meier, on %(day)s") % {"day": now.on}},
        {"label": _("RFS events, all together"), "value": events, "more": _("recurrence or death, on %(day)s") % {"day": now.on}},
    ]


def _accrual(study: Study, enrolled: list[Enrolled]) -> dict[str, Any]:
    """Enrolled in each week since accrual began, by center; the sums are those of the figures."""
    today, first = study.today(), study.accrual_from - timedelta(days=study.accrual_from.weekday())
    weeks = [first + timedelta(weeks=place) for place in range(max((today - first).days // 7 + 1, 0))]
    counts = Counter((code, on - timedelta(days=on.weekday())) for _center, code, on, _begun in enrolled)
    codes = sorted({code for _center, code, _on, _begun in enrolled})
    per_week = [sum(counts[code, week] for code in codes) for week in weeks]
    target = study.protocol.target
    if study.accrual_until:
        plan = [(study.accrual_from, 0.0), (study.accrual_until, float(target))]
        said = _("plan: %(target)s by %(day)s") % {"target": f"{target:,}", "day": study.accrual_until}
    else:
        plan = [(study.accrual_from, float(target)), (max(today, study.accrual_from + timedelta(days=7)), float(target))]
        said = _("target %(target)s; no last day is planned") % {"target": f"{target:,}"}
    words = AccrualWords(
        title=_("Enrolment against plan"),
        bars=_("bars: per week, 0 to %(most)s") % {"most": max(per_week, default=0)},
        plan=said,
        empty=_("Nobody is enrolled yet."),
    )
    drawn = accrual_chart(first, per_week if enrolled else [], plan, words)
    rows = [
        {"week": week, "centers": [counts[code, week] for code in codes], "all": n} for week, n in zip(weeks, per_week, strict=True) if n
    ]
    return {"accrual_chart": drawn, "accrual_codes": codes, "accrual_rows": rows, "accrual_sum": len(enrolled)}


def _ahead(study: Study, now: Pooled) -> dict[str, Any]:
    """What interval censoring makes of the registered month, and the events to come with the power they give."""
    month, shown = study.protocol.horizon_months, None
    if (between := now.between_visits(round(month * DAYS_PER_MONTH))) is not None:
        low, high = map(_share, between)
        shown = low if low == high else f"{low}–{high}"
    rows = [
        {"on": now.on + timedelta(days=each.days), "events": round(each.events), "interval": f"{each.lower:.0f}–{each.upper:.0f}",
         "power": [_share(value) for value in each.power]}
        for each in now.to_come(study.protocol.horizon_read_day)
    ]  # fmt: skip
    return {"between_visits": shown, "horizon_months": month, "to_come": rows}


def _survival(now: Pooled) -> dict[str, Any]:
    words = SurvivalWords(
        title=_("Recurrence-free survival, everybody together"),
        time=_("Months from surgery"),
        survival=_("Recurrence-free"),
        at_risk=_("At risk"),
        empty=_("No curve yet: it begins with %(patients)s patients and %(events)s events.")
        % {"patients": LEAST_PATIENTS, "events": LEAST_EVENTS},
        ticks=_("Ticks: why follow-up ended"),
    )
    curve = now.curve
    strands = [Strand(_("Everybody"), curve)] if curve else []
    return {
        "survival_chart": survival_chart(strands, words, censored_url=f"#{CENSORED}"),
        "survival_rows": _points(curve) if curve else [],
        "censored": _censored(now) if curve else {},
    }


def _censored(now: Pooled) -> dict[str, Any]:
    """Why follow-up ended without an event, by half-years from surgery: what a tick of the curve stands for; the sum is all censored."""
    ends = [outcomes.rfs for _followed, outcomes in now.known if not outcomes.rfs.event]
    counts = Counter((int(each.time / DAYS_PER_MONTH) // _MONTHS_A_BIN, each.reason) for each in ends)
    reasons = [reason for reason in CENSORED_WORDS if any(reason == said for _bin, said in counts)]
    bins = sorted({place for place, _reason in counts})
    rows = [
        {"months": f"{place * _MONTHS_A_BIN}–{(place + 1) * _MONTHS_A_BIN}", "cells": [counts[place, reason] for reason in reasons]}
        for place in bins
    ]
    return {"reasons": [CENSORED_WORDS[reason] for reason in reasons], "rows": rows, "sum": len(ends)}


def _points(curve: Curve) -> list[dict[str, Any]]:
    """The curve at round months, as far as it is drawn: while ten are at risk."""
    months = [month for month in (3, 6, 9, 12, 18, 24, 30, 36, 48, 60) if curve.number_at_risk(month * DAYS_PER_MONTH)[0] >= LEAST_PATIENTS]
    if not months:
        return []
    points = curve.at([month * DAYS_PER_MONTH for month in months])
    limits = points.interval("log-log")
    rows = zip(months, points.at_risk, points.survival, limits.lower, limits.upper, strict=True)
    return [
        {"month": m, "at_risk": int(n), "survival": _share(s), "interval": f"{_share(low)}–{_share(high)}"} for m, n, s, low, high in rows
    ]


def _completeness(study: Study, now: Pooled, centers: list[dict[str, Any]], enrolled: list[Enrolled]) -> list[dict[str, Any]]:
    """Each center's counts with what is complete there; Clark's C is observed follow-up as a share of possible follow-up."""
    window = study.protocol.adjuvant_window_days
    baseline = Counter(center for center, _code, _on, begun in enrolled if begun)
    rows = []
    for row in centers:
        mine = [(followed, outcomes) for followed, outcomes in now.known if followed.participant.center_id == row["center"].pk]
        past = [followed for followed, _outcomes in mine if (now.on - followed.history.surgery).days >= window]
        seen, possible = (sum(days) for days in zip(*(_follow_up(each, now.on) for each in mine), strict=True)) if mine else (0, 0)
        closed = sum(followed.closed_on is not None for followed in past)
        extra = {"baseline": baseline[row["center"].pk], "closed": closed, "past": len(past)}
        looked = intensity(((followed.history, outcomes.rfs.time) for followed, outcomes in mine), study.protocol.visits)
        extra |= {"checks": f"{looked.a_year:.1f}", "planned": f"{looked.planned_a_year:.1f}"} if looked.days else {}
        rows.append(row | extra | {"clark": _share(seen / possible) if possible else ""})
    return rows


def _follow_up(each: tuple[Followed, Outcomes], on: date) -> tuple[int, int]:
    """Days observed and days that could have been: until the event, or until the cut date."""
    followed, outcomes = each
    possible = outcomes.rfs.time if outcomes.rfs.event else (on - followed.history.surgery).days
    return outcomes.rfs.time, max(possible, outcomes.rfs.time)


def _reasons(study: Study) -> list[dict[str, Any]]:
    """Why screened patients were not enrolled; the sum is that of the figures."""
    excluded = Screening.objects.filter(center__study=study, status=ScreeningStatus.EXCLUDED)
    counts = excluded.values_list("exclusion_reason").annotate(n=Count("pk")).order_by("-n", "exclusion_reason")
    most = max((n for _code, n in counts), default=1)
    rows = []
    for code, n in counts:
        reason = study.protocol.exclusion_reason(code)
        rows.append({"text": reason.text.say(get_language()) if reason else code, "n": n, "width": round(84 * n / most, 1)})
    return rows


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"
