"""What a reader of the committee is shown of a case: examinations by day after surgery, pictures of them, nothing else (EP-12, BL-06).

No study number, center or date, no finding of the site, no treatment. Angiograms and biopsies are left out: that there is one tells the
treatment or the site's suspicion.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from uuid import UUID

from django.db.models import F, Prefetch

from followup.models import AdjudicationCase, Assessment, ResponseCase
from followup.vocabulary import Modality
from imaging.models import KeySlice, Series
from imaging.windows import WHOLE
from studies.models import Participant

SHOWN = {Modality.CT: "CT", Modality.MR: "MR", Modality.PET: "PT", Modality.ULTRASOUND: "US"}
"""The examinations that a package holds, with DICOM's name for them."""
MEASURED = (SHOWN[Modality.CT], SHOWN[Modality.MR])
"""The examinations on which what enhances in the arterial phase is measured."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawn slice: its public key, and its place in the stack."""

    uuid: UUID
    place: int
    of: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """An examination on a day after surgery (before it: negative), with one list of pictures for each series that came."""

    day: int
    modality: str
    series: tuple[tuple[Picture, ...], ...] = ()

    @property
    def label(self) -> str:
        """The examination in the reader's language."""
        return str(Modality({dicom: code for code, dicom in SHOWN.items()}[self.modality]).label)


@dataclass(frozen=True, slots=True)
class Package:
    """A whole case: its code, on which day after surgery it was closed, and its examinations in order."""

    code: str
    closed_day: int
    looks: tuple[Look, ...]

    @property
    def days(self) -> list[int]:
        """The days after surgery on which something was examined."""
        return sorted({look.day for look in self.looks if look.day > 0})

    def picture(self, uuid: UUID) -> bool:
        """Whether a picture belongs to the case."""
        return any(uuid == each.uuid for look in self.looks for one in look.series for each in one)


def package_of(case: AdjudicationCase) -> Package:
    """The package of a case, in three queries; `case` comes with its participant's screening."""
    surgery = case.participant.screening.surgery_date
    return Package(case.code, (case.cutoff - surgery).days, looks_of(case.participant, case.cutoff))


def response_package_of(case: ResponseCase) -> Package:
    """The same for the response at a scan: CT and MRI on its days and nothing else."""
    surgery = case.participant.screening.surgery_date
    days = {(on - surgery).days for on in (case.baseline_on, *case.between, case.scan_on)}
    looks = (look for look in looks_of(case.participant, case.scan_on) if look.day in days and look.modality in MEASURED)
    return Package(case.code, (case.scan_on - surgery).days, tuple(looks))


def looks_of(participant: Participant, until: date) -> tuple[Look, ...]:
    """What was examined of a participant up to a day, in order; he comes with his screening."""
    surgery = participant.screening.surgery_date
    pictures: dict[tuple[int, str], list[tuple[Picture, ...]]] = {}
    for series in _series(participant, until):
        day = (series.imaging_study.study_date - surgery).days
        pictures.setdefault((day, series.modality), []).append(_pictures(series))
    asked = Assessment.objects.in_force().filter(participant=participant, on__lte=until, modality__in=SHOWN)
    for on, modality in asked.values_list("on", "modality"):
        pictures.setdefault(((on - surgery).days, SHOWN[Modality(modality)]), [])
    return tuple(Look(day, modality, tuple(filter(None, found))) for (day, modality), found in sorted(pictures.items()))


def _series(participant: Participant, until: date) -> Iterable[Series]:
    drawn = KeySlice.objects.filter(revision=F("series__assessed_revision")).exclude(window=WHOLE).order_by("window", "place", "pk")
    known = Series.objects.filter(participant=participant, imaging_study__study_date__lte=until, modality__in=SHOWN.values())
    return known.select_related("imaging_study").prefetch_related(Prefetch("key_slices", drawn, to_attr="drawn")).order_by("pk")


def _pictures(series: Series) -> tuple[Picture, ...]:
    """Through the first window only: a series is drawn once through each."""
    for _window, slices in groupby(series.drawn, key=lambda each: each.window):
        return tuple(Picture(each.uuid, each.place, series.slice_count) for each in slices)
    return ()
