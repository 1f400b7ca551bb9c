"""Recording what was given after surgery, or that nothing was: the facts the actual strategy is derived from (TX-01, TX-02)."""

from datetime import date, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import ledger
from accounts.models import User
from followup import drugs, entry
from followup.models import NoAdjuvantDeclaration, TreatmentCourse
from followup.partial_date import PartialDate
from followup.vocabulary import DrugClass, Intent, Place
from studies import milestones
from studies.locking.holding import stand_in_line
from studies.models import Participant


@transaction.atomic
def record_course(
    *,
    participant: Participant,
    kind: str,
    intent: str,
    start: str,
    source: str,
    by: User,
    end: str = "",
    drug: str = "",
    drug_class: str = "",
    decided_on: date | None = None,
    place: str = Place.HERE,
    late_reason: str = "",
) -> TreatmentCourse:
    """Record one course; `start` and `end` are ISO 8601 and may stop at the month or year. Never waits for a seal.

    An adjuvant course is knowledge of treatment: it goes on the ledger at once, so that nobody can later move it before or
    behind a seal unseen. A declaration that says the opposite does not stop it: both stand, and `contradicted` says so.
    A drug of the list (`drugs`) is stored under its generic name, with its class. Raises ValidationError for an impossible date, and for
    a class that is not the drug's.
    """
    entry.check_partial(participant, start, "start")
    if end:
        entry.check_partial(participant, end, "end")
    drug, drug_class = _named(drug, drug_class)
    course = TreatmentCourse(
        participant=participant, kind=kind, intent=intent, start=start, end=end, drug=drug, drug_class=drug_class,
        decided_on=decided_on, place=place, source=source,
    )  # fmt: skip
    with entry.writing(participant=participant, by=by, action="treatment.recorded", permission=entry.TREATMENT, late_reason=late_reason):
        entry.insert(course, by=by)
        if intent == Intent.ADJUVANT:
            _treatment_known(course, by=by)
    return course


@transaction.atomic
def declare_no_adjuvant(
    *, participant: Participant, declared_on: date, source: str, by: User, late_reason: str = ""
) -> NoAdjuvantDeclaration:
    """The positive statement, on or after the window's last day, that no adjuvant therapy was given here or elsewhere.

    Raises ValidationError while the window is open or when an adjuvant course is on record.
    """
    window_ends = window_end(participant)
    if declared_on < window_ends:
        raise ValidationError(
            {"declared_on": _("The treatment window ends on %(end)s; declare on that day or later.") % {"end": window_ends}}
        )
    entry.check_day(participant, declared_on, "declared_on", may_follow_death=True)
    if TreatmentCourse.objects.in_force().filter(participant=participant, intent=Intent.ADJUVANT).exists():
        raise ValidationError(_("An adjuvant course is on record. Mark it as entered in error first, if it was not given."))
    declaration = NoAdjuvantDeclaration(participant=participant, declared_on=declared_on, source=source)
    with entry.writing(
        participant=participant, by=by, action="treatment.none_declared", permission=entry.TREATMENT, late_reason=late_reason
    ):
        entry.insert(declaration, by=by)
        milestones.record(participant=participant, kind="no_adjuvant_declared", on=declared_on, by=by, ref=declaration.uuid)
    close_window(participant=participant, on=declared_on, by=by, ref=declaration.uuid, late_reason=late_reason)
    return declaration


@transaction.atomic
def close_window(*, participant: Participant, on: date, by: User, ref: UUID | None = None, late_reason: str = "") -> None:
    """State that the treatment of the window is completely ascertained; asked twice, it is said once.

    `ref` is the declaration that says so, where one does: voided, it takes this statement back with it. Raises ValidationError while
    the window is open, or while neither an adjuvant course nor a declaration is on record.
    """
    if on < window_end(participant):
        raise ValidationError(
            {"on": _("The treatment window ends on %(end)s; close it on that day or later.") % {"end": window_end(participant)}}
        )
    stand_in_line(participant.pk)  # two clicks say it once
    if milestones.in_force().filter(participant=participant, kind="window_closed").exists():
        return
    entry.check_withdrawal(participant, on)
    if not entry.accounted_for(participant):
        raise ValidationError(_("Neither an adjuvant course nor the declaration that there was none is on record. Record one first."))
    with entry.writing(
        participant=participant, by=by, action="treatment.window_closed", permission=entry.TREATMENT, late_reason=late_reason
    ):
        milestones.record(participant=participant, kind="window_closed", on=on, by=by, ref=ref)
        _to_ledger(participant, "window_closed", "", on.isoformat(), "")


def contradicted(participant: Participant) -> bool:
    """Whether an adjuvant course and the declaration that there was none are both in force; the window then counts as open."""
    rows = {"participant": participant, "voided_at": None}
    return NoAdjuvantDeclaration.objects.filter(**rows).exists() and TreatmentCourse.objects.filter(intent=Intent.ADJUVANT, **rows).exists()


def window_end(participant: Participant) -> date:
    """The last day of the treatment window of the participant's protocol."""
    return participant.screening.surgery_date + timedelta(days=participant.study.protocol.adjuvant_window_days)


def _named(drug: str, drug_class: str) -> tuple[str, str]:
    """The drug's generic name and class; one that is not on the list stays as it was typed."""
    known = drugs.find(drug)
    if known is None:
        return drug, drug_class
    if drug_class and drug_class != known.drug_class:
        words = {"drug": known.say(get_language() or ""), "class": DrugClass(known.drug_class).label}
        raise ValidationError({"drug_class": _("%(drug)s is of the class “%(class)s”. Compare both.") % words})
    return known.name, known.drug_class


def _treatment_known(course: TreatmentCourse, *, by: User) -> None:
    participant = course.participant
    first_day = max(PartialDate.parse(course.start).earliest, participant.screening.surgery_date)
    milestones.record(participant=participant, kind="treatment_started", on=first_day, by=by, ref=course.uuid)
    decided_on = "" if course.decided_on is None else course.decided_on.isoformat()
    _to_ledger(participant, "treatment_known", course.uuid.hex, course.start, decided_on)


def _to_ledger(participant: Participant, kind: str, ref: str, on: str, decided_on: str) -> None:
    ledger.append(
        study=participant.study.code,
        kind=kind,
        at=participant.study.ledger_time(),
        body={
            "study_number": participant.study_number,
            "ref": ref,
            "on": on,
            "decided_on": decided_on,
            "recorded_at": participant.study.now().isoformat(timespec="seconds"),
        },
    )
