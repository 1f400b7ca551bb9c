"""What a DICOM Segmentation object marks (PS3.3 A.51): its segments, and each one's pictures with their place in the patient. Pure.

A voxel of a fractional segmentation is marked from half of the maximum fractional value on, whether it is a probability or an occupancy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

from imaging.radiomics_refusal import Refused, Sentence

SOP_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""
HALF = 0.5
_DAMAGED = Sentence("segmentation_damaged", "The segmentation object is damaged or incomplete; export it again.")
_FLAT = Sentence("segmentation_flat", "The segmentation does not say where its pictures lie in the patient; it was not drawn on CT or MR.")


@dataclass(frozen=True)
class Plane:
    """One picture of a segment: marked pixels (rows, columns), place and direction in LPS mm, pixel spacing (row, column) in mm.

    `sources` are the SOP Instance UIDs of the images that it was drawn on, `between` the distance to the next picture in mm.
    """

    marked: NDArray[np.bool_]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    between: float | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """Where one frame of the object belongs: its place in the pixel data, its segment (None in a label map), and its plane's header."""

    index: int
    segment: int | None
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    between: float | None
    sources: tuple[str, ...]


class Segmentation:
    """A segmentation object whose pixels are decoded segment by segment. Raises Refused for what cannot be read."""

    def __init__(self, dataset: pydicom.Dataset) -> None:
        self.dataset = dataset
        try:
            self.numbers = [int(item.get("SegmentNumber", 0)) for item in dataset.SegmentSequence if item.get("SegmentNumber")]
            self.labels = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")) for item in dataset.SegmentSequence}
            self.frames = list(_frames(dataset))
        except Refused:
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise Refused(_DAMAGED) from error

    def planes(self, number: int) -> list[Plane]:
        """The pictures of one segment that mark anything."""
        found = []
        for frame in self.frames:
            if frame.segment not in (None, number):
                continue
            marked = self._marked(frame, number)
            if marked.any():
                found.append(
                    Plane(marked, frame.position, frame.orientation, frame.spacing, frame.between, frame.sources)
                )  # fmt: skip
        return found

    def _marked(self, frame: Frame, number: int) -> NDArray[np.bool_]:
        try:
            stored = np.asarray(pixel_array(self.dataset, index=frame.index))
        except (AttributeError, KeyError, RuntimeError, ValueError, IndexError) as error:
            raise Refused(_DAMAGED) from error
        match self.dataset.get("SegmentationType"):
            case "BINARY":
                marked = stored > 0
            case "LABELMAP":
                marked = stored == number
            case "FRACTIONAL":
                marked = stored >= HALF * float(self.dataset.get("MaximumFractionalValue") or 1)
            case _:
                raise Refused(_DAMAGED)
        return np.asarray(marked, dtype=np.bool_)


def _frames(dataset: pydicom.Dataset) -> Iterator[Frame]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    for index, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        group = _Group(own, shared)
        position, orientation = group.first("PlanePositionSequence"), group.first("PlaneOrientationSequence")
        measures, segment = group.first("PixelMeasuresSequence"), group.first("SegmentIdentificationSequence")
        if position is None or orientation is None or measures is None:
            raise Refused(_FLAT)
        yield Frame(
            index=index,
            segment=None if segment is None else int(segment.ReferencedSegmentNumber),
            position=_numbers(position.ImagePositionPatient),
            orientation=_numbers(orientation.ImageOrientationPatient),
            spacing=_numbers(measures.PixelSpacing),
            between=float(measures.SpacingBetweenSlices) if measures.get("SpacingBetweenSlices") else None,
            sources=tuple(
                str(image.ReferencedSOPInstanceUID)
                for item in group.all("DerivationImageSequence")
                for image in item.get("SourceImageSequence") or []
            ),
        )


class _Group:
    """The functional groups of one frame: its own, else the shared ones."""

    def __init__(self, own: pydicom.Dataset, shared: pydicom.Dataset) -> None:
        self.levels = (own, shared)

    def all(self, name: str) -> list[pydicom.Dataset]:
        return next((list(level[name].value) for level in self.levels if name in level), [])

    def first(self, name: str) -> pydicom.Dataset | None:
        return next(iter(self.all(name)), None)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
