"""A table that somebody sends, laid down as a file for as long as it is read: nothing of the file itself is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.uploadedfile import UploadedFile

from studies.exchange import tabular
from studies.exchange.faults import Refused


@contextmanager
def laid_down(sent: UploadedFile) -> Iterator[Path]:
    """The upload as a file; of its name only the suffix of a tabbed text stays. Raises Refused when it is too large."""
    if (sent.size or 0) > tabular.LARGEST:
        raise Refused("too_large", size=(sent.size or 0) // 2**20, most=tabular.LARGEST // 2**20)
    suffix = Path(sent.name or "").suffix.lower()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix if suffix in tabular.TABBED else '.csv'}"
        with path.open("wb") as file:
            file.writelines(sent.chunks())
        yield path
