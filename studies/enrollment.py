"""Enrolment: one transaction in which a screened patient becomes a participant with a study number (EN-03), and leaving."""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import milestones, study_number
from studies import screening as screening_log
from studies.access import Permission, require
from studies.eligibility import Eligibility, Verdict
from studies.governance import ethics
from studies.models import Center, Consent, Participant, Screening, Study
from studies.quality import checking, no_identity
from studies.vocabulary import MilestoneKind, ParticipantStatus, Phase, ScreeningStatus, StudyKind, Withdrawal


@transaction.atomic
def enroll(*, screening: Screening, by: User, on: date | None = None) -> Participant:
    """Enrol a screened patient: judge eligibility anew, keep that snapshot, give the next study number of the center.

    `on` is the day of enrolment, by default the study's today. The rows of center and study are locked, so that closure and
    numbers are settled one enrolment at a time. Raises NotAllowedNow with every obstacle at once, PermissionDenied.
    """
    require(by, Permission.ENROLL, screening.center)
    center = Center.objects.select_for_update(no_key=True, of=("self", "study")).select_related("study").get(pk=screening.center_id)
    with audit.act(by=by, action="participant.enrolled"):
        screening = advance(screening, ScreeningStatus.ENROLLED)
        screening.center = center
        day = on or center.study.today()
        eligibility = screening_log.judge(center.study.protocol, screening)
        if reasons := _obstacles(screening, eligibility, day):
            raise NotAllowedNow(" ".join(reasons))
        screening.eligibility = eligibility.as_json()
        save_checked(screening)
        participant = _give_number(screening, day=day, by=by)
        for kind, happened in _story(screening, day).items():
            milestones.record(participant=participant, kind=kind, on=happened, by=by)
    checking.on_saved(participant)
    return participant


def obstacles(screening: Screening, on: date | None = None) -> list[str]:
    """Everything that stands in the way of enrolling a screened patient on a day (today), a sentence each."""
    if screening.status != ScreeningStatus.SCREENED:
        return [_("Only a patient who is screened and not excluded can be enrolled.")]
    study = screening.center.study
    return _obstacles(screening, screening_log.judge(study.protocol, screening), on or study.today())


@transaction.atomic
def withdraw(*, participant: Participant, how_far: str, on: date, reason: str, by: User) -> Participant:
    """Note that a participant withdrew on a day, and how far (EN-04 a, b); nothing that was collected is lost.

    Who withdrew from contact may later withdraw from new data too; the way back there is not, and erasure has its own
    (`governance.withdrawal`). Raises NotAllowedNow when that far already, ValidationError for a day before enrolment or the first
    withdrawal, in the future, or without reason.
    """
    require(by, Permission.WITHDRAW, participant.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    no_identity.refuse(reason=reason)
    if on > participant.study.today():
        raise ValidationError({"withdrawn_on": _("The withdrawal is dated in the future.")})
    if how_far not in FAR:
        raise ValidationError({"withdrawal": _("Choose how far the withdrawal goes.")})
    with audit.act(by=by, action="participant.withdrawn", reason=reason):
        participant = advance(participant, ParticipantStatus.WITHDRAWN)
        before = participant.withdrawal
        if before and (before not in FAR or FAR.index(before) >= FAR.index(how_far)):
            raise NotAllowedNow(_("%(number)s has withdrawn that far already.") % {"number": participant})
        if participant.withdrawn_on is not None and on < participant.withdrawn_on:
            raise ValidationError({"withdrawn_on": _("The first withdrawal is dated %(day)s.") % {"day": participant.withdrawn_on}})
        participant.withdrawal, participant.withdrawn_on = how_far, on
        save_checked(participant)
        milestones.record(participant=participant, kind=MilestoneKind.WITHDRAWN, on=on, by=by)
    return participant


FAR: tuple[str, ...] = (Withdrawal.NO_CONTACT, Withdrawal.NO_NEW_DATA)
"""How far somebody may withdraw by word alone, the nearest first."""


def _give_number(screening: Screening, *, day: date, by: User) -> Participant:
    center = screening.center
    sequence = (center.participants.aggregate(last=Max("sequence"))["last"] or 0) + 1
    participant = Participant(
        study=center.study,
        center=center,
        screening=screening,
        sequence=sequence,
        study_number=study_number.make(center.code, sequence),
        eligibility={**screening.eligibility, "inputs": _inputs(screening)},
        enrolled_on=day,
        enrolled_at=timezone.now(),
        enrolled_by=by,
    )
    save_checked(participant)
    return participant


def _inputs(screening: Screening) -> dict[str, object]:
    return {**screening.answers, "surgery_date": screening.surgery_date.isoformat(), "age_at_surgery": screening.age_at_surgery}


def _story(screening: Screening, day: date) -> dict[MilestoneKind, date]:
    return {
        MilestoneKind.SCREENED: screening.screened_on,
        MilestoneKind.CONSENTED: screening.consent.dated_on,
        MilestoneKind.ENROLLED: day,
    }


def _obstacles(screening: Screening, eligibility: Eligibility, day: date) -> list[str]:
    center, study = screening.center, screening.center.study
    consent = Consent.objects.filter(screening=screening).first()
    judged = [] if study.kind == StudyKind.RETROSPECTIVE else _not_eligible(eligibility)  # who is analysed there is the cut's decision
    reasons = [*judged, *ethics.no_cover(center, day), *_no_consent(consent, day)]
    if not screening.screened_on <= day <= study.today():
        reasons.append(_("Enrolment falls on a day after screening, and not in the future."))
    if study.phase != Phase.ACCRUAL or screening.surgery_date < study.accrual_from or day < study.accrual_from:
        reasons.append(_("The study does not take patients of that day."))
    reasons += _closed(study, center, consent, day)
    return reasons


def _not_eligible(eligibility: Eligibility) -> list[str]:
    if eligibility.verdict is Verdict.FAIL:
        return [_("Not eligible: %(criteria)s.") % {"criteria": ", ".join(eligibility.failed)}]
    if eligibility.verdict is Verdict.UNKNOWN:
        return [_("Not all criteria can be judged yet: %(criteria)s.") % {"criteria": ", ".join(eligibility.unknown)}]
    return []


def _no_consent(consent: Consent | None, day: date) -> list[str]:
    if consent is None:
        return [_("Neither a signed consent nor a waiver is recorded.")]
    return [] if consent.dated_on <= day else [_("The consent is dated after the day of enrolment.")]


def _closed(study: Study, center: Center, consent: Consent | None, day: date) -> list[str]:
    """Accrual ends by date and by center; who consented before is taken within the declared overrun (EN-03)."""
    if center.opened_on is None or day < center.opened_on:
        return [_("Center %(center)s was not open on that day.") % {"center": center}]
    reasons = []
    for end, what in ((study.accrual_until, _("Accrual")), (center.closed_on, _("Center %(center)s") % {"center": center})):
        in_time = end is None or day <= end
        overrun = end is not None and consent is not None and consent.dated_on <= end and day <= end + timedelta(days=study.overrun_days)
        if not in_time and not overrun:
            reasons.append(_("%(what)s closed on %(end)s, and the overrun does not reach this patient.") % {"what": what, "end": end})
    return reasons
