"""The screening log: every resection gets a line, the next number of its center, and the protocol's verdict (EN-01, EN-02)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import eligibility
from studies.access import Permission, require
from studies.eligibility import Eligibility
from studies.expressions import Fact
from studies.locking.holding import stand_in_line
from studies.locking.standing import check_study_open
from studies.models import Center, Participant, Screening
from studies.protocol import Protocol
from studies.quality import checking
from studies.vocabulary import Origin, Phase, ScreeningStatus, Sex

ANSWERS = ("yes", "no", "unknown")


@sensitive_variables("birth_date")
@transaction.atomic
def screen(
    *,
    center: Center,
    surgery_date: date,
    by: User,
    birth_date: date | None = None,
    age_at_surgery: int | None = None,
    sex: str = Sex.UNKNOWN,
    answers: Mapping[str, str] | None = None,
    row_token: str | None = None,
    on: date | None = None,
) -> Screening:
    """Enter a resection into the center's screening log under its next number and judge its eligibility.

    `birth_date` becomes the age at surgery and is forgotten; give either of the two, or neither when unknown. `row_token`
    makes a repeated call return the line it made the first time. `on` is the day of screening, by default the study's today.
    Raises ValidationError, PermissionDenied, NotAllowedNow.
    """
    require(by, Permission.SCREEN, center)
    if birth_date is not None:
        age_at_surgery = _age(birth_date, surgery_date, age_at_surgery)
    facts = {"surgery_date": surgery_date, "age_at_surgery": age_at_surgery, "sex": sex}
    return _enter(lock(center), facts, row_token=row_token, origin=Origin.PAGE, answers=answers, on=on, by=by)


@transaction.atomic
def screen_from_edge(*, center: Center, row_token: str, surgery_date: date, age_at_surgery: int | None, sex: str, by: User) -> Screening:
    """Enter a row of the center's operating list, known here by the keyed token of its edge, or return the line it made before.

    A step of a larger write: the caller proved that the request is the gateway's, which stands for its center. `by` is the
    gateway's own user. Raises ValidationError ("row_differs" for a known token with other facts), NotAllowedNow.
    """
    facts = {"surgery_date": surgery_date, "age_at_surgery": age_at_surgery, "sex": sex}
    return _enter(lock(center), facts, row_token=row_token, origin=Origin.EDGE, answers=None, on=None, by=by)


def _enter(
    center: Center,
    facts: dict[str, Any],
    *,
    row_token: str | None,
    origin: str,
    answers: Mapping[str, str] | None,
    on: date | None,
    by: User,
) -> Screening:
    """The next line of a center whose row is locked, or the line that the same token made before."""
    if row_token and (known := center.screenings.filter(row_token=row_token).first()):
        return _same_row(known, facts)
    _check_open(center)
    screening = Screening(
        center=center,
        number=(center.screenings.aggregate(last=Max("number"))["last"] or 0) + 1,
        row_token=row_token or None,
        origin=origin,
        screened_on=on or center.study.today(),
        **facts,
        screened_at=timezone.now(),
        screened_by=by,
    )
    return _judge_and_save(screening, dict(answers or {}), by=by, action="screening.screened")


@sensitive_variables("birth_date")
@transaction.atomic
def amend(
    *,
    screening: Screening,
    by: User,
    reason: str = "",
    surgery_date: date | None = None,
    birth_date: date | None = None,
    age_at_surgery: int | None = None,
    sex: str | None = None,
    answers: Mapping[str, str] | None = None,
) -> Screening:
    """Complete or correct a line of the log and judge it again; what is left out stays. `answers` replaces single answers.

    What was said before changes with a reason only (AU-03); the first answer to a criterion needs none. The snapshot by which a
    participant was enrolled is not touched (EL-01). Raises ValidationError, PermissionDenied, NotAllowedNow once the study is locked.
    """
    require(by, Permission.SCREEN, screening.center)
    screening = Screening.objects.select_for_update(no_key=True, of=("self",)).select_related("center__study").get(pk=screening.pk)
    check_study_open(screening.center.study)
    before = _said(screening)
    screening.surgery_date = surgery_date or screening.surgery_date
    if birth_date is not None:
        age_at_surgery = _age(birth_date, screening.surgery_date, age_at_surgery)
    screening.age_at_surgery = screening.age_at_surgery if age_at_surgery is None else age_at_surgery
    screening.sex = sex or screening.sex
    screening.answers |= answers or {}
    if not before.items() <= _said(screening).items():
        _check_reason(reason)
    return _judge_and_save(screening, screening.answers, by=by, action="screening.amended", reason=reason)


@transaction.atomic
def exclude(*, screening: Screening, reason_code: str, by: User, reason: str = "") -> Screening:
    """Note that a screened patient is not enrolled, by a reason of the protocol; `reason` is for the trail only.

    Raises ValidationError for an unknown reason, or for "not eligible" where no criterion fails; NotAllowedNow when enrolled.
    """
    require(by, Permission.SCREEN, screening.center)
    protocol = screening.center.study.protocol
    if protocol.exclusion_reason(reason_code) is None:
        raise ValidationError(_("Choose one of the protocol's reasons."), code="unknown_reason")
    with audit.act(by=by, action="screening.excluded", reason=reason):
        screening = advance(screening, ScreeningStatus.EXCLUDED)
        if reason_code == protocol.reason_not_eligible and screening.eligibility["verdict"] != eligibility.Verdict.FAIL:
            raise ValidationError(_("No criterion fails for this patient: answer the criteria first, or choose another reason."))
        screening.exclusion_reason = reason_code
        save_checked(screening)
    return screening


@transaction.atomic
def reinstate(*, screening: Screening, reason: str, by: User) -> Screening:
    """Take back an exclusion that was made in error, saying why. Raises NotAllowedNow unless excluded."""
    require(by, Permission.SCREEN, screening.center)
    _check_reason(reason)
    with audit.act(by=by, action="screening.reinstated", reason=reason):
        screening = advance(screening, ScreeningStatus.SCREENED)
        screening.exclusion_reason = ""
        save_checked(screening)
    return screening


def judge(protocol: Protocol, screening: Screening) -> Eligibility:
    """The protocol's verdict on a line of the log as it stands."""
    facts: dict[str, Fact] = {"surgery_date": screening.surgery_date, "age_at_surgery": screening.age_at_surgery, "sex": screening.sex}
    return eligibility.evaluate(protocol, typed_answers(protocol, screening.answers), facts)


def typed_answers(protocol: Protocol, answers: Mapping[str, Any]) -> dict[str, Fact]:
    """Answers as stored (text) as the facts they stand for. Raises ValidationError naming the first that makes no sense."""
    questions = {item.code: item for item in protocol.attested}
    typed: dict[str, Fact] = {}
    for code, answer in answers.items():
        if code not in questions:
            raise ValidationError(_("The protocol asks nothing called “%(code)s”."), code="unknown_question", params={"code": code})
        if questions[code].kind == "date" and answer not in ("", "unknown"):
            typed[code] = _day(code, answer)
        elif answer in ANSWERS:
            typed[code] = answer
        elif answer != "":
            raise ValidationError(_("Answer “%(code)s” with yes, no or unknown."), code="bad_answer", params={"code": code})
    return typed


def lock(center: Center) -> Center:
    """The center, freshly read with its study, its row locked until the transaction ends: numbers are given one at a time."""
    return Center.objects.select_for_update(no_key=True, of=("self",)).select_related("study").get(pk=center.pk)


def _judge_and_save(screening: Screening, answers: dict[str, str], *, by: User, action: str, reason: str = "") -> Screening:
    screening.answers = {code: answer for code, answer in answers.items() if answer != ""}
    _check_dates(screening)
    screening.eligibility = judge(screening.center.study.protocol, screening).as_json()
    participant = Participant.objects.filter(screening=screening).first() if screening.pk else None
    if participant:
        stand_in_line(participant.pk)
    with audit.act(by=by, action=action, reason=reason):
        save_checked(screening)
    if participant:
        checking.on_saved(participant)
    return screening


def _check_open(center: Center) -> None:
    if center.study.phase != Phase.ACCRUAL:
        raise NotAllowedNow(_("Screening is open during accrual only."))
    if center.opened_on is None:
        raise NotAllowedNow(_("Center %(center)s has not been opened yet.") % {"center": center})


def _check_dates(screening: Screening) -> None:
    today = screening.center.study.today()
    if screening.surgery_date > today:
        raise ValidationError({"surgery_date": _("The date of surgery lies in the future.")})
    if not screening.surgery_date <= screening.screened_on <= today:
        raise ValidationError({"screened_on": _("A patient is screened after surgery and not in the future.")})


def _said(screening: Screening) -> dict[str, object]:
    """What a line says."""
    return {**screening.answers, **{name: getattr(screening, name) for name in ("surgery_date", "age_at_surgery", "sex")}}


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})


def _same_row(known: Screening, facts: Mapping[str, Any]) -> Screening:
    """The line as it stands, if the row says what it said the first time: a correction made meanwhile is no difference."""
    first = audit.history(known).first() or known
    if any(getattr(first, name) != value for name, value in facts.items()):
        raise ValidationError(
            _("This row was screened before as %(known)s with another date of surgery, age or sex; amend that line instead."),
            code="row_differs",
            params={"known": str(known)},
        )
    return known


@sensitive_variables("birth_date")
def _age(birth_date: date, surgery_date: date, age_at_surgery: int | None) -> int:
    if age_at_surgery is not None:
        raise ValidationError({"birth_date": _("Give the birth date or the age, not both.")})
    if birth_date > surgery_date:
        raise ValidationError({"birth_date": _("The birth date lies after the day of surgery.")})
    return eligibility.completed_years(birth_date, surgery_date)


def _day(code: str, answer: Any) -> date:
    try:
        day = parse_date(str(answer))
    except ValueError:
        day = None
    if day is None:
        raise ValidationError(_("Answer “%(code)s” with a date such as 2026-09-24."), code="bad_answer", params={"code": code})
    return day
