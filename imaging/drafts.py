"""A reader's box on a series, and what becomes of the outline that a machine drafts in it: taken as it is, corrected, or dropped.

A draft counts nowhere. It becomes an outline only through a reader, who says whether he knew the treatment, and by the same checks as every
uploaded file; what it came from stays written on the outline and in every DICOM file of it. An outline for comparison of readers never
comes from a draft: two readers who start from the same one agree with the machine.
"""

import io
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow, advance
from imaging import archive, regions
from imaging.models import Draft, Roi, Series
from imaging.series import series_for
from studies.access import require

OPEN = (Draft.State.ASKED, Draft.State.DRAFTED, Draft.State.FAILED)


def drafts_for(user: User) -> QuerySet[Draft]:
    """The drafts on the series that a person may see."""
    return Draft.objects.filter(series__in=series_for(user)).select_related("series__participant__study", "series__center", "object", "roi")


def of_series(series: Series) -> Draft | None:
    """The draft about which a reader has still to decide: nobody did, or what he handed in was refused."""
    return of_all([series]).get(series.pk)


def of_all(several: Sequence[Series]) -> dict[int, Draft]:
    """The same of some series, by their keys."""
    newest = Draft.objects.filter(series__in=[one.pk for one in several]).order_by("series_id", "-pk").distinct("series_id")
    return {one.series_id: one for one in newest.select_related("roi", "object", "series__participant") if _is_open(one)}


def _is_open(draft: Draft) -> bool:
    return draft.state in OPEN or (draft.state == Draft.State.TAKEN and draft.roi is not None and draft.roi.state == Roi.State.REFUSED)


@transaction.atomic
def ask(*, series: Series, box: Sequence[int | None], by: User) -> Draft:
    """Have what lies in a box (first slice, row, column, last slice, row, column, from 0) drafted; a box that waited is dropped.

    Raises ValidationError for a box that does not lie in the series, NotAllowedNow as an upload does.
    """
    require(by, regions.UPLOAD, series.center)
    series = Series.objects.select_for_update(of=("self",)).select_related("participant").get(pk=series.pk)
    regions.may_take(series)
    _check(series, box)
    with audit.act(by=by, action="draft.asked"):
        for other in series.drafts.filter(state__in=OPEN):
            advance(other, Draft.State.DROPPED, field="state").save(update_fields=["state"])
        return Draft.objects.create(series=series, revision=series.revision, box=list(box), asked_by=by)


@transaction.atomic
def accept(*, draft: Draft, by: User, **said: Any) -> Roi:
    """Hand a draft in as it is, as `reader`'s; `said` are `treatment_known`, `reader` and `reason` of `regions.upload`. Raises as that."""
    taken = _taken(draft, by)
    assert taken.object is not None  # noqa: S101 - draft_is_archived
    file = _Kept(archive.read(taken.object.sha256))
    return _linked(taken, regions.upload(series=draft.series, file=file, by=by, origin=Roi.Origin.DRAFT, **said), by)


@transaction.atomic
def correct(*, draft: Draft, by: User, **said: Any) -> Roi:
    """Hand in the file in which a reader corrected a draft; `said` are `accept`'s, `file` and `segment`. Raises as `regions.upload`."""
    return _linked(_taken(draft, by), regions.upload(series=draft.series, by=by, origin=Roi.Origin.CORRECTED, **said), by)


@transaction.atomic
def drop(*, draft: Draft, by: User) -> Draft:
    """Say that a draft is of no use; the reader draws by hand."""
    require(by, regions.UPLOAD, draft.series.center)
    dropped = advance(draft, Draft.State.DROPPED, field="state")
    if dropped.roi is not None and dropped.roi.state != Roi.State.REFUSED:
        raise NotAllowedNow(_("This draft was handed in meanwhile. Reload the page."))
    with audit.act(by=by, action="draft.dropped"):
        dropped.save(update_fields=["state"])
    return dropped


def _taken(draft: Draft, by: User) -> Draft:
    """The draft under lock, its new state set but not saved. Raises NotAllowedNow when somebody took it before."""
    require(by, regions.UPLOAD, draft.series.center)
    taken = advance(draft, Draft.State.TAKEN, field="state")
    if taken.roi is not None and taken.roi.state != Roi.State.REFUSED:
        raise NotAllowedNow(_("This draft was handed in meanwhile. Reload the page."))
    return taken


def _linked(taken: Draft, roi: Roi, by: User) -> Roi:
    taken.roi = roi
    with audit.act(by=by, action="draft.taken"):
        taken.full_clean()
        taken.save(update_fields=["state", "roi"])
    return roi


def _check(series: Series, box: Sequence[int | None]) -> None:
    """Raise ValidationError for numbers that are missing, inside out, or outside the series."""
    frame = series.members.first().frames[0]  # type: ignore[union-attr] # a series with a verdict has instances
    sizes = (series.slice_count or 0, frame["rows"], frame["columns"])
    words = (_("slice"), _("row"), _("column"))
    for word, low, high, size in zip(words, box[:3], box[3:], sizes, strict=True):
        if low is None or high is None:
            raise ValidationError(_("Draw the box on a slice, or type all six numbers."))
        if not 0 <= low <= high < size:
            said = {"word": word, "low": low + 1, "high": high + 1, "size": size}
            raise ValidationError(_("The box reaches from %(word)s %(low)d to %(high)d; the series has 1 to %(size)d.") % said)


class _Kept(io.BytesIO):
    """Bytes of the archive as a file of a form."""

    @property
    def size(self) -> int:
        return len(self.getbuffer())
