"""The reference ranges of a center: recorded as its laboratory prints them, ended when it changes them, read in the stored unit.

What was recorded stays: a new range begins after the old one has ended, and a slip of the finger is corrected with its reason (AU-03).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies.access import require
from studies.dictionary import Item
from studies.models import Center, ReferenceRange

VIEW = "range.view"
ENTER = "range.enter"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that hold for a value, in the stored unit of its item."""

    low: Decimal | None
    high: Decimal | None

    def place(self, value: Decimal, comparator: str = "") -> str:
        """Where a value lies: low, high, within, or nothing where its comparator leaves that open."""
        above = self.high is not None and value > self.high
        below = self.low is not None and value < self.low
        if comparator[:1] == ">":
            return "high" if above or (self.high is not None and value == self.high) else ""
        if comparator[:1] == "<":
            return "low" if below or (self.low is not None and value == self.low) else ""
        return "high" if above else "low" if below else "within"


@transaction.atomic
def record(
    *,
    center: Center,
    item: str,
    low: Decimal | None,
    high: Decimal | None,
    unit: str,
    valid_from: date,
    by: User,
    method: str = "",
    sex: str = "",
    valid_until: date | None = None,
) -> ReferenceRange:
    """Record a reference range as the laboratory prints it.

    Raises ValidationError for an item that is not measured, a unit it does not have, or days on which another range holds.
    """
    require(by, ENTER, center)
    _check_unit(center, item, unit)
    row = ReferenceRange(center=center, item=item, method=method, sex=sex, low=low, high=high, unit=unit)
    row.valid_from, row.valid_until = valid_from, valid_until
    return _save(row, by=by, action="range.recorded")


@transaction.atomic
def end(*, reference_range: ReferenceRange, last_day: date, by: User) -> ReferenceRange:
    """End a range after a day, because the laboratory has a new one. Raises ValidationError when it ended before that day already."""
    require(by, ENTER, reference_range.center)
    row = _locked(reference_range)
    if row.valid_until is not None and row.valid_until <= last_day:
        raise ValidationError({"last_day": _("This range ends on %(until)s already.") % {"until": row.valid_until}})
    row.valid_until = last_day
    return _save(row, by=by, action="range.ended")


@transaction.atomic
def correct(*, reference_range: ReferenceRange, low: Decimal | None, high: Decimal | None, reason: str, by: User) -> ReferenceRange:
    """Correct the limits of a range that were entered wrongly, saying why."""
    require(by, ENTER, reference_range.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    row = _locked(reference_range)
    row.low, row.high = low, high
    return _save(row, by=by, action="range.corrected", reason=reason)


def limits(*, center: Center, item: Item, on: date, sex: str = "", method: str = "") -> Limits | None:
    """The limits at a center on a day, of the method if it is told apart, otherwise of no particular one; None where none are known."""
    found = (
        ReferenceRange.objects.filter(center=center, item=item.code, method__in={method, ""}, sex__in={sex, ""}, valid_from__lte=on)
        .filter(Q(valid_until=None) | Q(valid_until__gte=on))
        .order_by("-method")
        .first()
    )
    return stored(found, item) if found else None


def of_item(centers: Iterable[Center], item: str) -> QuerySet[ReferenceRange]:
    """Every range of an item at some centers, where the laboratory tells no methods apart."""
    return ReferenceRange.objects.filter(center__in=list(centers), item=item, method="").order_by("pk")


def among(rows: Iterable[ReferenceRange], item: Item, *, on: date, sex: str) -> Limits | None:
    """The limits that hold on a day for a sex, of one center's ranges of an item; None where none are known."""
    held = (row for row in rows if row.sex in (sex, "") and row.valid_from <= on and (row.valid_until is None or row.valid_until >= on))
    return next((stored(row, item) for row in held), None)


def limits_of_form(*, center: Center, items: list[Item], on: date, sex: str = "") -> dict[str, Limits]:
    """The limits of all items of a form in one query, where the laboratory tells no methods apart."""
    known = {item.code: item for item in items}
    rows = ReferenceRange.objects.filter(center=center, item__in=known, method="", sex__in={sex, ""}, valid_from__lte=on)
    return {row.item: stored(row, known[row.item]) for row in rows.filter(Q(valid_until=None) | Q(valid_until__gte=on))}


def stored(row: ReferenceRange, item: Item) -> Limits:
    """The limits of a range in the stored unit of its item, by the dictionary's factor."""
    low, high = (None if limit is None else item.stored(limit, row.unit) for limit in (row.low, row.high))
    return Limits(low, high)


def measured(center: Center) -> list[Item]:
    """The items of the center's dictionary that a laboratory measures: numbers on a form that is dated by its sampling."""
    forms = [form for form in center.study.dictionary.forms if form.code == "laboratory"]
    return [item for form in forms for item in form.items if item.kind in ("number", "integer")]


def _check_unit(center: Center, code: str, unit: str) -> None:
    item = next((each for each in measured(center) if each.code == code), None)
    if item is None:
        raise ValidationError({"item": _("Choose a test of the list.")})
    if unit not in item.units:
        raise ValidationError({"unit": _("This test is measured in: %(units)s.") % {"units": ", ".join(item.units)}})


def _locked(row: ReferenceRange) -> ReferenceRange:
    return ReferenceRange.objects.select_for_update(of=("self",)).select_related("center").get(pk=row.pk)


def _save(row: ReferenceRange, *, by: User, action: str, reason: str = "") -> ReferenceRange:
    row.recorded_at, row.recorded_by = timezone.now(), by
    with audit.act(by=by, action=action, reason=reason, center=row.center.code):
        save_checked(row)
    return row
