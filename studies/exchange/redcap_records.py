"""The values of a study as REDCap takes them: its own data dictionary and one flat file of records.

One line per participant; a form that repeats gives further lines with REDCap's own two columns. A missing reason stands as the code
that `missing_codes` declares to the project; a comparator in the field beside it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from studies.dictionary import Dictionary, Item
from studies.exchange import redcap_dictionary, safe_csv
from studies.exchange.leaving import Leaver, leavers
from studies.exchange.parts import BASELINE, Part, Record, whole
from studies.models import Study

FIRST = ("record_id", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group")
DICTIONARY, RECORDS, CODES, NOTES = "redcap_dictionary.csv", "redcap_records.csv", "missing_data_codes.txt", "not_expressed.csv"


def write(study: Study, parts: list[Part], out: Path, *, shifted: bool, language: str = "en") -> dict[str, int]:
    """Dictionary, records, missing data codes, and what REDCap cannot hold; {file: rows}. The forms of the data dictionary only."""
    book = whole(study.dictionary, moved=False)
    own = [replace(part, form=book.form(part.form.code)) for part in parts if part.event == BASELINE]
    lines = list(redcap_dictionary.write(book, language))
    with (out / DICTIONARY).open("wb") as file:
        file.writelines(safe_csv.lines(lines[0], lines[1:]))
    (out / CODES).write_text(redcap_dictionary.missing_codes(language) + "\n", encoding="utf-8")
    notes = [[note.field, note.what] for note in redcap_dictionary.unexpressed(book)] + _moved(parts, book)
    with (out / NOTES).open("wb") as file:
        file.writelines(safe_csv.lines(("field", "what REDCap has no place for"), notes))
    rows = 0
    with (out / RECORDS).open("wb") as file:
        file.writelines(safe_csv.lines(columns(own), ()))
        for batch in leavers(study, own, shifted=shifted):
            made = [line for leaver in batch for line in _lines(own, leaver)]
            file.writelines(safe_csv.body(made))
            rows += len(made)
    return {DICTIONARY: len(lines) - 1, RECORDS: rows, NOTES: len(notes)}


def _moved(parts: list[Part], book: Dictionary) -> list[list[str]]:
    """What stood on another form before a newer version moved the item: REDCap has one field of a name."""
    baseline = [part.form for part in parts if part.event == BASELINE]
    gone = [(form, item) for form in baseline for item in form.items if item.code not in book.form(form.code).by_code]
    return [[item.code, f"what was recorded on the form {form.code}, before the item moved"] for form, item in gone]


def columns(parts: list[Part]) -> list[str]:
    """The columns of the records."""
    return [*FIRST, *(name for part in parts for item in part.form.items for name in _fields(item))]


def _fields(item: Item) -> list[str]:
    return [item.code, *([redcap_dictionary.comparator_field(item.code)] if item.comparators else [])]


def _lines(parts: list[Part], leaver: Leaver) -> Iterator[list[str]]:
    group = f"center_{leaver.participant.center.code}"
    first = [leaver.participant.study_number, "", "", group]
    once = {part.form.code: records[0] for part in parts if not part.form.repeating and (records := leaver.records[part.form.code])}
    yield first + [cell for part in parts for cell in _cells(part, once.get(part.form.code))]
    for part in (part for part in parts if part.form.repeating):
        for number, record in enumerate(leaver.records[part.form.code], start=1):
            start = [leaver.participant.study_number, part.form.code, str(number), group]
            yield start + [cell for other in parts for cell in _cells(other, record if other is part else None)]


def _cells(part: Part, record: Record | None) -> list[str]:
    cells: list[str] = []
    for item in part.form.items:
        value = record.values.get(item.code) if record else None
        cells.append((value.value or value.missing) if value else "")
        if item.comparators:
            cells.append(redcap_dictionary.SIGNS[value.comparator] if value and value.comparator else "")
    return cells
