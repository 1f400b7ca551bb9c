"""The rows of a cohort: the first file of a mapping with what its other files say of the same key, in bounded memory. Pure.

Of the joined files only the columns that the mapping reads are kept; the first file is read a row at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from studies.exchange.faults import Refused
from studies.exchange.mapping import LINE, InputFile, Plan, SourceRow
from studies.exchange.tabular import Row, Table, open_table


@dataclass(frozen=True, slots=True)
class Sources:
    """The opened files of a mapping, the first one first, and what the others say by key."""

    plan: Plan
    tables: tuple[Table, ...]
    joined: Mapping[str, Mapping[str, Mapping[str, str]]]

    def rows(self) -> Iterator[SourceRow | Row]:
        """Every row of the first file; one that does not fit the header comes as the `Row` that says so."""
        first = self.plan.files[0]
        for row in self.tables[0].rows():
            if row.fault:
                yield row
            elif all(row.cells.get(column) == value for column, value in first.where.items()):
                key = str(row.number) if first.key == LINE else row.cells[first.key]
                others = {name: index.get(key, {}) for name, index in self.joined.items()}
                yield SourceRow(row.number, key, {"": row.cells, **others})


def open_files(plan: Plan, path: Path) -> Sources:
    """Open the first file at `path` and the others beside it. Raises Refused for a missing file, column or a doubled key."""
    paths = [path, *(path.parent / file.path for file in plan.files[1:])]
    tables = tuple(_open(plan, file, where) for file, where in zip(plan.files, paths, strict=True))
    joined = {file.name: _index(plan, file, table) for file, table in zip(plan.files[1:], tables[1:], strict=True)}
    return Sources(plan, tables, joined)


def _open(plan: Plan, file: InputFile, path: Path) -> Table:
    if not path.is_file():
        raise Refused("mapping_file", path=path.name)
    table = open_table(path, encoding=file.encoding, separator=file.separator, sheet=file.sheet, comment=file.comment, header=file.header)
    if missing := plan.columns(file) - set(table.header):
        raise Refused("mapping_column", columns=", ".join(sorted(missing)))
    return table


def _index(plan: Plan, file: InputFile, table: Table) -> dict[str, dict[str, str]]:
    kept, found = plan.columns(file), dict[str, dict[str, str]]()
    for row in table.rows():
        if row.fault or any(row.cells.get(column) != value for column, value in file.where.items()):
            continue
        key = row.cells[file.key]
        if key in found:
            raise Refused("joined_twice", file=file.name, line=row.number)
        found[key] = {column: row.cells[column] for column in kept}
    return found
