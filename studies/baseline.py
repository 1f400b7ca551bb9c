"""Recording the baseline variables of a participant: checked against the protocol, changed later only with a reason (AU-03)."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies.access import require
from studies.models import Baseline, Participant
from studies.protocol import Variable
from studies.vocabulary import Phase

ENTER = "baseline.enter"


@transaction.atomic
def record(*, participant: Participant, values: Mapping[str, str], by: User, reason: str = "") -> Baseline:
    """Record or change baseline values; what is left out stays, an empty value is taken away.

    Numbers are stored as decimal text in the protocol's unit. Raises ValidationError naming each value that cannot be, and
    for a change of a stored value without a reason; NotAllowedNow once the study is locked.
    """
    require(by, ENTER, participant.center)
    if participant.study.phase in {Phase.LOCKED, Phase.PUBLISHED}:
        raise NotAllowedNow(_("The study is locked; a correction now needs the data manager."))
    participant = Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("study").get(pk=participant.pk)
    row = Baseline.objects.filter(participant=participant).first() or Baseline(participant=participant)
    checked = check(participant.study.protocol.baseline, values)
    changed = {code for code in checked if code in row.values and row.values[code] != checked[code]}
    if changed and not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    row.values = {code: value for code, value in {**row.values, **checked}.items() if value != ""}
    row.recorded_at, row.recorded_by = timezone.now(), by
    with audit.act(by=by, action="baseline.recorded", reason=reason):
        row.full_clean(exclude={"values"})  # checked against the protocol above; taking the last one away leaves none
        row.save()
    return row


def check(variables: tuple[Variable, ...], values: Mapping[str, str]) -> dict[str, str]:
    """The values in their stored form. Raises ValidationError with a sentence for each that cannot be."""
    known = {variable.code: variable for variable in variables}
    checked, faults = {}, {}
    for code, value in values.items():
        if code not in known:
            faults[code] = _("The protocol asks nothing called “%(code)s”.") % {"code": code}
            continue
        try:
            checked[code] = _stored(known[code], value.strip())
        except ValueError as fault:
            faults[code] = str(fault)
    if faults:
        raise ValidationError(faults)
    return checked


def missing(participant: Participant) -> list[str]:
    """The codes of the baseline variables that have no value yet."""
    row = Baseline.objects.filter(participant=participant).first()
    held = row.values if row else {}
    return [variable.code for variable in participant.study.protocol.baseline if variable.code not in held]


def _stored(variable: Variable, value: str) -> str:
    if value == "":
        return ""
    words = {"label": variable.text.say(get_language()), "unit": variable.unit, "low": variable.low, "high": variable.high}
    if variable.kind == "choice":
        if value not in {option.code for option in variable.options}:
            raise ValueError(_("Choose one of the answers for %(label)s.") % words)
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(_("%(label)s is a number in %(unit)s, such as 12.5.") % words) from None
    if not number.is_finite() or not variable.low <= number <= variable.high:
        raise ValueError(_("%(label)s lies between %(low)s and %(high)s %(unit)s.") % words)
    return format(number.normalize(), "f")
