"""`edge link file FILE`: links from a CSV or XLSX file, tried or made, with a result for every row."""

import sqlite3
from datetime import datetime
from typing import Any

from imaging.edge import link_list, sheet
from imaging.edge.home import HomeFault
from imaging.edge.sheet import SheetFault


def from_file(connection: sqlite3.Connection, data: bytes, *, center: str, by: str, at: datetime, dry_run: bool) -> tuple[Any, list[str]]:
    """What linking each row does (or would do), as a report and as lines; faulty rows are left out and said."""
    try:
        table = sheet.read_file(data)
    except SheetFault as fault:
        raise HomeFault(fault.sentence.say("en")) from None
    tried = link_list.dry_run(connection, table, center=center, by=by, at=at)
    if not dry_run:
        link_list.take_in(connection, table, center=center, by=by, at=at)
    rows = [
        {"row": row.place, "number": row.number, "local_id": row.local_id, "kind": row.kind, "why": row.why.say("en") if row.why else ""}
        for row in tried
    ]
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in ("new", "known", "faulty")}
    lines = [f"{row['row']}\t{row['kind']}\t{row['number']}\t{row['local_id']}\t{row['why']}".rstrip() for row in rows]
    done = "nothing is linked yet / 尚未关联" if dry_run else "linked / 已关联"
    return counts | {"rows": rows, "dry_run": dry_run}, [
        *lines,
        f"new {counts['new']}, known {counts['known']}, faulty {counts['faulty']}: {done}",
    ]
