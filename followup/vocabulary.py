"""The closed vocabularies of treatment and follow-up; the data hold the codes, the catalogues hold the words."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Treatment(models.TextChoices):
    """TX-01. TACE carries embolic or lipiodol; TAI is a bolus without embolisation; HAIC runs 24–48 h."""

    TACE = "TACE", _("TACE")
    TAI = "TAI", _("TAI (bolus without embolisation)")
    HAIC = "HAIC", _("HAIC")
    SYSTEMIC = "SYSTEMIC", _("systemic anti-tumour therapy")
    RADIOTHERAPY = "RADIOTHERAPY", _("radiotherapy")
    ABLATION = "ABLATION", _("ablation")
    RESECTION = "RESECTION", _("repeat resection")
    TRANSPLANT = "TRANSPLANT", _("liver transplantation")
    SUPPORTIVE = "SUPPORTIVE", _("antiviral or traditional medicine")
    OTHER = "OTHER", _("other treatment")


class DrugClass(models.TextChoices):
    TKI = "TKI", _("tyrosine kinase inhibitor")
    ANTI_VEGF = "ANTI_VEGF", _("anti-VEGF antibody")
    ICI = "ICI", _("immune checkpoint inhibitor")
    CHEMOTHERAPY = "CHEMOTHERAPY", _("chemotherapy")
    OTHER = "OTHER", _("other drug")


class Intent(models.TextChoices):
    ADJUVANT = "adjuvant", _("adjuvant")
    SALVAGE = "salvage", _("salvage, for recurrence")
    PALLIATIVE = "palliative", _("palliative")


class Place(models.TextChoices):
    """Where a check or a treatment took place."""

    HERE = "here", _("this hospital")
    ELSEWHERE = "elsewhere", _("another hospital")


class Finding(models.TextChoices):
    """What an imaging assessment said about recurrence."""

    FREE = "free", _("no tumour seen")
    SUSPECTED = "suspected", _("suspicious")
    RECURRENCE = "recurrence", _("recurrence seen")
    NOT_EVALUABLE = "not_evaluable", _("not assessable")


class Modality(models.TextChoices):
    CT = "CT", _("contrast CT")
    MR = "MR", _("contrast MRI")
    ULTRASOUND = "US", _("ultrasound")
    DSA = "XA", _("angiogram (DSA)")
    PET = "PT", _("PET")
    BIOPSY = "BIOPSY", _("biopsy")
    UNKNOWN = "UNKNOWN", _("modality not recorded")


class RecurrenceSite(models.TextChoices):
    INTRAHEPATIC = "intrahepatic", _("inside the liver")
    EXTRAHEPATIC = "extrahepatic", _("outside the liver")
    BOTH = "both", _("inside and outside the liver")
    UNKNOWN = "unknown", _("site not recorded")


class DeathCause(models.TextChoices):
    HCC = "hcc", _("liver cancer")
    LIVER_FAILURE = "liver_failure", _("liver failure without recurrence")
    OTHER = "other", _("another cause")
    UNKNOWN = "unknown", _("cause unknown")


class ContactOutcome(models.TextChoices):
    """A call or any other sign of life: what came of it."""

    ANSWERED = "answered", _("reached")
    RELATIVE = "relative", _("a relative answered")
    NO_ANSWER = "no_answer", _("no answer")
    REFUSED = "refused", _("did not want to talk")
    WRONG_NUMBER = "wrong_number", _("number not in use")


class Channel(models.TextChoices):
    """How somebody tried to learn how the participant is."""

    CALL = "call", _("telephone")
    MESSAGE = "message", _("message")
    LETTER = "letter", _("letter")
    MEETING = "meeting", _("meeting")
    REGISTRY = "registry", _("register of residents or deaths")


class Vital(models.TextChoices):
    ALIVE = "alive", _("alive")
    DEAD = "dead", _("died")
    UNKNOWN = "unknown", _("not learned")


ALIVE = (ContactOutcome.ANSWERED, ContactOutcome.RELATIVE)
"""The outcomes that can tell whether the participant lives (EP-06)."""
SIGN_OF_LIFE = models.Q(vital=Vital.ALIVE) | models.Q(vital="", outcome__in=ALIVE)
"""The contacts by which the participant is known to have lived; of older rows the outcome alone says it."""


class RecurrenceNumber(models.TextChoices):
    """How many nodules the first recurrence showed."""

    SINGLE = "1", _("one")
    FEW = "2-3", _("two or three")
    MANY = "4+", _("four or more")
    UNKNOWN = "unknown", _("number not recorded")


class RecurrencePattern(models.TextChoices):
    """Where in the liver or beyond, as surgeons tell residual disease from new disease."""

    MARGIN = "margin", _("at the margin of resection")
    SAME_SEGMENT = "same_segment", _("in the same or a neighbouring segment")
    DISTANT_LIVER = "distant_liver", _("elsewhere in the liver")
    DIFFUSE = "diffuse", _("diffuse in the liver")
    VASCULAR = "vascular", _("with invasion of a vessel")
    BEYOND = "beyond", _("outside the liver only")
    UNKNOWN = "unknown", _("pattern not recorded")


class Confirmation(models.TextChoices):
    """What turned the suspicion into a recurrence."""

    FOLLOW_UP_IMAGING = "imaging", _("later imaging")
    SECOND_MODALITY = "second", _("a second kind of imaging")
    DSA = "dsa", _("stain in the angiogram")
    BIOPSY = "biopsy", _("biopsy")
    OPERATION = "operation", _("operation")
    TUMOUR_MARKER = "marker", _("imaging with a rising tumour marker")


class Conclusion(models.TextChoices):
    """What a reader of the committee concludes; the codes are those of `adjudication.Conclusion`."""

    FREE = "free", _("no recurrence")
    RECURRENCE = "recurrence", _("recurrence")
    NOT_EVALUABLE = "not_evaluable", _("cannot be judged")


class ResponseCategory(models.TextChoices):
    """The response at a scan; the codes are those of `response.Response`."""

    COMPLETE = "CR", _("complete response")
    PARTIAL = "PR", _("partial response")
    STABLE = "SD", _("stable disease")
    PROGRESSION = "PD", _("progressive disease")
    NOT_EVALUABLE = "NE", _("not evaluable")


class TargetOrgan(models.TextChoices):
    """Where a measured lesion lies; lymph nodes are judged with what is not measured, because they are never measured at their longest."""

    LIVER = "liver", _("liver")
    LUNG = "lung", _("lung")
    ADRENAL = "adrenal", _("adrenal gland")
    BONE = "bone", _("bone, with soft tissue")
    PERITONEUM = "peritoneum", _("peritoneum")
    OTHER = "other", _("another organ")


class NonTargets(models.TextChoices):
    """All lesions that are not measured, taken together; the codes are those of `targets.NonTarget`."""

    NONE = "none", _("there are none")
    GONE = "gone", _("none enhances any more")
    PERSISTS = "persists", _("still there")
    PROGRESSES = "progresses", _("unequivocally larger")
    NOT_ASSESSED = "not_assessed", _("not assessed")


class NotAssessable(models.TextChoices):
    """Why a scan cannot be judged."""

    NO_TARGET = "no_target", _("no lesion of 10 mm at baseline")
    NO_ARTERIAL_PHASE = "no_arterial_phase", _("no arterial phase")
    QUALITY = "quality", _("quality of the images")
    COVERAGE = "coverage", _("liver not covered")
    HIDDEN = "hidden", _("lesions hidden, for example by lipiodol")
