"""Deviations from the protocol: raised by rules and by people, assessed, closed. Raising one never stops an entry.

A sweep asks the sources of all rooms for their cases and raises what the rules find (`deviation_rules`); the same case is raised once.
Rooms above bring their own cases as a Source; `prime_platform` composes them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies.access import Permission, require
from studies.governance import conduct
from studies.governance.deviation_rules import Case, findings
from studies.models import Center, Deviation, Participant, Study
from studies.quality import no_identity
from studies.vocabulary import DeviationCategory, DeviationStatus, Phase

Source = Callable[[Study], Iterable[Case]]
"""The cases of one room in a study as it stands."""
RUNNING = (Phase.ACCRUAL, Phase.FOLLOW_UP)


@transaction.atomic
def sweep(*, study: Study, sources: Sequence[Source], by: User) -> int:
    """Raise every deviation that the rules find and that is not on record; how many were new.

    Two sweeps at once raise each one once: the unique key of a case decides.
    """
    rules = conduct.load(study.protocol_id)
    found = {each.key: each for source in sources for each in findings(rules, source(study))}
    known = set(Deviation.objects.filter(center__study=study, key__in=found).values_list("key", flat=True))
    today, now = study.today(), timezone.now()
    rows = [
        Deviation(
            center_id=each.case.center,
            participant_id=each.case.participant,
            kind=each.rule.code,
            rules_version=f"{rules.version}/{each.rule.version}",
            key=key,
            record=each.case.record,
            record_uuid=each.case.record_uuid,
            field=each.case.field,
            occurred_on=min(each.occurred_on, today),
            detected_on=today,
            category=each.rule.category,
            raised_at=now,
            raised_by=by,
        )
        for key, each in found.items()
        if key not in known
    ]
    with audit.act(by=by, action="deviation.found"):
        Deviation.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def report(
    *,
    center: Center,
    kind: str,
    description: str,
    occurred_on: date,
    category: str,
    by: User,
    detected_on: date | None = None,
    participant: Participant | None = None,
) -> Deviation:
    """Report a deviation that somebody noticed. Raises ValidationError for an unknown kind, no description, or days that cannot be."""
    require(by, Permission.DEVIATION_REPORT, center)
    rules = conduct.load(center.study.protocol_id)
    if kind not in {each.code for each in rules.deviation_kinds}:
        raise ValidationError({"kind": _("Choose a kind of the list.")})
    if not description.strip():
        raise ValidationError({"description": _("Say what happened.")})
    no_identity.refuse(description=description)
    if participant is not None and participant.center_id != center.pk:
        raise ValidationError({"participant": _("This participant belongs to another center.")})
    today = center.study.today()
    if max(occurred_on, detected_on or today) > today:
        raise ValidationError({"occurred_on": _("This day lies in the future.")})
    deviation = Deviation(
        center=center,
        participant=participant,
        kind=kind,
        rules_version=rules.version,
        description=description.strip(),
        occurred_on=occurred_on,
        detected_on=detected_on or today,
        category=category,
        raised_at=timezone.now(),
        raised_by=by,
    )
    with audit.act(by=by, action="deviation.reported", center=center.code):
        save_checked(deviation)
    return deviation


@transaction.atomic
def assess(*, deviation: Deviation, category: str, cause: str, by: User, corrective: str = "", preventive: str = "") -> Deviation:
    """Say how grave a deviation is, what caused it and what is done; may be said anew until it is closed.

    Raises ValidationError without a cause, NotAllowedNow when closed.
    """
    require(by, Permission.DEVIATION_ASSESS, deviation.center)
    if not cause.strip():
        raise ValidationError({"cause": _("Say what caused it.")})
    no_identity.refuse(cause=cause, corrective=corrective, preventive=preventive)
    if category not in DeviationCategory.values:
        raise ValidationError({"category": _("A deviation is minor or major.")})
    if Deviation.objects.select_for_update(of=("self",)).get(pk=deviation.pk).status == DeviationStatus.CLOSED:
        raise NotAllowedNow(_("This deviation is closed; reopen it first."))
    deviation = advance(deviation, DeviationStatus.ASSESSED)
    deviation.category, deviation.cause = category, cause.strip()
    deviation.corrective, deviation.preventive = corrective.strip(), preventive.strip()
    deviation.assessed_at, deviation.assessed_by = timezone.now(), by
    return _change(deviation, by=by, action="deviation.assessed")


@transaction.atomic
def close(*, deviation: Deviation, by: User) -> Deviation:
    """Close an assessed deviation. Raises ValidationError while nothing is said to have been done, NotAllowedNow unless assessed."""
    require(by, Permission.DEVIATION_CLOSE, deviation.center)
    deviation = advance(deviation, DeviationStatus.CLOSED)
    if not deviation.corrective.strip():
        raise ValidationError({"corrective": _("Say what was done about it before it is closed.")})
    deviation.closed_at, deviation.closed_by = timezone.now(), by
    return _change(deviation, by=by, action="deviation.closed")


@transaction.atomic
def reopen(*, deviation: Deviation, reason: str, by: User) -> Deviation:
    """Take a closed deviation up again, saying why. Raises NotAllowedNow unless closed."""
    require(by, Permission.DEVIATION_CLOSE, deviation.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    no_identity.refuse(reason=reason)
    if Deviation.objects.select_for_update(of=("self",)).get(pk=deviation.pk).status != DeviationStatus.CLOSED:
        raise NotAllowedNow(_("This deviation is not closed."))
    deviation = advance(deviation, DeviationStatus.ASSESSED)
    deviation.closed_at = deviation.closed_by = None
    return _change(deviation, by=by, action="deviation.reopened", reason=reason)


def _change(deviation: Deviation, *, by: User, action: str, reason: str = "") -> Deviation:
    with audit.act(by=by, action=action, reason=reason, center=deviation.center.code):
        save_checked(deviation)
    return deviation
