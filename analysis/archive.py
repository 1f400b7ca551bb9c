"""Files that leave together: a ZIP with their checksums, the same for the same files. Pure."""

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256

_ALWAYS = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of the files by name, with `SHA256SUMS` as `sha256sum -c` reads it; the same files give the same bytes."""
    held = sorted(files.items())
    sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in held).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in [*held, ("SHA256SUMS", sums)]:
            into.writestr(zipfile.ZipInfo(name, date_time=_ALWAYS), content)
    return packed.getvalue()
