"""Filling a form from a pasted laboratory report: the values and the report they came from are written together, or neither."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies import entry, lab_paste
from studies.dictionary import Form, Item
from studies.lab_paste import Candidate
from studies.models import Entry, Participant, PastedBlock
from studies.values import NotUnderstood, Value, as_typed, understand, unusual

FORM = "laboratory"
PASTED = "pasted"


@dataclass(frozen=True, slots=True)
class Filled:
    """A value for an item, and the line of the block that it comes from."""

    value: Value
    line: int


def form_of(participant: Participant) -> Form:
    """The form that a laboratory report fills in."""
    return participant.study.dictionary.form(FORM)


@transaction.atomic
def fill(
    *, participant: Participant, block: str, filled: Mapping[str, Filled], seen: Mapping[str, Value], day: str, by: User, reason: str = ""
) -> PastedBlock:
    """Record the values that a person confirmed, and keep what may be kept of the block as their source.

    `seen` is what the form held when the person looked, `day` the day of sampling: it dates a form that has no day, and one that has
    keeps its own. The block is screened here again, whoever calls. Raises ValidationError where a value was stored meanwhile or would
    change without a reason, and whatever `studies.entry.record` refuses.
    """
    if not filled:
        raise ValidationError(_("Nothing was chosen to be filled in."))
    Participant.objects.select_for_update(no_key=True).get(pk=participant.pk)  # what is compared is what is there when it is written
    form, held = form_of(participant), stored(participant)
    values = {code: each.value for code, each in filled.items()} | _dated(form, held, day)
    changing = changes(held, values)
    if met := [form.by_code[code] for code in changing if held[code].content != seen.get(code, Value()).content]:
        raise ValidationError(_met(met, held))
    if changing and not reason.strip():
        raise ValidationError({"reason": _("Say why: stored values change.")})
    row = entry.record(participant=participant, form=form.code, values=values, by=by, reason=reason)
    kept = lab_paste.read(block, form.items)
    source = PastedBlock(participant=participant, entry=row, text=kept.kept, sha256=hashlib.sha256(kept.kept.encode()).hexdigest())
    source.lines, source.taken_out = {code: each.line for code, each in filled.items()}, list(kept.taken_out)
    source.recorded_at, source.recorded_by = timezone.now(), by
    with audit.act(by=by, action="entry.pasted", reason=reason):
        save_checked(source)
    return source


def changes(held: Mapping[str, Value], values: Mapping[str, Value]) -> list[str]:
    """The codes of the stored values that others would replace."""
    return [code for code, value in values.items() if code in held and not same(held[code], value)]


def stored(participant: Participant) -> dict[str, Value]:
    """What the form holds now."""
    return entry.held(Entry.objects.filter(participant=participant, form=FORM, occurrence="").first())


def same(held: Value, new: Value) -> bool:
    """Whether two values say the same of a patient, however they were written."""
    return (held.value, held.comparator, held.missing, held.on) == (new.value, new.comparator, new.missing, new.on)


def form_day(form: Form, held: Mapping[str, Value], day: str) -> str:
    """The day that the form is dated by: its own, and `day` where it has none."""
    return held.get(form.dated_by, Value()).value or day


def value_of(item: Item, candidate: Candidate, on: str, day: str) -> Value:
    """The value that a candidate says, with its day where that is another than the form's.

    Raises NotUnderstood where the dictionary refuses it, and for a candidate whose limit is still to be typed.
    """
    try:
        value = understand(item, f"{candidate.comparator}{candidate.typed.lstrip('<>≤≥=＜＞ ')}", candidate.unit)
    except NotUnderstood:
        value = Value()
    if (value.value, value.comparator) != (candidate.value, candidate.comparator):  # a way of writing that a form does not take
        value = understand(item, f"{candidate.comparator}{candidate.value}")
    return replace(value, source=PASTED, on="" if on == day else on, confirmed=unusual(item, value))


def _dated(form: Form, held: Mapping[str, Value], day: str) -> dict[str, Value]:
    """The day of sampling for the item that dates the form, where it has no day yet."""
    if not form.dated_by or not day or held.get(form.dated_by, Value()).value:
        return {}
    return {form.dated_by: replace(understand(form.by_code[form.dated_by], day), source=PASTED)}


def _met(items: list[Item], held: Mapping[str, Value]) -> str:
    """What is said of values that somebody stored while this person looked at the report."""
    said = _("; ").join(f"{item.text.say(get_language())} {as_typed(held[item.code])}" for item in items)
    return _("While you looked, somebody else saved: %(values)s. Compare it with the report and confirm again.") % {"values": said}


def typed(item: Item, text: str, on: str, day: str) -> Value:
    """A value that a person typed beside a question; typed, not pasted. Raises NotUnderstood."""
    value = understand(item, text)
    return replace(value, source="typed", on="" if on == day else on, confirmed=unusual(item, value)) if value else value
