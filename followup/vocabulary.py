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


ALIVE = (ContactOutcome.ANSWERED, ContactOutcome.RELATIVE)
"""The outcomes that can tell whether the participant lives (EP-06)."""
