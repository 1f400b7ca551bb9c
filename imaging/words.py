"""The words for this room's codes: verdicts on geometry, reasons of a phase proposal, windows, modalities' facts."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from imaging.arrival import Lack
from imaging.geometry import Verdict
from imaging.phase import Reason


@dataclass(frozen=True)
class Judgement:
    """How a verdict is shown: icon and tone of the stylesheet, a word, and a sentence that says what to do."""

    icon: str
    tone: str
    word: Promise
    sentence: Promise


VERDICTS: dict[Verdict, Judgement] = {
    Verdict.REGULAR: Judgement("ok", "ok", _("regular stack"), _("All slices are parallel, evenly spaced and complete.")),
    Verdict.GAP: Judgement("bad", "bad", _("slices missing"), _("At least one slice is missing. Send the series again from the PACS.")),
    Verdict.DUPLICATE_POSITIONS: Judgement(
        "bad", "bad", _("double slices"), _("Two slices lie at the same place. Check in the PACS whether the series was stored twice.")
    ),
    Verdict.CONFLICTING_POSITIONS: Judgement(
        "bad",
        "bad",
        _("different slices at one place"),
        _("Slices at the same place show different images, and the headers do not tell which belong together. Send one reconstruction."),
    ),
    Verdict.SEVERAL_ACQUISITIONS: Judgement(
        "bad",
        "bad",
        _("several phases in one series"),
        _("The series covers the same region more than once. Send each phase as a series of its own."),
    ),
    Verdict.MIXED_ORIENTATION: Judgement(
        "bad",
        "bad",
        _("mixed orientations"),
        _("The slices are not parallel. Send the original axial series without localizers and reformats."),
    ),
    Verdict.MIXED_REFERENCE: Judgement(
        "bad",
        "bad",
        _("mixed frames of reference"),
        _("The slices were not taken in one position of the patient. Send each scan as a series of its own."),
    ),
    Verdict.MIXED_SPACING: Judgement(
        "bad", "bad", _("mixed pixel sizes"), _("The slices have different pixel sizes. Send the original series of one reconstruction.")
    ),
    Verdict.TILTED: Judgement(
        "warn", "warn", _("tilted gantry"), _("The gantry was tilted; the stack is sheared. Send an untilted series if there is one.")
    ),
    Verdict.UNEVEN: Judgement(
        "warn", "warn", _("uneven spacing"), _("The distances between slices vary. Send the original series if this one was edited.")
    ),
    Verdict.TOO_FEW: Judgement(
        "warn", "warn", _("too few slices"), _("The series is too short to cover the liver. Send the whole series.")
    ),
    Verdict.LOCALIZER: Judgement("na", "", _("localizer"), _("This is a localizer; it is not measured.")),
    Verdict.NO_GEOMETRY: Judgement(
        "bad", "bad", _("no positions"), _("The images do not say where their slices lie. Send the original series from the scanner.")
    ),
}

REASONS: dict[Reason, Promise] = {
    Reason.DESCRIPTION: _("the series' description names it"),
    Reason.DELAY: _("the time since the injection fits"),
    Reason.ORDER: _("its place among the contrast series"),
    Reason.NO_CONTRAST: _("scanned before the contrast agent"),
    Reason.NOT_ORIGINAL: _("a localizer, a bolus test, a subtraction or a projection"),
    Reason.CONFLICT: _("the description and the times disagree"),
    Reason.NO_EVIDENCE: _("the headers do not tell"),
}

WINDOWS: dict[str, Promise] = {
    "soft_tissue": _("soft tissue window"),
    "liver": _("narrow liver window"),
    "lung": _("lung window"),
    "bone": _("bone window"),
    "percentile": _("window from the image"),
}

LACKS: dict[Lack, Promise] = {
    Lack.ABSENT: _("not there"),
    Lack.UNCONFIRMED: _("to be confirmed"),
    Lack.FAULTY: _("not a regular stack"),
}
