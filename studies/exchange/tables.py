"""Exports as tables: one CSV (UTF-8 with BOM) or Parquet file per form, and a manifest that names every file by its hash.

A value stands in a column of its item; the reason why there is none, and a comparator, stand in columns of their own beside it, so
that no code can be taken for a value. Files are written row by row.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from studies import scores
from studies.dictionary import NUMBERS, Item
from studies.exchange import safe_csv
from studies.exchange.leaving import Leaver, leavers
from studies.exchange.parts import Part, Record
from studies.exchange.tabular import sha256_of
from studies.models import Study
from studies.values import Value

FIXED = ("study_number", "center", "record")


def columns(part: Part) -> list[str]:
    """The columns of a part's table."""
    return [*FIXED, *(name for item in part.form.items for name in _names(item))]


def write_csv(study: Study, parts: list[Part], out: Path, *, shifted: bool) -> dict[str, int]:
    """One CSV file per part; {file: rows}."""
    files = {part.form.code: (out / f"{part.form.code}.csv").open("wb") for part in parts}
    counts = dict.fromkeys(files, 0)
    try:
        for part in parts:
            files[part.form.code].writelines(safe_csv.lines(columns(part), ()))
        for batch in leavers(study, parts, shifted=shifted):
            for part in parts:
                rows = [_row(part, leaver, record) for leaver, record in _records(part, batch)]
                files[part.form.code].writelines(safe_csv.body(["" if cell is None else cell for cell in row] for row in rows))
                counts[part.form.code] += len(rows)
    finally:
        for file in files.values():
            file.close()
    return {f"{code}.csv": count for code, count in counts.items()}


def write_parquet(study: Study, parts: list[Part], out: Path, *, shifted: bool) -> dict[str, int]:
    """One Parquet file per part; numbers are float64 or int64, everything else text. {file: rows}."""
    schemas = {part.form.code: _schema(part) for part in parts}
    writers = {code: parquet.ParquetWriter(out / f"{code}.parquet", schema, compression="zstd") for code, schema in schemas.items()}
    counts = dict.fromkeys(writers, 0)
    try:
        for batch in leavers(study, parts, shifted=shifted):
            for part in parts:
                rows = [_typed(part, _row(part, leaver, record)) for leaver, record in _records(part, batch)]
                if rows:
                    table = pa.Table.from_pylist(rows, schema=schemas[part.form.code])
                    writers[part.form.code].write_table(table)
                counts[part.form.code] += len(rows)
    finally:
        for writer in writers.values():
            writer.close()
    return {f"{code}.parquet": count for code, count in counts.items()}


def manifest(out: Path, rows: dict[str, int], facts: dict[str, Any]) -> bytes:
    """The manifest of the files in a directory: rows, bytes and SHA-256 of each, beside the export's own facts."""
    files = {
        path.name: {"rows": rows.get(path.name), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(out.iterdir())
        if path.is_file()
    }
    return json.dumps({"v": 1, **facts, "files": files}, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def differing(folder: Path) -> list[str]:
    """The files of an export that are not what its manifest says, or are missing or too many; empty when all is as it was written."""
    said = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    found = {path.name for path in folder.iterdir() if path.is_file()} - {"manifest.json", "manifest.sig"}
    wrong = [name for name in said if name not in found or sha256_of(folder / name) != said[name]["sha256"]]
    return sorted(wrong + [name for name in found if name not in said])


def digest(content: bytes) -> str:
    """H of bytes."""
    return hashlib.sha256(content).hexdigest()


def _records(part: Part, batch: list[Leaver]) -> Iterator[tuple[Leaver, Record]]:
    return ((leaver, record) for leaver in batch for record in leaver.records[part.form.code])


def _names(item: Item) -> list[str]:
    return [item.code, *([f"{item.code}.comparator"] if item.comparators else []), *([f"{item.code}.missing"] if item.missing else [])]


def _row(part: Part, leaver: Leaver, record: Record) -> list[str | None]:
    cells: list[str | None] = [leaver.participant.study_number, leaver.participant.center.code, record.key]
    for item in part.form.items:
        value = record.values.get(item.code, Value())
        cells.append(value.value or None)
        if item.comparators:
            cells.append(value.comparator or None)
        if item.missing:
            cells.append(value.missing or None)
    return cells


def _schema(part: Part) -> pa.Schema:
    kinds = {item.code: _kind(item) for item in part.form.items}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in columns(part)])


def _kind(item: Item) -> pa.DataType:
    if item.kind == "integer":
        return pa.int64()
    return pa.float64() if _is_number(item) else pa.string()


def _is_number(item: Item) -> bool:
    """Whether every value of an item is a number; a calculated class or stage is not."""
    return item.kind in NUMBERS and (item.kind != "calculated" or scores.CALCULATIONS[item.calculation].numeric)


def _typed(part: Part, row: list[str | None]) -> dict[str, Any]:
    cells: dict[str, Any] = dict(zip(columns(part), row, strict=True))
    for item in part.form.items:
        if _is_number(item) and cells[item.code] is not None:
            cells[item.code] = int(cells[item.code]) if item.kind == "integer" else float(cells[item.code])
    return cells
