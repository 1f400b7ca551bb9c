"""A record's columns and values in words: what a person reads in a history, in the state at a time, and before he signs.

Which row it is, whose, and which machine made it stands in the page around; of a value the words of its form and its options are said.
"""

import re
from datetime import date, datetime
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from studies.models import Participant
from studies.trail import kinds
from studies.trail.kinds import Kind

DIGEST = re.compile(r"[0-9a-f]{64}")
SHOWN_OF_A_DIGEST = 12
TOLD_BY_THE_STEP = re.compile(r".*(_at|_by_id|_uuid|_hash)|url_name|row_token")
"""Columns of a new row that repeat who and when, or are an address of another row."""

COMMON: dict[str, Promise] = {
    "reason": gettext_lazy("Reason"),
    "status": gettext_lazy("State"),
    "kind": gettext_lazy("Kind"),
    "number": gettext_lazy("Number"),
    "code": gettext_lazy("Code"),
    "title": gettext_lazy("Title"),
    "note": gettext_lazy("Note"),
    "text": gettext_lazy("Text"),
    "valid_from": gettext_lazy("From"),
    "valid_until": gettext_lazy("Until"),
    "since": gettext_lazy("From"),
    "until": gettext_lazy("Until"),
    "expires_on": gettext_lazy("Expires on"),
    "expires_at": gettext_lazy("Expires on"),
    "dated_on": gettext_lazy("Date"),
    "item": gettext_lazy("Item"),
    "rules_version": gettext_lazy("Version"),
    "rule_version": gettext_lazy("Version"),
    "sha256": gettext_lazy("SHA-256"),
    "file_sha256": gettext_lazy("SHA-256"),
    "media_type": gettext_lazy("File type"),
    "page": gettext_lazy("Page"),
    "size": gettext_lazy("Bytes"),
    "width": gettext_lazy("Width"),
    "height": gettext_lazy("Height"),
    "boxes": gettext_lazy("Black boxes"),
    "corrected": gettext_lazy("Corrected"),
    "together": gettext_lazy("Signed together with others"),
    "turned_on": gettext_lazy("Turn since"),
    "closed_on": gettext_lazy("Closed on"),
    "raised_on": gettext_lazy("Raised on"),
    "method": gettext_lazy("Method"),
    "sex": gettext_lazy("Sex"),
    "low": gettext_lazy("Lower limit"),
    "high": gettext_lazy("Upper limit"),
    "days": gettext_lazy("Days"),
    "answer": gettext_lazy("Answer"),
    "signed_on": gettext_lazy("Signed on"),
    "trained_on": gettext_lazy("Trained on"),
    "certificate": gettext_lazy("Certificate"),
    "reconsent": gettext_lazy("Consent to be renewed"),
    "reconsent_by": gettext_lazy("Renew by"),
    "covers_earlier": gettext_lazy("Covers earlier data"),
    "key": gettext_lazy("Key"),
    "field": gettext_lazy("Value"),
    "record": gettext_lazy("Record"),
    "description": gettext_lazy("What happened"),
    "occurred_on": gettext_lazy("Occurred on"),
    "detected_on": gettext_lazy("Noticed on"),
    "category": gettext_lazy("Category"),
    "cause": gettext_lazy("Cause"),
    "corrective": gettext_lazy("Corrective action"),
    "preventive": gettext_lazy("Preventive action"),
    "legal_basis": gettext_lazy("Legal basis"),
    "decision": gettext_lazy("Decision"),
    "lines": gettext_lazy("Lines"),
    "taken_out": gettext_lazy("Taken out"),
    "retraction": gettext_lazy("Taken back"),
    "modality": gettext_lazy("Modality"),
    "series_instance_uid": gettext_lazy("Series UID"),
    "revision": gettext_lazy("Revision"),
    "assessed_revision": gettext_lazy("Judged revision"),
    "checked_revision": gettext_lazy("Checked revision"),
    "slice_count": gettext_lazy("Slices"),
    "spacing_mm": gettext_lazy("Spacing (mm)"),
    "extent_mm": gettext_lazy("Extent (mm)"),
    "thickness_mm": gettext_lazy("Thickness (mm)"),
    "unreadable": gettext_lazy("Unreadable"),
    "phase_reasons": gettext_lazy("Why this phase"),
    "apart_mm": gettext_lazy("Apart (mm)"),
    "voxels": gettext_lazy("Voxels"),
    "void_reason": gettext_lazy("Reason"),
    "mapping": gettext_lazy("Mapping"),
    "overwrite": gettext_lazy("Overwrite"),
    "encoding": gettext_lazy("Encoding"),
    "counts": gettext_lazy("Counts"),
    "plan": gettext_lazy("Plan"),
    "undo_digest": gettext_lazy("Hash of the undo file"),
    "name_zh": gettext_lazy("Name (zh)"),
    "name_en": gettext_lazy("Name (en)"),
    "title_zh": gettext_lazy("Title (zh)"),
    "title_en": gettext_lazy("Title (en)"),
    "opened_on": gettext_lazy("Opened on"),
    "closed_at": gettext_lazy("Closed on"),
    "public_key": gettext_lazy("Public key"),
    "software": gettext_lazy("Software"),
    "phase": gettext_lazy("Phase"),
}
"""The words for columns that mean the same wherever they stand; a kind's own words go before."""


def worth_saying(column: str, *, is_new: bool) -> bool:
    """Whether a step of a history names this column: of a new row not what the step says itself, of a change everything."""
    return not is_new or (column not in kinds.BOOKKEEPING and not TOLD_BY_THE_STEP.fullmatch(column))


def say(kind: Kind, column: str, value: Any, row: Any = None) -> str:
    """A value in words: the label of an option or a choice, a date as it is stored, an instant in local time; a digest is cut short."""
    outer, _dot, inner = column.partition(".")
    if kind.answer is not None and row is not None and value and (said := kind.answer(row, outer, inner, value)) is not None:
        return said
    match value:
        case None | "":
            text = ""
        case bool():
            text = _("yes") if value else _("no")
        case datetime():
            text = timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
        case date():
            text = value.isoformat()
        case dict():
            text = ", ".join(f"{key}: {_cut(item)}" for key, item in value.items())
        case list():
            text = _(", ").join(say(kind, column, item, row) for item in value)
        case other:
            text = _cut(_named(kind, column, other))
    return text


def say_who(kind: Kind, column: str, value: Any, names: dict[int, str], row: Any = None) -> str:
    """A value in words, where the column says who the person's name."""
    if column.endswith("_by_id") or column == "user_id":
        return names.get(value, "") if value is not None else ""
    return say(kind, column, value, row)


def label_of(kind: Kind, column: str, row: Any = None) -> str:
    """The words for a column, or for one answer inside it (`values.afp`)."""
    outer, dot, inner = column.partition(".")
    word: str | Promise = kind.words.get(outer) or COMMON.get(outer, outer.removesuffix("_id"))
    if dot and kind.item is not None and row is not None:
        return kind.item(row, inner)
    return f"{word}{_(': ')}{inner}" if dot else str(word)


def words_of(kind: Kind, participant: Participant) -> Any:
    """Something that leads to the words of the answers inside a record: an unsaved row of the participant does, without a query."""
    if kind.item is None:
        return None
    if kind.way:
        return kind.model(participant=participant)
    return participant.screening if kind.leads == "screening" else participant


def people() -> dict[int, str]:
    """The names of all users by key, for columns that say who."""
    return {user.pk: str(user) for user in User.objects.only("pk", "display_name", "username")}


def _named(kind: Kind, column: str, value: Any) -> Any:
    """The label of a choice, or the word for the kind of record that a label means; any other value as it is."""
    if column == "record" and value in kinds.KINDS:
        return kinds.KINDS[value].word
    field = kind.model._meta.get_field(column.removesuffix("_id")) if column in kind.columns else None
    return dict(field.flatchoices).get(value, value) if isinstance(field, models.Field) and field.choices else value


def _cut(value: Any) -> str:
    text = str(value)
    return f"{text[:SHOWN_OF_A_DIGEST]}…" if DIGEST.fullmatch(text) else text
