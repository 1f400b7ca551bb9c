"""The order of a scanned PDF's pages: which picture is page 1. Pure.

The pictures lie in a file in any order; only the page tree says which page shows which. A box that is meant for page 2 must not cover
page 1, so what this module cannot follow is not used.
"""

import re
import zlib
from collections.abc import Iterator

_OBJECT = re.compile(rb"(?<![0-9])(\d{1,8})\s+\d{1,5}\s+obj\b")
_REFERENCE = re.compile(rb"(\d{1,8})\s+\d{1,5}\s+R\b")
_KIDS = re.compile(rb"/Kids\s*\[([^\]]*)\]")
_PAGES, _PAGE = re.compile(rb"/Type\s*/Pages\b"), re.compile(rb"/Type\s*/Page\b(?!s)")
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_MOST = 2**22  # bytes of an unpacked object stream: more than a page tree takes
_MOST_OBJECTS, _LONGEST = 4000, 2**14  # far more than twenty scanned pages have, and than one of them takes
_DEEP = 32


class NoOrder(ValueError):
    """The page tree cannot be followed, or a page shows no picture or several."""


def pictures_in_order(data: bytes, pictures: dict[int, bytes]) -> list[bytes]:
    """The pictures (number of the object → bytes) in the order of the pages. Raises NoOrder."""
    objects = dict(_objects(data))
    roots = [body for body in objects.values() if _PAGES.search(body) and b"/Parent" not in body]
    if len(roots) != 1:
        raise NoOrder
    shown = [_shown(page, objects, pictures) for page in _pages(roots[0], objects, _DEEP)]
    if len(set(shown)) != len(shown):
        raise NoOrder
    return [pictures[number] for number in shown]


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and dictionary of every object, those packed in object streams too; the last of a number counts."""
    for count, found in enumerate(_OBJECT.finditer(data)):
        if count > _MOST_OBJECTS:
            raise NoOrder
        end = min(place for word in (b"endobj", b"stream") if (place := data.find(word, found.end())) >= 0 or word == b"endobj")
        body = data[found.end() : min(end if end >= 0 else len(data), found.end() + _LONGEST)]
        yield int(found[1]), body
        if b"/ObjStm" in body:
            yield from _packed(data, found.end())


def _packed(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    begin = _STREAM.search(data, start)
    first = re.search(rb"/First\s+(\d{1,8})", data[start : begin.start()]) if begin else None
    if begin is None or first is None:
        raise NoOrder
    try:
        unpacked = zlib.decompressobj().decompress(data[begin.end() : data.find(b"endstream", begin.end())], _MOST)
        heads = [int(part) for part in unpacked[: int(first[1])].split()]
    except (zlib.error, ValueError):
        raise NoOrder from None
    places = [int(first[1]) + place for place in heads[1::2]]
    for number, place, end in zip(heads[::2], places, [*places[1:], len(unpacked)], strict=False):
        yield number, unpacked[place:end]


def _pages(node: bytes, objects: dict[int, bytes], deep: int) -> Iterator[bytes]:
    kids = _KIDS.search(node)
    if kids is None or not deep:
        raise NoOrder
    for reference in _REFERENCE.finditer(kids[1]):
        kid = objects.get(int(reference[1]), b"")
        if _PAGE.search(kid):
            yield kid
        elif _PAGES.search(kid):
            yield from _pages(kid, objects, deep - 1)
        else:
            raise NoOrder


def _shown(page: bytes, objects: dict[int, bytes], pictures: dict[int, bytes]) -> int:
    """The one picture that a page refers to, itself or through its resources."""
    near = {int(each[1]) for each in _REFERENCE.finditer(page)}
    for key in (rb"/Resources\s+", rb"/XObject\s+"):
        bodies = [page, *(objects.get(number, b"") for number in near)]
        named = [re.search(key + _REFERENCE.pattern, body) for body in bodies]
        near |= {int(each[1]) for found in named if found for each in _REFERENCE.finditer(objects.get(int(found[1]), b""))}
    found = near & pictures.keys()
    if len(found) != 1:
        raise NoOrder
    return found.pop()
