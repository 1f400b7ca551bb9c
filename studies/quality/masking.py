"""Pictures of a hospital's record as they may be kept: what a person marked is painted over, and nothing but the pixels stays. Pure.

JPEG, PNG, and PDF files whose every page is one JPEG picture, as a scanner or a telephone makes them. The picture is turned upright,
covered, and encoded anew, so that position, camera and every other note in the file are gone.
"""

import io
import re
import warnings
import zlib
from dataclasses import dataclass
from decimal import Decimal

from PIL import Image, ImageDraw, ImageOps

from studies.quality import page_tree

LARGEST = 20 * 2**20  # bytes of an upload
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 3000
MOST_PAGES = 20
MOST_BOXES = 100
_BOX = re.compile(r"(?:(?P<page>\d{1,3})\s*[:：])?\s*(?P<box>\d+(?:\.\d+)?(?:[\s,，]+\d+(?:\.\d+)?){3})", re.ASCII)
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_NUMBER = re.compile(rb"(\d{1,8})\s+\d{1,5}\s+obj\b")


class Unusable(ValueError):
    """A file or a mark cannot be used; `code` says why (see `studies.quality.source_images.SENTENCES`)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a page to be covered, in hundredths of its width and height."""

    left: Decimal
    top: Decimal
    right: Decimal
    bottom: Decimal


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as it may be kept."""

    data: bytes
    media_type: str
    width: int
    height: int


def read_boxes(text: str) -> dict[int, list[Box]]:
    """The boxes by page, one a line: `left top right bottom` in per cent, `2: …` for page 2. Raises Unusable."""
    found: dict[int, list[Box]] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_BOXES:
        raise Unusable("boxes")
    for line in lines:
        said = _BOX.fullmatch(line)
        if said is None:
            raise Unusable("boxes")
        left, top, right, bottom = (Decimal(part) for part in re.split(r"[\s,，]+", said["box"]))
        if not (0 <= left < right <= 100 and 0 <= top < bottom <= 100):
            raise Unusable("boxes")
        found.setdefault(int(said["page"] or 1), []).append(Box(left, top, right, bottom))
    return found


def pages(data: bytes) -> list[bytes]:
    """The pictures in a file, one a page. Raises Unusable for another kind of file, or a PDF whose pages are not pictures."""
    if len(data) > LARGEST:
        raise Unusable("size")
    if data.startswith(b"\xff\xd8\xff") or data.startswith(b"\x89PNG\r\n\x1a\n"):
        return [data]
    if data.startswith(b"%PDF-"):
        return _pages_of_pdf(data)
    raise Unusable("kind")


def covered(data: bytes, boxes: list[Box]) -> Picture:
    """The picture upright, with every box painted black, encoded anew without any note of the file. Raises Unusable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise Unusable("pixels")
                kind = "PNG" if opened.format == "PNG" else "JPEG"
                upright = _upright(opened)
    except Unusable:
        raise
    except Exception:
        raise Unusable("broken") from None
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    brush = ImageDraw.Draw(upright)
    for box in boxes:
        brush.rectangle(_pixels(box, upright.width, upright.height), fill=(0, 0, 0))
    written = io.BytesIO()
    upright.save(written, format=kind, **({"quality": 85} if kind == "JPEG" else {"optimize": True}))
    return Picture(written.getvalue(), f"image/{kind.lower()}", upright.width, upright.height)


def _upright(opened: Image.Image) -> Image.Image:
    """A fresh picture of the pixels alone, on white where it was transparent."""
    turned = ImageOps.exif_transpose(opened) or opened
    layer = turned.convert("RGBA")
    plain = Image.new("RGB", layer.size, (255, 255, 255))
    plain.paste(layer, mask=layer.getchannel("A"))
    return plain


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """A box in pixels, rounded outwards, so that nothing of what was marked shows at its edge."""
    left, top = (int(part * side / 100) for part, side in ((box.left, width), (box.top, height)))
    right, bottom = (-int(-part * side // 100) for part, side in ((box.right, width), (box.bottom, height)))
    return left, top, max(right, left), max(bottom, top)


def _pages_of_pdf(data: bytes) -> list[bytes]:
    plain = data + b"".join(_object_streams(data))
    if b"/Encrypt" in plain:
        raise Unusable("encrypted")
    if re.search(rb"/Font\b", plain):
        raise Unusable("text_pdf")
    count = len(re.findall(rb"/Type\s*/Page\b(?!s)", plain))
    pictures = _jpegs(data)
    if not pictures or len(pictures) != count:
        raise Unusable("pages_pdf")
    if count > MOST_PAGES:
        raise Unusable("many_pages")
    if count == 1:
        return list(pictures.values())
    try:
        return page_tree.pictures_in_order(data, pictures)
    except page_tree.NoOrder:
        raise Unusable("pages_pdf") from None


def _streams(data: bytes) -> list[tuple[bytes, bytes]]:
    """The dictionary and the bytes of every stream of a PDF."""
    found = []
    for start in _STREAM.finditer(data):
        end = data.find(b"endstream", start.end())
        head = data[max(data.rfind(b" obj", 0, start.start()) - 16, 0) : start.start()]
        if end > 0:
            found.append((head, data[start.end() : end]))
    return found


def _jpegs(data: bytes) -> dict[int, bytes]:
    """The JPEG pictures by the number of their object."""
    found = {}
    for head, body in _streams(data):
        number = _NUMBER.search(head)
        if number and re.search(rb"/Filter\s*\[?\s*/DCTDecode\s*\]?", head) and body.startswith(b"\xff\xd8\xff"):
            found[int(number[1])] = body
    return found


def _object_streams(data: bytes) -> list[bytes]:
    """What is packed in object streams, where pages and fonts may hide; what is larger than a page tree can be is left."""
    unpacked = []
    for head, body in _streams(data):
        if b"/ObjStm" in head:
            try:
                unpacked.append(zlib.decompressobj().decompress(body, 2**22))
            except zlib.error:
                raise Unusable("broken") from None
    return unpacked
