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


class Task(models.TextChoices):
    """The tasks that a site PI delegates; `access.TASK_OF` says which permission belongs to which."""

    CONSENT = "consent", _("informed consent")
    ELIGIBILITY = "eligibility", _("screening and eligibility")
    DATA_ENTRY = "data_entry", _("data entry")
    IMAGING = "imaging", _("imaging and slides")
    TREATMENT = "treatment", _("treatment records")
    FOLLOW_UP = "follow_up", _("visits and follow-up")


class EthicsKind(models.TextChoices):
    """What an ethics committee decided on."""

    INITIAL = "initial", _("first approval")
    CONTINUING = "continuing", _("continuing review")
    AMENDMENT = "amendment", _("amendment")


class Resigning(models.TextChoices):
    """Who has to sign a newer version of the consent form."""

    ALL = "all", _("everybody, by a day")
    ON_NEXT_VISIT = "on_next_visit", _("at the next visit")
    NONE = "none", _("new participants only")


class Sex(models.TextChoices):
    """CDISC SEX (C66731) as far as this study uses it."""

    MALE = "M", _("male")
    FEMALE = "F", _("female")
    UNKNOWN = "U", _("sex unknown")


class ScreeningStatus(models.TextChoices):
    SCREENED = "screened", _("screened")
    EXCLUDED = "excluded", _("not enrolled")
    ENROLLED = "enrolled", _("enrolled")


class Origin(models.TextChoices):
    """Where a line of the screening log came from."""

    PAGE = "page", _("typed here")
    EDGE = "edge", _("from the operating list")


class EntryStatus(models.TextChoices):
    """Whether a form was declared complete; from then on a change of a value needs a reason (AU-03)."""

    DRAFT = "draft", _("draft")
    SUBMITTED = "submitted", _("submitted")


class ParticipantStatus(models.TextChoices):
    ENROLLED = "enrolled", _("enrolled")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Withdrawal(models.TextChoices):
    """How far a withdrawal goes (EN-04 a, b and c); the last follows from an approved request alone."""

    NO_CONTACT = "no_contact", _("no more contact; records may still be read")
    NO_NEW_DATA = "no_new_data", _("no new data; what was collected is kept")
    ERASE = "erase", _("erasure, where the law demands it")


class DeviationCategory(models.TextChoices):
    MINOR = "minor", _("minor")
    MAJOR = "major", _("major")


class DeviationStatus(models.TextChoices):
    OPEN = "open", _("to be assessed")
    ASSESSED = "assessed", _("assessed")
    CLOSED = "closed", _("deviation closed")


class ErasureStatus(models.TextChoices):
    REQUESTED = "requested", _("erasure asked for")
    APPROVED = "approved", _("erasure approved")
    REFUSED = "refused", _("erasure refused")


class QueryStatus(models.TextChoices):
    """Whose turn a query is: the site's while open or reopened, the data manager's once answered (AU-06)."""

    OPEN = "open", _("query open")
    ANSWERED = "answered", _("query answered")
    REOPENED = "reopened", _("query reopened")
    CLOSED = "closed", _("query closed")


class QueryMove(models.TextChoices):
    """What a message of a query's thread did."""

    RAISED = "raised", _("asked")
    ANSWERED = "answered", _("answered")
    REOPENED = "reopened", _("asked again")
    CLOSED = "closed", _("closed")


class VerificationClass(models.TextChoices):
    """Why a field is compared with the source: always, or because the draw took it (AU-06)."""

    CRITICAL = "critical", _("critical, everybody")
    SAMPLED = "sampled", _("sampled")


class CheckRunStatus(models.TextChoices):
    """How far a run of the edit checks is."""

    WAITING = "waiting", _("waiting for the worker")
    RUNNING = "running", _("running")
    DONE = "done", _("done")


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


class StudyKind(models.TextChoices):
    """A retrospective study holds a cohort that was treated and followed before; it lives in an installation of its own."""

    PROSPECTIVE = "prospective", _("prospective")
    RETROSPECTIVE = "retrospective", _("retrospective")


class ImportKind(models.TextChoices):
    VALUES = "values", _("values of participants")
    COHORT = "cohort", _("retrospective cohort")


class ImportStatus(models.TextChoices):
    PLANNED = "planned", _("dry run")
    EXECUTED = "executed", _("executed")
    UNDONE = "undone", _("taken back")
    DROPPED = "dropped", _("not executed")
