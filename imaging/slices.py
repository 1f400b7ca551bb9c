"""Key slices: a few evenly spaced slices of a series, drawn once by the worker into PNG files that the web only hands out."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from imaging import archive, parsing
from imaging.geometry import Geometry, sides
from imaging.models import ArchivedObject, Instance, KeySlice, Series
from imaging.parsing import Drawing
from imaging.windows import WHOLE

HOW_MANY = 9


@dataclass(frozen=True)
class Chosen:
    """One slice to draw: where it lies in the stack (1 … n, mm along the normal) and the frame of the instance that holds it."""

    place: int
    position: float | None
    instance: Instance
    frame: int


def choose(count: int, wanted: int = HOW_MANY) -> list[int]:
    """Indices (0 … count−1) of at most `wanted` slices: the middles of equal parts of the stack, so never its empty ends."""
    wanted = min(count, wanted)
    return [int((2 * i + 1) * count / (2 * wanted)) for i in range(wanted)]


def draw(series: Series, geometry: Geometry, instances: Sequence[Instance]) -> None:
    """Draw and keep the key slices of the series' present revision. Raises parsing.Unparseable, ParserStopped, archive.ArchiveFault."""
    _draw(series, dict(enumerate(_chosen(geometry, instances, choose(len(geometry.order))))))


def draw_places(series: Series, geometry: Geometry, instances: Sequence[Instance], places: Collection[int]) -> None:
    """Draw further slices, by their place (1 … n), of the series' present revision, where none is drawn yet. Raises as `draw`."""
    drawn = set(series.key_slices.filter(revision=series.revision).exclude(window=WHOLE).values_list("place", flat=True))
    wanted = [place for place in sorted(places) if place not in drawn]
    _draw(series, {HOW_MANY + one.place: one for one in _chosen(geometry, instances, [place - 1 for place in wanted])})


def draw_all(series: Series, geometry: Geometry, instances: Sequence[Instance]) -> None:
    """Keep the values of every slice of the series' present revision for the viewer. Raises as `draw`."""
    everything = _chosen(geometry, instances, range(len(geometry.order)))
    _draw(series, {one.place: one for one in everything}, whole=True)


def _draw(series: Series, indexed: Mapping[int, Chosen], *, whole: bool = False) -> None:
    chosen = list(indexed.values())
    for one in chosen:
        archive.read(one.instance.object.sha256)  # only verified bytes are decoded
    with archive.workplace(f"slices-{series.pk}") as directory:
        files = [(archive.locate(one.instance.object.sha256), one.frame) for one in chosen]
        for (index, one), drawings in zip(indexed.items(), parsing.draw(files, directory, whole=whole), strict=True):
            for drawing in drawings:
                _keep(series, index, one, drawing)


def key(instance: Instance, frame: int) -> str:
    """The name of one slice in `geometry`: instance and frame."""
    return f"{instance.pk:020d}:{frame:05d}"


def _chosen(geometry: Geometry, instances: Sequence[Instance], picked: Sequence[int]) -> list[Chosen]:
    held = {key(instance, frame): (instance, frame) for instance in instances for frame in range(len(instance.frames))}
    positions = geometry.positions or (None,) * len(geometry.order)
    return [Chosen(i + 1, positions[i], *held[geometry.order[i]]) for i in picked]


def _keep(series: Series, index: int, chosen: Chosen, drawing: Drawing) -> None:
    sha256 = hashlib.sha256(drawing.file.read_bytes()).hexdigest()
    archive.put(drawing.file, sha256)
    kept, _ = ArchivedObject.objects.get_or_create(
        sha256=sha256, defaults={"size": drawing.file.stat().st_size, "media_type": ArchivedObject.MediaType.PNG}
    )
    orientation = chosen.instance.frames[chosen.frame]["orientation"]
    left, right = sides(orientation) if orientation and len(orientation) == 6 else ("", "")
    KeySlice.objects.get_or_create(
        series=series, revision=series.revision, index=index, window=drawing.window,
        defaults={
            "place": chosen.place, "position_mm": chosen.position, "window_width": drawing.width, "window_center": drawing.center,
            "side_left": left, "side_right": right, "object": kept,
        },
    )  # fmt: skip
