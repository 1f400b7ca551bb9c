"""The closed vocabularies of this room; the data hold the codes, the catalogues hold the words."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Phase(models.TextChoices):
    """Where a study stands: P1 accrual, P2 follow_up, P3 locked, P4 published."""

    DRAFT = "draft", _("draft")
    ACCRUAL = "accrual", _("accrual")
    FOLLOW_UP = "follow_up", _("follow-up")
    LOCKED = "locked", _("locked")
    PUBLISHED = "published", _("published")


class Role(models.TextChoices):
    """What a person may be in a study; `studies.access` alone knows what each role may do."""

    COORDINATOR = "coordinator", _("coordinator")
    SITE_PI = "site_pi", _("site principal investigator")
    PACS_ADMIN = "pacs_admin", _("PACS administrator")
    READER = "reader", _("image reader")
    INVESTIGATOR = "investigator", _("study investigator")
    DATA_MANAGER = "data_manager", _("data manager")
    MONITOR = "monitor", _("monitor")
    ADJUDICATOR = "adjudicator", _("endpoint adjudicator")
    BLINDED_STATISTICIAN = "blinded_statistician", _("blinded statistician")
    UNBLINDED_STATISTICIAN = "unblinded_statistician", _("unblinded statistician")
    DMC = "dmc", _("data monitoring committee")
    SPONSOR = "sponsor", _("sponsor")
    CUSTODIAN = "custodian", _("key custodian")
    MODEL_OWNER = "model_owner", _("model owner")
    SYSADMIN = "sysadmin", _("system administrator")


CENTER_ROLES = (Role.COORDINATOR, Role.SITE_PI, Role.PACS_ADMIN, Role.READER)
STUDY_ROLES = tuple(role for role in Role if role not in CENTER_ROLES)

# docs/blinding.md §7: nobody stands on both sides. The first side may come to know predictions or holds a key to them,
# the second records, measures or judges what happens to patients, or runs the machines.
KNOWING_ROLES = (Role.DMC, Role.UNBLINDED_STATISTICIAN, Role.CUSTODIAN, Role.MODEL_OWNER)
ACTING_ROLES = (*CENTER_ROLES, Role.DATA_MANAGER, Role.ADJUDICATOR, Role.SYSADMIN)


class Sex(models.TextChoices):
    """CDISC SEX (C66731) as far as this study uses it."""

    MALE = "M", _("male")
    FEMALE = "F", _("female")
    UNKNOWN = "U", _("sex unknown")


class ScreeningStatus(models.TextChoices):
    SCREENED = "screened", _("screened")
    EXCLUDED = "excluded", _("not enrolled")
    ENROLLED = "enrolled", _("enrolled")


class ParticipantStatus(models.TextChoices):
    ENROLLED = "enrolled", _("enrolled")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Withdrawal(models.TextChoices):
    """How far a withdrawal goes (EN-04 a and b)."""

    NO_CONTACT = "no_contact", _("no more contact; records may still be read")
    NO_NEW_DATA = "no_new_data", _("no new data; what was collected is kept")


class MilestoneKind(models.TextChoices):
    """Facts that rooms above report for the participant's or the center's timeline."""

    SCREENED = "screened", _("screened")
    CONSENTED = "consented", _("consent recorded")
    ENROLLED = "enrolled", _("enrolled")
    WITHDRAWN = "withdrawn", _("withdrawn")
    SERIES_RECEIVED = "series_received", _("images received")
    PHASE_CONFIRMED = "phase_confirmed", _("phases confirmed")
    ROI_READY = "roi_ready", _("outline ready")
    FEATURES_READY = "features_ready", _("features ready")
    INPUT_MISSING = "input_missing", _("input missing")
    SEALED = "sealed", _("prediction sealed")
    SLIDE_RECEIVED = "slide_received", _("slide received")
    REPORT_RECEIVED = "report_received", _("pathology report received")
    TREATMENT_STARTED = "treatment_started", _("adjuvant treatment started")
    NO_ADJUVANT_DECLARED = "no_adjuvant_declared", _("no adjuvant therapy declared")
    WINDOW_CLOSED = "window_closed", _("treatment window closed")
    VISIT_DONE = "visit_done", _("visit done")
    RECURRENCE = "recurrence", _("recurrence")
    DEATH = "death", _("death")
    LOST = "lost", _("lost to follow-up")
    GATE_DOCUMENT = "gate_document", _("opening document filed")
    ACTIVATED = "activated", _("center opened")
    CLOSED = "closed", _("center closed")


CENTER_MILESTONES = (MilestoneKind.GATE_DOCUMENT, MilestoneKind.ACTIVATED, MilestoneKind.CLOSED)
PARTICIPANT_MILESTONES = tuple(kind for kind in MilestoneKind if kind not in CENTER_MILESTONES)
