"""What readers do with the phantoms: confirm the phases and hand in the outline of the tumour, through the write functions.

Done once per series, as soon as it was received; asked again, it goes on where it stopped.
"""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import SimpleITK as sitk

from accounts.models import User
from imaging import regions
from imaging.models import Roi, Series
from imaging.series import pick_phase
from prime_platform.demo import images, phantoms


def read() -> Iterator[str]:
    """Confirm and outline every phantom series that has arrived and was assessed; yields a sentence per series."""
    by = User.objects.get(username=f"coordinator{images.CENTER}")
    for number, patient in enumerate(images.patients(), start=1):
        for series in Series.objects.filter(participant=patient).exclude(verdict="").order_by("pk"):
            if not series.phase and series.phase_proposed:
                pick_phase(series=series, phase=series.phase_proposed, by=by)
            if not Roi.objects.filter(series=series).exists():
                regions.upload(series=series, file=outline(number), treatment_known=False, by=by, reader="SYNTHETIC")
                yield f"{patient.study_number}: phase confirmed and outline handed in"


def finished() -> bool:
    """Whether every phantom series has an outline."""
    wanted = len(phantoms.PHASES) * len(images.patients())
    return Roi.objects.filter(series__participant__in=images.patients()).count() >= wanted


def outline(patient: int) -> io.BytesIO:
    """The tumour of a phantom as a gzipped NIfTI file on the grid of its images."""
    mask = sitk.GetImageFromArray(phantoms.tumour(patient).astype("uint8"))
    mask.SetSpacing((phantoms.PIXEL_MM, phantoms.PIXEL_MM, phantoms.SLICE_MM))
    mask.SetOrigin(phantoms.origin(0))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tumour.nii.gz"
        sitk.WriteImage(mask, str(path))
        file = io.BytesIO(path.read_bytes())
    file.size = file.getbuffer().nbytes  # type: ignore[attr-defined] # what an uploaded file has
    return file
