"""Whether every tracked row is what its trail says it is: the tables rebuilt from the audit rows and compared (blinding §5, AU-02).

Finds what was written past the triggers (`session_replication_role = replica`): a changed value, a removed row, a row without history.
Values are named by their column only.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection
from pghistory.models import Event

# The newest event of each row beside the row itself; either may be missing.
COMPARED = """
SELECT coalesce(e.pgh_obj_id, m.id), e.pgh_id IS NULL, m.id IS NULL, e.pgh_label, array_remove(ARRAY[{differs}]::text[], NULL)
FROM (SELECT DISTINCT ON (pgh_obj_id) * FROM "{events}" ORDER BY pgh_obj_id, pgh_id DESC) e
FULL JOIN "{table}" m ON m.id = e.pgh_obj_id
WHERE e.pgh_id IS NULL OR (m.id IS NULL) <> (e.pgh_label = 'delete') OR (m.id IS NOT NULL AND ({any}))
ORDER BY 1
"""


def verify() -> Iterator[str]:
    """One sentence for each row that its trail contradicts."""
    for history in apps.get_models():
        if issubclass(history, Event) and history.pgh_tracked_model is not None and history._meta.managed:
            yield from _faults(history, history.pgh_tracked_model._meta)


def _faults(history: Any, tracked: Any) -> Iterator[str]:
    recorded = {field.column for field in history._meta.local_concrete_fields}
    columns = [field.column for field in tracked.local_concrete_fields if field.column in recorded and field.column != "id"]
    differs = ", ".join(f"""CASE WHEN m."{name}" IS DISTINCT FROM e."{name}" THEN '{name}' END""" for name in columns)
    any_ = " OR ".join(f'm."{name}" IS DISTINCT FROM e."{name}"' for name in columns) or "false"
    asked = COMPARED.format(differs=differs, events=history._meta.db_table, table=tracked.db_table, any=any_)
    with connection.cursor() as cursor:
        cursor.execute(asked)
        for key, untold, gone, label, changed in cursor.fetchall():
            yield f"{tracked.db_table} {key}: {_sentence(untold, gone, label, changed)}"


def _sentence(untold: bool, gone: bool, label: str, changed: list[str]) -> str:
    if untold:
        return "it is there, and its trail does not know it"
    if gone:
        return "its trail knows it, and it is gone"
    if label == "delete":
        return "its trail says that it was deleted, and it is there"
    return f"{', '.join(changed)}: not what its trail says"
