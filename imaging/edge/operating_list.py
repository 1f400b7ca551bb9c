"""A hospital's operating list (手术排班表) understood: which column is what, and what each row says. Nothing is guessed.

Full-width characters count as their half-width ones. A birth date is used for the age at surgery and dropped.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from imaging.edge import links
from imaging.edge.sheet import Table
from imaging.edge.words import Sentence

COLUMNS = ("local_id", "surgery_date", "name", "sex", "age", "birth_date", "procedure", "diagnosis")
NEEDED = ("local_id", "surgery_date")
OLDEST_DAY = date(1990, 1, 1)
WESTMOST = timedelta(hours=14)  # the date line: it is never a later day anywhere
MOST_AGE, MOST_LOCAL_ID = 120, 64
HEADINGS: dict[str, tuple[str, ...]] = {
    "local_id": (
        "住院号", "住院号码", "住院编号", "病案号", "病历号", "患者编号", "病人编号", "患者id", "病人id",
        "hospitalnumber", "hospitalno", "admissionnumber", "admissionno", "inpatientno", "inpatientnumber", "mrn", "patientid",
    ),
    "surgery_date": ("手术日期", "手术时间", "手术开始时间", "surgerydate", "dateofsurgery", "operationdate", "dateofoperation"),
    "name": ("姓名", "患者姓名", "病人姓名", "name", "patientname"),
    "sex": ("性别", "sex", "gender"),
    "age": ("年龄", "age", "ageatsurgery", "年龄岁"),
    "birth_date": ("出生日期", "出生年月日", "生日", "birthdate", "dateofbirth", "dob", "birthday"),
    "procedure": ("手术名称", "手术方式", "术式", "拟施手术", "拟行手术", "实施手术", "procedure", "operation", "surgeryname"),
    "diagnosis": ("诊断", "术前诊断", "术后诊断", "临床诊断", "diagnosis", "preoperativediagnosis"),
}  # fmt: skip
"""What a heading may say, without spaces, punctuation and case."""
SEXES = {"男": "M", "男性": "M", "m": "M", "male": "M", "女": "F", "女性": "F", "f": "F", "female": "F", "": "U", "未知": "U", "u": "U"}
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[T ]\s*\d.*)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_AGE = re.compile(r"(\d{1,3})\s*(?:岁|周岁|y|years?)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One row as it is understood; `place` counts the rows of the list from 1, `faults` says what must be put right first."""

    place: int
    local_id: str = ""
    surgery_date: date | None = None
    name: str = ""
    sex: str = "U"
    age: int | None = None
    procedure: str = ""
    diagnosis: str = ""
    cells: tuple[str, ...] = ()
    faults: list[Sentence] = field(default_factory=list)


def recognised(headings: Sequence[str]) -> list[str]:
    """For each heading the column it names, or an empty text; a column is found once, from the left."""
    known = {alias: column for column, aliases in HEADINGS.items() for alias in aliases}
    found: list[str] = []
    for heading in headings:
        column = known.get(re.sub(r"[\W_]", "", plain(heading).lower()), "")
        found.append(column if column not in found else "")
    return found


def has_headings(table: Table) -> bool:
    """Whether the first row holds headings: at least two of its cells name a column."""
    return sum(bool(column) for column in recognised(table[0])) >= 2


def missing(columns: Sequence[str]) -> list[str]:
    """The columns without which no row can be taken in."""
    return [column for column in NEEDED if column not in columns]


def understand(table: Table, columns: Sequence[str], latest: date) -> list[Line]:
    """Every row of a table (without its headings); `columns` names each column or is empty, no surgery lies after `latest`."""
    return [_line(place, row, _chosen(row, columns), latest) for place, row in enumerate(table, start=1)]


def plain(text: str) -> str:
    """Half-width, without spaces around it."""
    return unicodedata.normalize("NFKC", text).strip()


def completed_years(birth: date, on: date) -> int:
    """Age in completed years; who was born on 29 February grows older on 1 March in common years."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _chosen(row: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    return {column: plain(cell) for column, cell in zip(columns, row, strict=False) if column}


def _line(place: int, row: Sequence[str], said: Mapping[str, str], latest: date) -> Line:
    faults: list[Sentence] = []
    local_id = links.local(said.get("local_id", ""))
    if not local_id:
        faults.append(Sentence("The hospital number is missing."))
    elif len(local_id) > MOST_LOCAL_ID or re.fullmatch(r"\d+(\.\d+)?E\+\d+", local_id):
        faults.append(
            Sentence("The hospital number was cut by Excel ({text}); format the column as text and copy it again.", {"text": local_id})
        )
    surgery = _surgery(said.get("surgery_date", ""), latest, faults)
    return Line(
        place=place,
        local_id=local_id,
        surgery_date=surgery,
        name=said.get("name", ""),
        sex=_sex(said.get("sex", ""), faults),
        age=_age(said, surgery, faults),
        procedure=said.get("procedure", ""),
        diagnosis=said.get("diagnosis", ""),
        cells=tuple(row),
        faults=faults,
    )


def _surgery(text: str, latest: date, faults: list[Sentence]) -> date | None:
    if not text:
        faults.append(Sentence("The date of surgery is missing."))
        return None
    day = _day(text)
    if day is None:
        faults.append(Sentence("The date of surgery “{text}” is not understood; write it like 2026-03-02.", {"text": text}))
    elif not OLDEST_DAY <= day <= latest:
        faults.append(Sentence("The date of surgery {text} lies in the future or long ago; check the year.", {"text": day.isoformat()}))
    else:
        return day
    return None


def _sex(text: str, faults: list[Sentence]) -> str:
    sex = SEXES.get(text.lower())
    if sex is None:
        faults.append(Sentence("The sex “{text}” is not understood; write 男 or 女, M or F.", {"text": text}))
    return sex or "U"


def _age(said: Mapping[str, str], surgery: date | None, faults: list[Sentence]) -> int | None:
    """The age at surgery, from the birth date where there is one."""
    stated, birth = said.get("age", ""), said.get("birth_date", "")
    age = int(found[1]) if (found := _AGE.fullmatch(stated)) else None
    if stated and (age is None or age > MOST_AGE):
        faults.append(Sentence("The age “{text}” is not understood; write completed years, such as 58.", {"text": stated}))
        return None
    if not birth:
        return age
    born = _day(birth)
    if born is None or (surgery is not None and not 0 <= completed_years(born, surgery) <= MOST_AGE):
        faults.append(
            Sentence("The birth date “{text}” is not understood or does not fit the surgery; write it like 1968-03-02.", {"text": birth})
        )
        return None
    if surgery is None:
        return age
    computed = completed_years(born, surgery)
    if age is not None and abs(age - computed) > 1:
        faults.append(
            Sentence("By the birth date the age at surgery is {computed}, but the list says {age}.", {"computed": computed, "age": age})
        )
    return computed


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text) or _COMPACT.fullmatch(text)
    try:
        return date(*(int(part) for part in found.groups())) if found else None
    except ValueError:
        return None
