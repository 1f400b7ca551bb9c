"""The records of this room as people may ask about them."""

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from studies.access import Permission
from studies.models import (
    Center,
    Consent,
    Delegation,
    Entry,
    Lock,
    Membership,
    Milestone,
    Participant,
    Query,
    QueryMessage,
    ReferenceRange,
    Screening,
    Signature,
    SourceImage,
    Study,
    SurgeryCount,
    Training,
    UnlockRequest,
    Verification,
)
from studies.quality import forms_held
from studies.trail.kinds import Guard, Kind
from studies.values import Value
from studies.vocabulary import MilestoneKind as M

CLINICAL = (M.TREATMENT_STARTED, M.NO_ADJUVANT_DECLARED, M.WINDOW_CLOSED, M.VISIT_DONE, M.RECURRENCE, M.DEATH, M.LOST, M.WITHDRAWN)
"""The milestones that a person's entry writes; those of images, features and seals come when they come, lock or no lock."""

_SCREENING = {
    "number": _("Number"), "row_token": _("Row token"), "screened_on": _("Screened"), "surgery_date": _("Date of surgery"),
    "age_at_surgery": _("Age at surgery"), "sex": _("Sex"), "answers": _("Answer"), "eligibility": _("Eligibility"),
    "status": _("State"), "exclusion_reason": _("Reason not to enrol"), "origin": _("Source"),
    "screened_at": _("Recorded at"),
}  # fmt: skip
_CONSENT = {
    "version_id": _("Form version"),
    "form_version": _("Form version"), "signed_on": _("Signed on"), "waiver_number": _("Waiver number"), "waived_on": _("Waived on"),
}  # fmt: skip
_PARTICIPANT = {
    "study_number": _("Study number"), "sequence": _("Number"), "eligibility": _("Eligibility"), "status": _("State"),
    "enrolled_on": _("Enrolled"), "enrolled_at": _("Recorded at"),
    "withdrawal": _("Extent of the withdrawal"), "withdrawn_on": _("Withdrawn on"),
}  # fmt: skip
_LOCK = {
    "record": _("Record"), "strength": _("State"), "reason": _("Reason"), "open_until": _("Open until"), "released_at": _("Lifted at"),
}  # fmt: skip
_SIGNATURE = {
    "record": _("Record"), "meaning": _("Meaning"), "printed_name": _("Printed name"), "digest": _("Hash of the content"),
    "invalidated_at": _("Void since"),
}  # fmt: skip
_QUERY = {
    "record": _("Record"), "field": _("Value"), "status": _("State"), "text": _("Text"), "rule": _("Rule"), "rule_version": _("Version"),
    "why": _("Why"), "source": _("Source"), "raised_on": _("From"), "closed_on": _("Until"),
}  # fmt: skip
_JUDGED = {
    "inputs": _("What is known"),
    "verdict": _("Verdict"),
    "criteria": _("Criteria"),
    "protocol": _("Protocol version"),
    "awaits": _("Still awaited"),
}
_VERDICTS = {"pass": _("met"), "fail": _("fails"), "unknown": _("not known yet"), "yes": _("yes"), "no": _("no")}
_PEOPLE = {"role": _("Role"), "since": _("From"), "until": _("Until"), "user_id": _("Person"), "center_id": _("Center")}


def _item(row: Any, code: str) -> str:
    """The words of an item of the data dictionary."""
    book = row.participant.study.dictionary
    return book.item(code).text.say(get_language()) if book.has(code) else code


def _entered(row: Any, column: str, code: str, value: Any) -> str | None:
    """Which form it is, and a value as its page says it; beside it how it was typed, where that differs."""
    book = row.participant.study.dictionary
    if column == "form":
        return next((form.text.say(get_language()) for form in book.forms if form.code == value), None)
    if column != "values" or not isinstance(value, dict):
        return None
    held = Value.from_json(value)
    beside = [text for text in (f"{held.typed} {held.unit}".strip(), held.on) if text]
    text = forms_held.said(book.item(code) if book.has(code) else None, held)
    return f"{text} ({', '.join(beside)})" if beside else text


def _asked(row: Any, code: str) -> str:
    """The words of what is asked at screening, or of a part of the evaluation."""
    study = row.center.study
    asked = next((item for item in study.protocol.inputs if item.code == code), None)
    return asked.label.say(get_language()) if asked else str(_JUDGED.get(code, code))


def _pointed_at(row: Any, column: str, _code: str, value: Any) -> str | None:
    """The field that a question or a comparison is about, in the words of its page."""
    if column != "field" or row.participant is None:
        return None
    if row.participant.study.dictionary.has(value):
        return _item(row, value)
    said = _asked(row.participant, value)
    return said if said != value else str(_SCREENING.get(value, value))


def _judged(row: Any, column: str, code: str, value: Any) -> str | None:
    """An attestation, or a part of the evaluation: each criterion's verdict, what it was judged by, and the protocol's version."""
    if code == "criteria" and isinstance(value, list):
        return ", ".join(f"{each['code']} {_VERDICTS[each['verdict']]}" for each in value)
    if code == "inputs" and isinstance(value, dict):
        return ", ".join(f"{_asked(row, name)}: {_VERDICTS.get(known, known)}" for name, known in value.items())
    if code == "protocol" and isinstance(value, dict):
        return f"{value['id']} {value['version']}"
    return str(_VERDICTS[value]) if isinstance(value, str) and value in _VERDICTS else None


OWN = (
    Kind(
        Participant, _("Participant"), Permission.PARTICIPANT_VIEW, way="", signed=True, words=_PARTICIPANT, item=_asked, answer=_judged,
    ),
    Kind(
        Screening, _("Screening"), Permission.SCREENING_VIEW, way="", leads="screening", signed=True, words=_SCREENING,
        item=_asked, answer=_judged,
    ),
    Kind(Consent, _("Consent"), Permission.SCREENING_VIEW, way="screening", leads="screening", signed=True, words=_CONSENT),
    Kind(
        Entry, _("Form"), Permission.PARTICIPANT_VIEW, signed=True, item=_item, answer=_entered,
        signed_columns=frozenset({"form", "occurrence", "values"}),
        words={
            "values": _("Value"), "form": _("Form"), "status": _("State"), "occurrence": _("Number"), "dictionary_version": _("Version"),
        },
    ),
    Kind(
        Milestone, _("Timeline"), Permission.PARTICIPANT_VIEW, study_ways=("participant__study", "center__study"),
        words={"kind": _("Event"), "on": _("Date"), "retraction": _("Taken back")},
        guard=Guard(on="INSERT", when=f"NEW.kind IN ({', '.join(repr(kind.value) for kind in CLINICAL)})"),
    ),
    Kind(
        Query, _("Query"), "query.view", study_ways=("center__study",), words=_QUERY, item=_item, answer=_pointed_at,
        hidden=frozenset({"seen"}), guard=None,
        unguarded="a question about locked data changes none of them",
    ),
    Kind(
        QueryMessage, _("Query"), "query.view", way="query__participant", study_ways=("query__center__study",), guard=None,
        words={"move": _("Event"), "text": _("Text")},
        unguarded="a question about locked data changes none of them",
    ),
    Kind(
        Verification, _("Verification"), Permission.PARTICIPANT_VIEW, words=_QUERY, item=_item, answer=_pointed_at, guard=None,
        unguarded="locked data may still be compared with their source",
    ),
    Kind(
        SourceImage, _("Source image"), Permission.PARTICIPANT_VIEW, guard=None,
        unguarded="a picture of the source may come after the lock: it changes no value",
    ),
    Kind(
        ReferenceRange, _("Reference range"), Permission.PARTICIPANT_VIEW, way="center", leads="center", guard=None,
        unguarded="a range that was wrong is ended and another begins; the values it is read with stay as they are",
        words={"item": _("Value"), "unit": _("Unit"), "valid_from": _("From"), "valid_until": _("Until")},
    ),
    Kind(
        SurgeryCount, _("Surgeries of a month"), Permission.SCREENING_VIEW, way="center", leads="center",
        words={"month": _("Month"), "resections": _("Resections")},
    ),
    Kind(
        Signature, _("Signature"), Permission.PARTICIPANT_VIEW, words=_SIGNATURE, hidden=frozenset({"content"}), guard=None,
        unguarded="locked data may still be signed, and a change void a signature",
    ),
    Kind(
        Lock, _("Lock"), Permission.STUDY_SETUP, way="study", leads="study", words=_LOCK, guard=None,
        unguarded="the lock itself is opened and closed",
    ),
    Kind(
        UnlockRequest, _("Unlock request"), Permission.STUDY_SETUP, way="lock__study", leads="study", guard=None,
        unguarded="an unlock is asked for while the lock is in force",
    ),
    Kind(
        Study, _("Study"), Permission.STUDY_SETUP, way="", leads="study", guard=None,
        unguarded="its phase moves along its own table, and a result is published after the lock",
    ),
    Kind(
        Center, _("Center"), Permission.STUDY_SETUP, way="study", leads="study", guard=None,
        unguarded="approvals are renewed and centers close after their data are locked",
    ),
    Kind(
        Delegation, _("Delegation"), "center.view", way="center", leads="center", words=_PEOPLE | {"task": _("Task")}, guard=None,
        unguarded="people come and go after the lock",
    ),
    Kind(
        Training, _("Training"), Permission.MEMBER_MANAGE, way="study", leads="study", words=_PEOPLE, guard=None,
        unguarded="people come and go after the lock",
    ),
    Kind(
        Membership, _("Role"), Permission.MEMBER_MANAGE, way="study", leads="study", words=_PEOPLE, guard=None,
        unguarded="people come and go after the lock",
    ),
)  # fmt: skip
