"""The days in an outline's DICOM object, set when it leaves: shifted like every date of its participant (DI-04). Pure.

The worker writes the object without days; the web, which alone has the export key, puts them in without reading DICOM: both elements have a
fixed length and place.
"""

from datetime import date

NO_DAY = "19000101"
STUDY_DATE, CONTENT_DATE = b"\x08\x00\x20\x00DA\x08\x00", b"\x08\x00\x23\x00DA\x08\x00"
"""The elements (0008,0020) and (0008,0023) in explicit little endian, up to their value."""
_WITHIN = 4096  # bytes: group 0008 stands at the beginning


class NotOurs(ValueError):
    """This is no object that the platform's worker wrote."""


def dated(data: bytes, *, study_day: date | None, content_day: date) -> bytes:
    """The object with these (shifted) days. Raises NotOurs."""
    for element, day in ((STUDY_DATE, study_day), (CONTENT_DATE, content_day)):
        given = element + NO_DAY.encode()
        place = data.find(given, 0, _WITHIN)
        if place < 0:
            raise NotOurs
        text = NO_DAY if day is None else f"{day:%Y%m%d}"
        data = data[: place + len(element)] + text.encode() + data[place + len(given) :]
    return data
