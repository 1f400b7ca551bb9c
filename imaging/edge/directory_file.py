"""What a DICOMDIR lists (PS3.10 §8): the files of a disc, by the components of their names.

The names are from outside: a component that is not a plain file name of a disc is refused, and so is every way out of the disc.
"""

import re
from pathlib import Path

from pydicom import config, dcmread

MOST_BYTES = 256 * 2**20
_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
MOST_DEPTH = 8


class NoDirectory(Exception):
    """The file cannot be read as a DICOMDIR; the sentence says what to do."""


def listed(path: Path) -> list[tuple[str, ...]]:
    """The components of every file that the DICOMDIR at `path` names, in its order, each once."""
    if path.stat().st_size > MOST_BYTES:
        raise NoDirectory("The DICOMDIR is larger than 256 MiB; import the folder instead.")
    mode, config.settings.reading_validation_mode = config.settings.reading_validation_mode, config.IGNORE
    try:
        records = dcmread(path).DirectoryRecordSequence
        named = [_components(record.get("ReferencedFileID")) for record in records]
    except Exception:  # whatever a parser can stumble over in bytes from outside
        raise NoDirectory("The DICOMDIR cannot be read; import the folder instead.") from None
    finally:
        config.settings.reading_validation_mode = mode
    return list(dict.fromkeys(parts for parts in named if parts))


def _components(value: object) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)  # type: ignore[attr-defined]


def locate(base: Path, parts: tuple[str, ...]) -> Path | None:
    """The listed file below `base`, whatever the case and the `;1` of the disc's file system; None when it is not there."""
    if len(parts) > MOST_DEPTH or not all(_COMPONENT.fullmatch(part) for part in parts):
        return None
    place = base
    for part in parts:
        wanted = {part.lower(), f"{part.lower()};1", f"{part.lower()}.;1"}
        try:
            place = next(child for child in sorted(place.iterdir()) if child.name.lower() in wanted and not child.is_symlink())
        except (StopIteration, OSError):
            return None
    return place
