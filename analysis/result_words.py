"""The words for why a participant has no tag (TX-05) and why nothing is compared; the data hold codes and plain English."""

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

REFUSED: dict[str, Promise] = {
    "the cut holds no evaluable patient with outcomes": _("The cut holds no evaluable patient with outcomes."),
    "beyond the landmark only one of the two groups is left": _("Beyond the landmark only one of the two groups is left."),
    "there are no rows": _("Nobody can be compared under this rule."),
    "there are no events, so no hazard ratio can be estimated": _("There are no events, so no hazard ratio can be estimated."),
    "every stratum holds one group only: nobody is comparable": _("Every stratum holds one group only: nobody is comparable."),
    "no numeric confounder has a gap, so nothing is drawn": _("No numeric confounder has a gap, so nothing is drawn."),
    "a confounder has too few values to draw the others from": _("A confounder has too few values to draw the others from."),
    "errors between centers need three of them": _("Errors between centers need three centers at least."),
    "without one of the centers nothing can be estimated": _("Without one of the centers nothing can be estimated."),
    "a recommended strategy was received by too few to judge it": _("A recommended strategy was received by too few to judge it."),
    "nobody elsewhere was followed up to the horizon": _("Without one of the centers nobody was followed up to the horizon."),
    "one of the groups was not followed up to the month": _("One of the groups was not followed up to the month."),
    "the outcome model has no maximum": _("The outcome model has no maximum."),
    "a frailty of centers needs two of them": _("A risk of its own for each center needs two centers at least."),
    "the propensity model does not converge: the covariates tell the groups apart completely": _(
        "The covariates tell the two groups apart completely: the propensity model does not converge."
    ),
}
"""Why an opening gave no comparison: what `analysis.opening_result` writes, and how a page says it."""


def reason_word(code: str) -> str:
    """The words for a reason's code; the code itself where it is new."""
    return str(WORDS.get(code, code))


def refusal_sentence(written: str) -> str:
    """Why an opening gave no comparison, in the reader's language; as it was written where it is new."""
    return str(REFUSED.get(written, written))
