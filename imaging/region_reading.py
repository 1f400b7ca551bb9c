"""A reader's file becomes a mask on the voxels of its series, or sentences that say why it does not. Pure.

Nothing is resampled: a segmentation's voxels must lie on the image's, a structure set's contours in the image's slices. Where a file holds
several regions the reader names one; the platform never guesses.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError

from imaging import contours, region_files, segmentation, structure_set
from imaging.malformed import DAMAGED
from imaging.radiomics_grid import beside
from imaging.radiomics_refusal import Refused, Sentence
from imaging.region_files import Kind
from imaging.segmentation import Plane, Segmentation
from imaging.structure_set import Structure
from imaging.volumes import Alignment, Volume, alignment, read_mask

LABEL = 1
"""The label of the tumour in a mask that holds one region, and in every mask that the platform keeps."""
OFF_SLICE, OFF_SLICE_FLOOR = 0.10, 0.10  # of the slice spacing, and mm: contour points are often rounded to 0.1 mm
_WORDS = (
    ("肿瘤 tumour", r"tumou?r|lesion|hcc|\bgtv|neoplas|\bmass|nodul|cancer|carcino|肿瘤|病灶|结节|肿物|癌"),
    ("肝 liver", r"liver|hepat|肝"),
    ("血管 vessel", r"vein|vessel|arter|aorta|血管|静脉|动脉"),
    ("体表 body", r"\bbody|external|skin|体表"),
)
_MOST_LISTED = 20


@dataclass(frozen=True)
class Reading:
    """A file held against a series: the mask on its grid (label 1) or the findings that say why not; `sources` are the images it names."""

    held: Alignment
    sources: tuple[str, ...] = ()


def read(path: Path, kind: Kind, volume: Volume, chosen: int | None) -> Reading:
    """Hold a file of this kind against a series; `chosen` is the number of the region where it holds several. Raises Refused."""
    if kind is Kind.DICOM:
        return _dicom(path, volume, chosen)
    if kind is Kind.NRRD and region_files.names_another_file(path.read_bytes()):
        raise Refused(Sentence("detached", "The NRRD header leads to another file. Save header and voxels in one file (.nrrd)."))
    labels = read_mask(path)
    if chosen not in (None, LABEL):
        labels = sitk.Cast(labels == chosen, sitk.sitkUInt32)
    return Reading(alignment(labels, volume.image))


@contextmanager
def _undamaged() -> Iterator[None]:
    """Read within this what a stranger wrote: whatever pydicom stumbles over, however late, is a refusal."""
    try:
        yield
    except Refused:
        raise  # it is a ValueError itself, and knows more
    except (InvalidDicomError, BytesLengthException, RecursionError, *DAMAGED) as error:
        raise Refused(Sentence("dicom_damaged", "The DICOM file is damaged; export it again.")) from error


def _dicom(path: Path, volume: Volume, chosen: int | None) -> Reading:
    with _undamaged():
        dataset = pydicom.dcmread(io.BytesIO(path.read_bytes()))  # of a file, an element said to have 4 GiB would be given room for them
        sop_class = str(dataset.get("SOPClassUID", ""))
    if sop_class in segmentation.SOP_CLASSES:
        return _segmentation(dataset, volume, chosen)
    if sop_class == structure_set.SOP_CLASS:
        with _undamaged():
            structures = structure_set.read(dataset)
        return _structures(structures, volume, chosen)
    raise Refused(Sentence("dicom_other", "This DICOM file holds no outline: send a segmentation (SEG) or a structure set (RTSTRUCT)."))


def _segmentation(dataset: pydicom.Dataset, volume: Volume, chosen: int | None) -> Reading:
    with _undamaged():
        held = Segmentation(dataset)
        planes = {number: held.planes(number) for number in held.numbers if chosen in (None, number)}
    sizes = {number: sum(_millilitres(plane) for plane in of) for number, of in planes.items() if of}
    number = _only(sizes, held.labels, chosen, held.numbers)
    return _placed(planes[number], volume)


def _structures(structures: Sequence[Structure], volume: Volume, chosen: int | None) -> Reading:
    marked = {one.number: one for one in structures}
    sizes = {number: _area(one) * volume.image.GetSpacing()[2] / 1000 for number, one in marked.items()}
    number = _only(sizes, {one.number: one.name for one in structures}, chosen, list(marked))
    return _filled(marked[number], volume)


def _only(sizes: dict[int, float], names: dict[int, str], chosen: int | None, known: Sequence[int]) -> int:
    """The region that is meant: the chosen one, or the only one that marks anything."""
    if not sizes and chosen is None:
        raise Refused(Sentence("empty", "The mask is empty: nothing is marked."))
    if chosen is None and len(sizes) > 1:
        listed = "; ".join(f"{number}: {_word(names.get(number, ''))}{sizes[number]:.2f} mL" for number in sorted(sizes)[:_MOST_LISTED])
        text = "The file holds %(count)d regions (%(listed)s). Send it again with the number of the tumour."
        raise Refused(Sentence("several_regions", text, {"count": len(sizes), "listed": listed}))
    number = next(iter(sizes), None) if chosen is None else chosen
    if number not in sizes:
        text = "Region %(number)d marks nothing in this file; it holds %(present)s."
        raise Refused(Sentence("no_such_region", text, {"number": number or 0, "present": ", ".join(map(str, sorted(sizes or known)))}))
    return number


def _word(name: str) -> str:
    """What a region is, of a closed list: its name itself may be a person's and is not repeated."""
    said = next((word for word, pattern in _WORDS if re.search(pattern, name.lower())), "")
    return f"{said} " if said else ""


def _millilitres(plane: Plane) -> float:
    return float(np.count_nonzero(plane.marked)) * plane.spacing[0] * plane.spacing[1] * (plane.between or 1.0) / 1000


def _area(structure: Structure) -> float:
    """The area in mm² that the contours enclose, each on its own (a hole counts as one more: this is only shown to tell regions apart)."""
    total = 0.0
    for contour in structure.contours:
        edges = np.cross(contour.points, np.roll(contour.points, -1, axis=0)).sum(axis=0)
        total += float(np.linalg.norm(edges)) / 2
    return total


def _placed(planes: Sequence[Plane], volume: Volume) -> Reading:
    """Put a segmentation's pictures on the voxels that they lie on."""
    image = volume.image
    points = np.concatenate([_points(plane) for plane in planes])
    places, apart, findings = beside(points, _cell(planes), image)
    sources = tuple(dict.fromkeys(uid for plane in planes for uid in plane.sources))
    if not findings:
        counts = [int(np.count_nonzero(plane.marked)) for plane in planes]
        slices = np.split(places[:, 2], np.cumsum(counts)[:-1])
        findings = _named_slices([(plane.sources, {int(k) for k in found}) for plane, found in zip(planes, slices, strict=True)], volume)
    if findings:
        return Reading(Alignment(None, findings, apart_mm=apart), sources)
    voxels = np.zeros(image.GetSize()[::-1], dtype=np.uint32)
    voxels[places[:, 2], places[:, 1], places[:, 0]] = LABEL
    return Reading(Alignment(_on_grid(voxels, image), apart_mm=apart), sources)


def _points(plane: Plane) -> NDArray[np.float64]:
    """The centres of a picture's marked pixels, in LPS mm."""
    marked = np.argwhere(plane.marked).astype(np.float64)
    along, down = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])
    steps = marked[:, 1:] * plane.spacing[1] * along + marked[:, :1] * plane.spacing[0] * down
    return np.asarray(np.array(plane.position) + steps, dtype=np.float64)


def _cell(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """What one step along a picture's columns, rows and to the next picture moves in mm, as columns (3, 3)."""
    first = planes[0]
    along, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    normal = np.cross(along, down)
    levels = np.unique(np.round([np.array(plane.position) @ normal for plane in planes], 3))
    between = first.between or (float(np.diff(levels).min()) if len(levels) > 1 else 0.0)
    return np.stack([along * first.spacing[1], down * first.spacing[0], normal * between], axis=1)


def _filled(structure: Structure, volume: Volume) -> Reading:
    """Fill a structure's contours in the slices that they lie in."""
    image = volume.image
    columns, rows, count = image.GetSize()
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    sources = tuple(dict.fromkeys(uid for contour in structure.contours for uid in contour.sources))
    drawn: dict[int, list[NDArray[np.float64]]] = {}
    off, named = 0.0, []
    for contour in structure.contours:
        places = np.linalg.solve(axes, (contour.points - np.array(image.GetOrigin())).T).T
        level = round(float(places[:, 2].mean()))
        off = max(off, float(np.abs(places[:, 2] - level).max()) * image.GetSpacing()[2])
        drawn.setdefault(level, []).append(places[:, :2])
        named.append((contour.sources, {level}))
    findings = _contour_findings(off, sorted(drawn), image) or _named_slices(named, volume)
    if findings:
        return Reading(Alignment(None, findings, apart_mm=off), sources)
    voxels = np.zeros((count, rows, columns), dtype=np.uint32)
    for level, ways in drawn.items():
        voxels[level][contours.fill(ways, rows, columns)] = LABEL
    if not voxels.any():
        raise Refused(Sentence("empty", "The mask is empty: nothing is marked."))
    return Reading(Alignment(_on_grid(voxels, image), apart_mm=off), sources)


def _contour_findings(off: float, levels: Sequence[int], image: sitk.Image) -> tuple[Sentence, ...]:
    spacing, count = image.GetSpacing()[2], image.GetSize()[2]
    if levels[0] < 0 or levels[-1] >= count:
        text = "A contour lies %(mm).1f mm above or below the image."
        return (Sentence("contour_outside", text, {"mm": max(-levels[0], levels[-1] - count + 1) * spacing}),)
    allowed = max(OFF_SLICE * spacing, OFF_SLICE_FLOOR)
    if off > allowed:
        text = "A contour lies %(mm).2f mm beside the nearest slice; %(allowed).2f mm is allowed."
        return (Sentence("contour_off", text, {"mm": off, "allowed": allowed}),)
    step = int(np.median(np.diff(levels))) if len(levels) > 1 else 1
    if step > 1:
        text = "The contours lie %(mm).1f mm apart, the slices %(spacing).1f mm: they were drawn on another reconstruction."
        return (Sentence("contour_steps", text, {"mm": step * spacing, "spacing": spacing}),)
    return ()


def _named_slices(drawn: Sequence[tuple[tuple[str, ...], set[int]]], volume: Volume) -> tuple[Sentence, ...]:
    """Whether every picture or contour that names an image of this series lies on its slice; images of elsewhere are another's to judge."""
    place = {uid: k for k, uid in enumerate(volume.instances)}
    wrong = sum(1 for sources, levels in drawn if (named := {place[uid] for uid in sources if uid in place}) and named.isdisjoint(levels))
    if not wrong:
        return ()
    text = "%(count)d of %(all)d parts of the outline name another slice than the one they lie on; export it again."
    return (Sentence("wrong_slices", text, {"count": wrong, "all": len(drawn)}),)


def _on_grid(voxels: NDArray[np.uint32], image: sitk.Image) -> sitk.Image:
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(image)
    return mask
