"""What an RT Structure Set outlines (PS3.3 A.19): its regions, and each one's closed contours in the patient. Pure."""

from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray

from imaging.radiomics_refusal import Refused, Sentence

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
CLOSED = ("CLOSED_PLANAR", "CLOSED_PLANAR_XOR", "CLOSEDPLANAR_XOR")
"""Contours that enclose an area; points and open lines enclose none and are passed over."""
_DAMAGED = Sentence("structure_set_damaged", "The structure set is damaged or incomplete; export it again.")


@dataclass(frozen=True)
class Contour:
    """Corners (n, 3) in LPS mm, joined to a closed line, and the SOP Instance UIDs of the images that it was drawn on."""

    points: NDArray[np.float64]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Structure:
    """One region: its number, the name that its author gave it (never shown or kept), and its closed contours."""

    number: int
    name: str
    contours: tuple[Contour, ...]


def read(dataset: pydicom.Dataset) -> list[Structure]:
    """The regions of a structure set that enclose anything, in their order. Raises Refused for a damaged one."""
    try:
        names = {int(item.ROINumber): str(item.get("ROIName", "")) for item in dataset.StructureSetROISequence}
        found = [
            Structure(int(item.ReferencedROINumber), names.get(int(item.ReferencedROINumber), ""), _contours(item))
            for item in dataset.get("ROIContourSequence") or []
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise Refused(_DAMAGED) from error
    return [one for one in found if one.contours]


def _contours(item: pydicom.Dataset) -> tuple[Contour, ...]:
    found = []
    for contour in item.get("ContourSequence") or []:
        if contour.get("ContourGeometricType") not in CLOSED:
            continue
        points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        if not np.isfinite(points).all():
            raise Refused(_DAMAGED)
        if len(points) > 2:
            sources = tuple(str(image.ReferencedSOPInstanceUID) for image in contour.get("ContourImageSequence") or [])
            found.append(Contour(points, sources))
    return tuple(found)
