"""What pages show of machine drafts: the one that waits, and the frame in which a box is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from imaging import drafts
from imaging.models import Draft, Instance, Series
from imaging.region_panels import spoken
from imaging.regions import UPLOAD
from studies.access import may


@dataclass(frozen=True)
class Frame:
    """The picture of a slice: pixels, and the height of one in widths; and how many slices there are."""

    columns: int
    rows: int
    count: int
    aspect: float

    @property
    def shape(self) -> str:
        """For the script that turns a place of the pointer into pixels."""
        return f"{self.columns} {self.rows} {self.aspect:.6f}"

    @property
    def sides(self) -> list[tuple[str, Promise, int]]:
        """The six numbers of a box: name of the field, word, and the largest."""
        return [
            ("left", _("left column"), self.columns), ("right", _("right column"), self.columns),
            ("top", _("top row"), self.rows), ("bottom", _("bottom row"), self.rows),
            ("first", _("first slice"), self.count), ("last", _("last slice"), self.count),
        ]  # fmt: skip


@dataclass(frozen=True)
class DraftView:
    """The draft of one series about which a reader has still to decide, if there is one; `frame` is None where no box may be drawn."""

    series: Series
    draft: Draft | None
    frame: Frame | None

    @property
    def sentences(self) -> list[str]:
        """Why nothing could be drafted."""
        return [spoken(finding) for finding in self.draft.findings] if self.draft else []


def draft_view(series: Series, user: User) -> DraftView | None:
    """The draft of a series, for who may decide about it; nothing for others."""
    return draft_views([series], user).get(series.pk)


def draft_views(several: Sequence[Series], user: User) -> dict[int, DraftView]:
    """The drafts of some series of one center, by key, in three questions to the database; nothing for who may not decide about them."""
    if not several or not may(user, UPLOAD, several[0].center):
        return {}
    waiting, firsts = drafts.of_all(several), _firsts(several)
    return {one.pk: DraftView(one, waiting.get(one.pk), _frame(one, firsts.get(one.pk))) for one in several}


def _firsts(several: Sequence[Series]) -> dict[int, Instance | None]:
    """One image of each series."""
    came = [one.pk for one in several if one.part_of_id is None]
    found = Instance.objects.filter(series__in=came).order_by("series_id", "pk").distinct("series_id")
    firsts: dict[int, Instance | None] = {one.series_id: one for one in found}
    return firsts | {one.pk: one.members.first() for one in several if one.part_of_id is not None}


def _frame(series: Series, first: Instance | None) -> Frame | None:
    """The frame of a series that has been judged."""
    if first is None or not (series.verdict and series.slice_count and first.frames and first.frames[0].get("pixel_spacing")):
        return None
    frame = first.frames[0]
    down, across = frame["pixel_spacing"]
    return Frame(frame["columns"], frame["rows"], series.slice_count or 0, down / across)
