"""The table of a cut as Parquet, with types: the same text gives the same bytes under one version of the library. Pure."""

import csv
import io
from datetime import date

import pyarrow as pa
from pyarrow import parquet

NUMBERS = frozenset({"rfs_time", "rfs_event", "os_time", "os_event", "recurrence_time", "recurrence_cause", "time", "event"})
DAYS = frozenset({"surgery_date", "window_closed", "known_on"})


def of_table(table: bytes) -> bytes:
    """`cut.csv` in, Parquet out: whole numbers, days and texts; an empty cell is null. Raises ValueError for a cell of another kind."""
    read = csv.reader(io.StringIO(table.decode()))
    names, rows = next(read), list(read)
    columns = {name: _column(name, [row[place] for row in rows]) for place, name in enumerate(names)}
    written = io.BytesIO()
    parquet.write_table(pa.table(columns), written, compression="zstd")
    return written.getvalue()


def _column(name: str, cells: list[str]) -> pa.Array:
    if name in NUMBERS:
        return pa.array([int(cell) if cell else None for cell in cells], pa.int32())
    if name in DAYS:
        return pa.array([date.fromisoformat(cell) if cell else None for cell in cells], pa.date32())
    return pa.array([cell or None for cell in cells], pa.string())
