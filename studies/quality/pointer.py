"""What a query or a verification points at: one field of one row of any room, as text, so that it outlives every refactoring. Pure."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, order=True)
class Pointer:
    """A field of a row: the model's label (`studies.Entry`), the row's public uuid, the field's code (empty: the row as a whole)."""

    record: str
    uuid: UUID
    field: str = ""
