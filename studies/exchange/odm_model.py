"""What a CDISC ODM-XML 1.3.2 file of this platform says, as values: written by `odm_write`, read again by `odm_read`. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from studies.protocol import Coded, Text

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
VERSION = "1.3.2"
MISSING_LIST = "CL.MISSING"
COMPARATOR_LIST = "CL.COMPARATOR"


@dataclass(frozen=True, slots=True)
class Range:
    """A bound of a number: GE or LE; hard ones refuse, soft ones warn."""

    comparator: str
    value: str
    hard: bool


@dataclass(frozen=True, slots=True)
class ItemDef:
    """One question; `aliases` are (context, name), a context once."""

    oid: str
    name: str
    data_type: str
    text: Text
    help: Text
    length: int | None = None
    digits: int | None = None
    units: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    code_list: str = ""
    method: str = ""
    condition: str = ""
    mandatory: bool = False
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupDef:
    """The items of one section of a form."""

    oid: str
    name: str
    text: Text
    items: tuple[ItemDef, ...]
    repeating: bool = False


@dataclass(frozen=True, slots=True)
class FormDef:
    """One form."""

    oid: str
    name: str
    text: Text
    groups: tuple[GroupDef, ...]
    repeating: bool = False


@dataclass(frozen=True, slots=True)
class EventDef:
    """One study event (screening, baseline, follow-up) with its forms; `kind` is Scheduled, Unscheduled or Common."""

    oid: str
    name: str
    text: Text
    forms: tuple[FormDef, ...]
    kind: str = "Scheduled"
    repeating: bool = False


@dataclass(frozen=True, slots=True)
class CodeList:
    """The answers of a choice, or the codes of a flag."""

    oid: str
    name: str
    options: tuple[Coded, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A measurement unit."""

    oid: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Named:
    """A condition or a method: what it says, and its expression in the platform's own language."""

    oid: str
    text: Text
    expression: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The study and one version of what it collects."""

    study_oid: str
    study_name: str
    description: str
    protocol_name: str
    version_oid: str
    version_name: str
    version_description: str
    units: tuple[Unit, ...]
    events: tuple[EventDef, ...]
    code_lists: tuple[CodeList, ...]
    conditions: tuple[Named, ...] = ()
    methods: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who entered, changed or signed."""

    oid: str
    login: str
    kind: str = "Other"


@dataclass(frozen=True, slots=True)
class Place:
    """A center."""

    oid: str
    name: str
    effective: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the trail: who, where, when (UTC), why; `source` is the action's code; `kind` is Insert, Update, Remove or empty."""

    person: str
    place: str
    at: str
    reason: str = ""
    source: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """An electronic signature over a form."""

    person: str
    place: str
    at: str
    meaning: str
    binding: str = ""


@dataclass(frozen=True, slots=True)
class Datum:
    """One value, or why there is none. `flags` are (code list, code): missing reason, comparator; `comment` what was typed."""

    item: str
    value: str | None
    unit: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class GroupData:
    """The data of one section."""

    oid: str
    data: tuple[Datum, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class FormData:
    """One filled form; `key` tells its repeats apart."""

    oid: str
    groups: tuple[GroupData, ...]
    key: str = ""
    signed: Signed | None = None


@dataclass(frozen=True, slots=True)
class EventData:
    """What was collected at one study event."""

    oid: str
    forms: tuple[FormData, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """One participant by study number, with the center."""

    key: str
    site: str
    events: tuple[EventData, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The attributes of the file and everything before the first participant. A transactional file carries every change."""

    file_oid: str
    created: str
    as_of: str
    source_system: str
    source_version: str
    transactional: bool
    description: str
    metadata: Metadata
    people: tuple[Person, ...] = ()
    places: tuple[Place, ...] = ()
    meanings: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A whole file; `subjects` may be read once only."""

    head: Head
    subjects: Iterable[Subject]
