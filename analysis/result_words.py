"""The words for why a participant has no tag (TX-05); the data hold the codes."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, Promise] = {
    "NO_SEAL": _("no prediction was sealed"),
    "UNANCHORED": _("sealed in time, but no outside anchor proves it"),
    "SAME_DAY": _("sealed on the day the treatment was known"),
    "LATE_SEAL": _("sealed after the treatment was known"),
    "KNOWN_TO_READER": _("a reader of the inputs knew the treatment"),
    "INPUT_AFTER_TREATMENT": _("an input is dated after the treatment was known"),
    "SEAL_UNOPENABLE": _("the seal did not open or did not replay"),
    "ABSTAIN": _("the model abstained"),
    "INELIGIBLE_POSTHOC": _("an error at baseline was found later"),
    "DEATH_BEFORE_L": _("died before the landmark"),
    "RECUR_BEFORE_L": _("recurrence before the landmark"),
    "WITHDRAWN": _("withdrew before the landmark"),
    "CENSORED_BEFORE_L": _("not observed up to the landmark"),
    "TREATMENT_INCOMPLETE": _("treatment not completely ascertained"),
    "OTHER_MODALITY": _("another kind of treatment"),
}


def reason_word(code: str) -> str:
    """The words for a reason's code; the code itself where it is new."""
    return str(WORDS.get(code, code))
