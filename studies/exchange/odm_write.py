"""ODM-XML 1.3.2 as bytes, participant by participant, in one fixed form: the same values give the same bytes (peers D1). Pure.

A missing reason is an Annotation with a Flag and never IsNull, as the specification asks; a comparator is a Flag; what was typed
in another unit is a Comment. Characters that XML 1.0 cannot hold are left out of texts that people typed.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from lxml import etree

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
    GroupDef,
    Head,
    ItemDef,
    Metadata,
    Named,
    Subject,
)
from studies.protocol import Text

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Element: TypeAlias = Any  # lxml ships no types


def write(file: File) -> Iterator[bytes]:
    """The file in pieces: the head, each participant, the end."""
    head = file.head
    root = _root(head)
    _metadata(root, head.metadata)
    _admin(root, head)
    clinical = _add(root, "ClinicalData", StudyOID=head.metadata.study_oid, MetaDataVersionOID=head.metadata.version_oid)
    clinical.text = "\n"
    before, after = etree.tostring(_indented(root), encoding="UTF-8", xml_declaration=True).split(b"</ClinicalData>")
    yield before.rstrip() + b"\n"
    for subject in file.subjects:
        yield (
            etree.tostring(_indented(_subject(subject), level=2), encoding="UTF-8", xml_declaration=False).replace(_DECLARED, b"", 1)
            + b"\n"
        )
    yield b"  </ClinicalData>" + after + b"\n"


_DECLARED = f' xmlns="{NAMESPACE}"'.encode()


def _root(head: Head) -> Element:
    root = etree.Element(f"{{{NAMESPACE}}}ODM", nsmap={None: NAMESPACE})
    attributes = {
        "FileType": "Transactional" if head.transactional else "Snapshot",
        "Granularity": "All",
        "FileOID": head.file_oid,
        "CreationDateTime": head.created,
        "AsOfDateTime": head.as_of,
        "ODMVersion": VERSION,
        "SourceSystem": head.source_system,
        "SourceSystemVersion": head.source_version,
        "Description": head.description,
    }
    for name, value in attributes.items():
        root.set(name, clean(value))
    return root


def _metadata(root: Element, metadata: Metadata) -> None:
    study = _add(root, "Study", OID=metadata.study_oid)
    general = _add(study, "GlobalVariables")
    _add(general, "StudyName", metadata.study_name)
    _add(general, "StudyDescription", metadata.description)
    _add(general, "ProtocolName", metadata.protocol_name)
    if metadata.units:
        basic = _add(study, "BasicDefinitions")
        for unit in metadata.units:
            _said(_add(_add(basic, "MeasurementUnit", OID=unit.oid, Name=unit.symbol), "Symbol"), Text("", unit.symbol))
    version = _add(study, "MetaDataVersion", OID=metadata.version_oid, Name=metadata.version_name, Description=metadata.version_description)
    protocol = _add(version, "Protocol")
    for number, event in enumerate(metadata.events, start=1):
        _add(protocol, "StudyEventRef", StudyEventOID=event.oid, OrderNumber=str(number), Mandatory="No")
    _definitions(version, metadata)


def _definitions(version: Element, metadata: Metadata) -> None:
    forms = [form for event in metadata.events for form in event.forms]
    groups = [group for form in forms for group in form.groups]
    for event in metadata.events:
        _event_def(version, event)
    for form in forms:
        _form_def(version, form)
    for group in groups:
        _group_def(version, group)
    for item in (item for group in groups for item in group.items):
        _item_def(version, item)
    for code_list in metadata.code_lists:
        _code_list(version, code_list)
    for condition in metadata.conditions:
        _named(version, "ConditionDef", condition)
    for method in metadata.methods:
        _named(version, "MethodDef", method)


def _event_def(version: Element, event: EventDef) -> None:
    made = _add(version, "StudyEventDef", OID=event.oid, Name=event.name, Repeating=_yes(event.repeating), Type=event.kind)
    _described(made, event.text)
    for number, form in enumerate(event.forms, start=1):
        _add(made, "FormRef", FormOID=form.oid, OrderNumber=str(number), Mandatory="No")


def _form_def(version: Element, form: FormDef) -> None:
    made = _add(version, "FormDef", OID=form.oid, Name=form.name, Repeating=_yes(form.repeating))
    _described(made, form.text)
    for number, group in enumerate(form.groups, start=1):
        _add(made, "ItemGroupRef", ItemGroupOID=group.oid, OrderNumber=str(number), Mandatory="No")


def _group_def(version: Element, group: GroupDef) -> None:
    made = _add(version, "ItemGroupDef", OID=group.oid, Name=group.name, Repeating=_yes(group.repeating))
    _described(made, group.text)
    for number, item in enumerate(group.items, start=1):
        reference = {"ItemOID": item.oid, "OrderNumber": str(number), "Mandatory": _yes(item.mandatory)}
        if item.method:
            reference["MethodOID"] = item.method
        if item.condition:
            reference["CollectionExceptionConditionOID"] = item.condition
        _add(made, "ItemRef", **reference)


def _item_def(version: Element, item: ItemDef) -> None:
    numbers = {"Length": item.length, "SignificantDigits": item.digits}
    sizes = {name: str(value) for name, value in numbers.items() if value is not None}
    made = _add(version, "ItemDef", OID=item.oid, Name=item.name, DataType=item.data_type, **sizes)
    _described(made, item.help)
    _said(_add(made, "Question"), item.text)
    for unit in item.units:
        _add(made, "MeasurementUnitRef", MeasurementUnitOID=unit)
    for check in item.ranges:
        _add(_add(made, "RangeCheck", Comparator=check.comparator, SoftHard="Hard" if check.hard else "Soft"), "CheckValue", check.value)
    if item.code_list:
        _add(made, "CodeListRef", CodeListOID=item.code_list)
    for context, name in item.aliases:
        _add(made, "Alias", Context=context, Name=name)


def _code_list(version: Element, code_list: CodeList) -> None:
    made = _add(version, "CodeList", OID=code_list.oid, Name=code_list.name, DataType="text")
    for number, option in enumerate(code_list.options, start=1):
        _said(_add(_add(made, "CodeListItem", CodedValue=option.code, OrderNumber=str(number)), "Decode"), option.text)


def _named(version: Element, tag: str, named: Named) -> None:
    made = _add(version, tag, OID=named.oid, Name=named.oid, **({"Type": named.kind} if named.kind else {}))
    _described(made, named.text)
    if named.expression:
        _add(made, "FormalExpression", named.expression, Context="PRIME")


def _admin(root: Element, head: Head) -> None:
    study = head.metadata
    admin = _add(root, "AdminData", StudyOID=study.study_oid)
    for person in head.people:
        _add(_add(admin, "User", OID=person.oid, UserType=person.kind), "LoginName", person.login)
    for place in head.places:
        made = _add(admin, "Location", OID=place.oid, Name=place.name, LocationType="Site")
        version = {"StudyOID": study.study_oid, "MetaDataVersionOID": study.version_oid, "EffectiveDate": place.effective}
        _add(made, "MetaDataVersionRef", **version)
    for oid, meaning, reason in head.meanings:
        made = _add(admin, "SignatureDef", OID=oid, Methodology="Electronic")
        _add(made, "Meaning", meaning)
        _add(made, "LegalReason", reason)


def _subject(subject: Subject) -> Element:
    made = etree.Element(f"{{{NAMESPACE}}}SubjectData", nsmap={None: NAMESPACE})
    made.set("SubjectKey", subject.key)
    _add(made, "SiteRef", LocationOID=subject.site)
    for event in subject.events:
        _event(made, event)
    return made


def _event(subject: Element, event: EventData) -> None:
    made = _add(subject, "StudyEventData", StudyEventOID=event.oid, **({"StudyEventRepeatKey": event.key} if event.key else {}))
    for form in event.forms:
        _form(made, form)


def _form(event: Element, form: FormData) -> None:
    made = _add(event, "FormData", FormOID=form.oid, **({"FormRepeatKey": form.key} if form.key else {}))
    if form.signed:
        signature = _add(made, "Signature")
        _add(signature, "UserRef", UserOID=form.signed.person)
        _add(signature, "LocationRef", LocationOID=form.signed.place)
        _add(signature, "SignatureRef", SignatureOID=form.signed.meaning)
        _add(signature, "DateTimeStamp", form.signed.at)
        if form.signed.binding:
            _add(signature, "CryptoBindingManifest", form.signed.binding)
    for group in form.groups:
        holder = _add(made, "ItemGroupData", ItemGroupOID=group.oid, **({"ItemGroupRepeatKey": group.key} if group.key else {}))
        for datum in group.data:
            _datum(holder, datum)


def _datum(group: Element, datum: Datum) -> None:
    attributes = {"ItemOID": datum.item}
    if datum.change and datum.change.kind:
        attributes["TransactionType"] = datum.change.kind
    if datum.value is not None:
        attributes["Value"] = datum.value
    made = _add(group, "ItemData", **attributes)
    if datum.change:
        _audit(made, datum.change)
    if datum.unit:
        _add(made, "MeasurementUnitRef", MeasurementUnitOID=datum.unit)
    if datum.comment or datum.flags:
        annotation = _add(made, "Annotation", SeqNum="1")
        if datum.comment:
            _add(annotation, "Comment", datum.comment)
        for code_list, code in datum.flags:
            _add(_add(annotation, "Flag"), "FlagValue", code, CodeListOID=code_list)


def _audit(item: Element, change: Change) -> None:
    made = _add(item, "AuditRecord")
    _add(made, "UserRef", UserOID=change.person)
    _add(made, "LocationRef", LocationOID=change.place)
    _add(made, "DateTimeStamp", change.at)
    if change.reason:
        _add(made, "ReasonForChange", change.reason)
    if change.source:
        _add(made, "SourceID", change.source)


def _described(parent: Element, text: Text) -> None:
    if text.zh or text.en:
        _said(_add(parent, "Description"), text)


def _said(parent: Element, text: Text) -> None:
    for language, words in (("zh-CN", text.zh), ("en", text.en)):
        if words:
            _add(parent, "TranslatedText", words).set(_LANGUAGE, language)


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    made = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    for name, value in attributes.items():
        made.set(name, clean(value))
    if text is not None:
        made.text = clean(text)
    return made


def clean(text: str) -> str:
    """The text without what XML 1.0 cannot hold, with line ends as a reader gives them back."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _indented(element: Element, level: int = 0) -> Element:
    etree.indent(element, "  ", level=level)
    return element


def _yes(given: bool) -> str:
    return "Yes" if given else "No"
