"""ODM-XML 1.3.2 read back into values: what `odm_write` wrote gives the same bytes again; what it cannot hold is refused. Pure.

Entities, document types and network addresses are never resolved. Subjects are read one at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from lxml import etree

from studies.exchange.faults import Refused
from studies.exchange.odm_model import (
    NAMESPACE,
    VERSION,
    Change,
    CodeList,
    Datum,
    EventData,
    EventDef,
    File,
    FormData,
    FormDef,
    GroupData,
    GroupDef,
    Head,
    ItemDef,
    Metadata,
    Named,
    Person,
    Place,
    Range,
    Signed,
    Subject,
    Unit,
)
from studies.protocol import Coded, Text

_N = f"{{{NAMESPACE}}}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
Element: TypeAlias = Any  # lxml ships no types
T = TypeVar("T")


def read(path: Path) -> File:
    """The file: its head at once, its participants as they are asked for. Raises Refused."""
    head = _head(path)
    return File(head, _subjects(path))


def _events(path: Path, tag: str) -> Iterator[Element]:
    checked = False
    with path.open("rb") as file:
        try:
            parsed = etree.iterparse(file, events=("end",), tag=f"{_N}{tag}", resolve_entities=False, load_dtd=False, no_network=True)
            for _, element in parsed:
                if not checked and element.getroottree().docinfo.doctype:
                    raise Refused("odm_doctype")
                checked = True
                yield element
        except etree.XMLSyntaxError as fault:
            raise Refused("odm_malformed", line=fault.lineno or 0) from None


def _subjects(path: Path) -> Iterator[Subject]:
    for element in _events(path, "SubjectData"):
        yield _subject(element)
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _head(path: Path) -> Head:
    study = admin = root = None
    for element in _events(path, "*"):
        if element.tag == f"{_N}Study":
            study = _metadata(element)
        if element.tag == f"{_N}AdminData":
            admin = element
        if element.tag in {f"{_N}AdminData", f"{_N}ODM"}:
            root = element.getroottree().getroot()
            break
    if root is None or root.tag != f"{_N}ODM" or study is None or admin is None:
        raise Refused("odm_other")
    if root.get("ODMVersion") != VERSION:
        raise Refused("odm_version", version=root.get("ODMVersion") or "?")
    return Head(
        file_oid=root.get("FileOID", ""),
        created=root.get("CreationDateTime", ""),
        as_of=root.get("AsOfDateTime", ""),
        source_system=root.get("SourceSystem", ""),
        source_version=root.get("SourceSystemVersion", ""),
        transactional=root.get("FileType") == "Transactional",
        description=root.get("Description", ""),
        metadata=study,
        people=tuple(Person(each.get("OID", ""), _text(each, "LoginName"), each.get("UserType", "")) for each in _all(admin, "User")),
        places=tuple(_place(each) for each in _all(admin, "Location")),
        meanings=tuple((each.get("OID", ""), _text(each, "Meaning"), _text(each, "LegalReason")) for each in _all(admin, "SignatureDef")),
    )


def _place(element: Element) -> Place:
    version = element.find(f"{_N}MetaDataVersionRef")
    return Place(element.get("OID", ""), element.get("Name", ""), "" if version is None else version.get("EffectiveDate", ""))


def _metadata(study: Element) -> Metadata:
    general, version = study.find(f"{_N}GlobalVariables"), study.find(f"{_N}MetaDataVersion")
    if general is None or version is None:
        raise Refused("odm_other")
    items = _items(version)
    groups = {each.get("OID", ""): _group_def(each, items) for each in _all(version, "ItemGroupDef")}
    forms = {each.get("OID", ""): _form_def(each, groups) for each in _all(version, "FormDef")}
    events = {each.get("OID", ""): _event_def(each, forms) for each in _all(version, "StudyEventDef")}
    units = study.iterfind(f"{_N}BasicDefinitions/{_N}MeasurementUnit")
    return Metadata(
        study_oid=study.get("OID", ""),
        study_name=_text(general, "StudyName"),
        description=_text(general, "StudyDescription"),
        protocol_name=_text(general, "ProtocolName"),
        version_oid=version.get("OID", ""),
        version_name=version.get("Name", ""),
        version_description=version.get("Description", ""),
        units=tuple(Unit(each.get("OID", ""), each.get("Name", "")) for each in units),
        events=tuple(_known(events, each.get("StudyEventOID")) for each in version.iterfind(f"{_N}Protocol/{_N}StudyEventRef")),
        code_lists=tuple(_code_list(each) for each in _all(version, "CodeList")),
        conditions=tuple(_named(each) for each in _all(version, "ConditionDef")),
        methods=tuple(_named(each) for each in _all(version, "MethodDef")),
    )


def _items(version: Element) -> dict[str, ItemDef]:
    references = {each.get("ItemOID"): each for each in version.iterfind(f"{_N}ItemGroupDef/{_N}ItemRef")}
    return {each.get("OID", ""): _item_def(each, references.get(each.get("OID"))) for each in _all(version, "ItemDef")}


def _item_def(element: Element, reference: Element | None) -> ItemDef:
    said = dict[str, str]() if reference is None else dict(reference.attrib)
    code_list = element.find(f"{_N}CodeListRef")
    length, digits = element.get("Length"), element.get("SignificantDigits")
    return ItemDef(
        oid=element.get("OID", ""),
        name=element.get("Name", ""),
        data_type=element.get("DataType", ""),
        text=_said(element.find(f"{_N}Question")),
        help=_said(element.find(f"{_N}Description")),
        length=int(length) if length else None,
        digits=int(digits) if digits else None,
        units=tuple(each.get("MeasurementUnitOID", "") for each in _all(element, "MeasurementUnitRef")),
        ranges=tuple(
            Range(each.get("Comparator", ""), _text(each, "CheckValue"), each.get("SoftHard") == "Hard")
            for each in _all(element, "RangeCheck")
        ),
        code_list="" if code_list is None else code_list.get("CodeListOID", ""),
        method=said.get("MethodOID", ""),
        condition=said.get("CollectionExceptionConditionOID", ""),
        mandatory=said.get("Mandatory") == "Yes",
        aliases=tuple((each.get("Context", ""), each.get("Name", "")) for each in _all(element, "Alias")),
    )


def _group_def(element: Element, items: dict[str, ItemDef]) -> GroupDef:
    held = tuple(_known(items, each.get("ItemOID")) for each in _all(element, "ItemRef"))
    return GroupDef(element.get("OID", ""), element.get("Name", ""), _description(element), held, element.get("Repeating") == "Yes")


def _form_def(element: Element, groups: dict[str, GroupDef]) -> FormDef:
    held = tuple(_known(groups, each.get("ItemGroupOID")) for each in _all(element, "ItemGroupRef"))
    return FormDef(element.get("OID", ""), element.get("Name", ""), _description(element), held, element.get("Repeating") == "Yes")


def _event_def(element: Element, forms: dict[str, FormDef]) -> EventDef:
    held = tuple(_known(forms, each.get("FormOID")) for each in _all(element, "FormRef"))
    name, kind = element.get("Name", ""), element.get("Type", "")
    return EventDef(element.get("OID", ""), name, _description(element), held, kind, element.get("Repeating") == "Yes")


def _code_list(element: Element) -> CodeList:
    options = (Coded(each.get("CodedValue", ""), _said(each.find(f"{_N}Decode"))) for each in _all(element, "CodeListItem"))
    return CodeList(element.get("OID", ""), element.get("Name", ""), tuple(options))


def _named(element: Element) -> Named:
    return Named(element.get("OID", ""), _description(element), _text(element, "FormalExpression"), element.get("Type", ""))


def _subject(element: Element) -> Subject:
    site = element.find(f"{_N}SiteRef")
    place = "" if site is None else site.get("LocationOID", "")
    return Subject(element.get("SubjectKey", ""), place, tuple(_event(each) for each in _all(element, "StudyEventData")))


def _event(element: Element) -> EventData:
    forms = tuple(_form(each) for each in _all(element, "FormData"))
    return EventData(element.get("StudyEventOID", ""), forms, element.get("StudyEventRepeatKey", ""))


def _form(element: Element) -> FormData:
    groups = tuple(
        GroupData(each.get("ItemGroupOID", ""), tuple(_datum(item) for item in _all(each, "ItemData")), each.get("ItemGroupRepeatKey", ""))
        for each in _all(element, "ItemGroupData")
    )
    return FormData(element.get("FormOID", ""), groups, element.get("FormRepeatKey", ""), _signed(element.find(f"{_N}Signature")))


def _signed(element: Element | None) -> Signed | None:
    if element is None:
        return None
    return Signed(
        _of(element, "UserRef", "UserOID"),
        _of(element, "LocationRef", "LocationOID"),
        _text(element, "DateTimeStamp"),
        _of(element, "SignatureRef", "SignatureOID"),
        _text(element, "CryptoBindingManifest"),
    )


def _datum(element: Element) -> Datum:
    if element.get("IsNull"):
        raise Refused("odm_is_null", item=element.get("ItemOID") or "?")
    annotation, change = element.find(f"{_N}Annotation"), element.find(f"{_N}AuditRecord")
    flags = () if annotation is None else tuple(annotation.iterfind(f"{_N}Flag/{_N}FlagValue"))
    return Datum(
        item=element.get("ItemOID", ""),
        value=element.get("Value"),
        unit=_of(element, "MeasurementUnitRef", "MeasurementUnitOID"),
        flags=tuple((each.get("CodeListOID", ""), each.text or "") for each in flags),
        comment="" if annotation is None else _text(annotation, "Comment"),
        change=None if change is None else _change(change, element.get("TransactionType", "")),
    )


def _change(element: Element, kind: str) -> Change:
    return Change(
        person=_of(element, "UserRef", "UserOID"),
        place=_of(element, "LocationRef", "LocationOID"),
        at=_text(element, "DateTimeStamp"),
        reason=_text(element, "ReasonForChange"),
        source=_text(element, "SourceID"),
        kind=kind,
    )


def _all(element: Element, tag: str) -> Iterator[Element]:
    yield from element.iterfind(f"{_N}{tag}")


def _of(element: Element, tag: str, attribute: str) -> str:
    found = element.find(f"{_N}{tag}")
    return "" if found is None else found.get(attribute, "")


def _text(element: Element, tag: str) -> str:
    return element.findtext(f"{_N}{tag}") or ""


def _description(element: Element) -> Text:
    return _said(element.find(f"{_N}Description"))


def _said(element: Element | None) -> Text:
    if element is None:
        return Text("", "")
    words = {each.get(_LANGUAGE) or "": each.text or "" for each in _all(element, "TranslatedText")}
    return Text(words.get("zh-CN", ""), words.get("en", ""))


def _known(defined: dict[str, T], oid: str | None) -> T:
    if oid not in defined:
        raise Refused("odm_undefined", oid=oid or "?")
    return defined[oid]
