"""The response at a scan in words: a category with the reason that explains itself, and what is wrong with a set of targets."""

from decimal import ROUND_DOWN, Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followup.models import ResponseCase
from followup.targets import LARGEST_MM, MOST_PER_ORGAN, MOST_TARGETS, SMALLEST_MM, Assessed, Because, Fault
from followup.vocabulary import ResponseCategory

_REASONS = {
    Because.NEW_LESION: gettext_lazy("a new lesion is progression, whatever the targets do"),
    Because.NON_TARGET_PROGRESSES: gettext_lazy("a lesion that is not measured grows unequivocally: progression, whatever the targets do"),
    Because.ROSE: gettext_lazy("the targets rose from %(nadir)s mm, the lowest so far, by 20%% or more"),
    Because.CAME_BACK: gettext_lazy("nothing enhanced before, and something does now"),
    Because.NOT_ASSESSABLE: gettext_lazy("the scan cannot be judged"),
    Because.NOT_ALL_MEASURED: gettext_lazy("not all targets are measured, and the others alone are no progression"),
    Because.ALL_GONE: gettext_lazy("no target enhances any more, and nothing else is left"),
    Because.NON_TARGET_REMAINS: gettext_lazy("no target enhances any more, but lesions not measured are left or were not assessed"),
    Because.FELL: gettext_lazy("the targets fell from %(baseline)s mm at baseline by 30%% or more, with no rise by 20%% from the lowest"),
    Because.BETWEEN: gettext_lazy("no fall by 30%% from %(baseline)s mm at baseline and no rise by 20%% from %(nadir)s mm, the lowest"),
}
_FAULTS = {
    Fault.TOO_MANY: gettext_lazy("at most %(targets)s targets are measured."),
    Fault.TOO_MANY_IN_ORGAN: gettext_lazy("at most %(organ)s targets of one organ are measured."),
    Fault.TOO_SMALL: gettext_lazy("a target measures at least %(smallest)s mm at baseline."),
    Fault.OUT_OF_RANGE: gettext_lazy("a diameter lies between 0 and %(largest)s mm."),
    Fault.SCAN_HALF_MEASURED: gettext_lazy("a scan between is measured in all targets, or left out in all."),
}


def category(response: str) -> str:
    """`PR, partial response`."""
    return f"{response}{_(', ')}{ResponseCategory(response).label}"


def reason(assessed: Assessed) -> str:
    """Why it is this category, with the sums that decide."""
    return str(_REASONS[assessed.because]) % {"baseline": millimetres(assessed.baseline), "nadir": millimetres(assessed.nadir)}


def fault(kind: Fault, place: int) -> str:
    """What is wrong with the target at a place (from 0)."""
    limits = {"targets": MOST_TARGETS, "organ": MOST_PER_ORGAN, "smallest": SMALLEST_MM, "largest": LARGEST_MM}
    return _("Target %(n)s: %(sentence)s") % {"n": place + 1, "sentence": str(_FAULTS[kind]) % limits}


def millimetres(value: Decimal | None) -> str:
    """A sum with the one decimal it was measured with; a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"


def change(share: Decimal | None) -> str:
    """A change as `−30.0%`, cut and not rounded, so that no −29.96% looks like a response; a dash where there is none."""
    if share is None:
        return "–"
    return f"{(share * 100).quantize(Decimal('0.1'), ROUND_DOWN):+}%".replace("-", "\N{MINUS SIGN}")


def day_of(day: int) -> str:
    """A day of a case in words: it counts from surgery, day 0."""
    return _("day %(day)s") % {"day": str(day).replace("-", "\N{MINUS SIGN}")}


def days(case: ResponseCase) -> str:
    """Which scans are compared: `day 95 → day 180`; the case comes with its participant's screening."""
    surgery = case.participant.screening.surgery_date
    return " → ".join(day_of((on - surgery).days) for on in (case.baseline_on, case.scan_on))
