"""The gate of a center: what must be there before it opens, what is filed, and what is lacking on a day."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from studies import milestones
from studies.access import Permission, require_operator
from studies.governance import conduct, ethics, standing
from studies.governance.conduct import GateItem
from studies.models import Center, Delegation, GateDocument, Membership
from studies.quality import masking, source_images, store
from studies.vocabulary import MilestoneKind, Role, Task


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to be filed: for which item of the gate, its number, its date and, where it has one, its last day.

    `file` are the bytes of the document itself, and `no_patient` is the person's statement that it names no patient.
    """

    item: str
    number: str
    dated_on: date
    expires_on: date | None = None
    file: bytes = b""
    no_patient: bool = False


@dataclass(frozen=True, slots=True)
class ItemState:
    """One item of a center's gate on a day; `why` says what is lacking and is empty where nothing is."""

    item: GateItem
    name: str
    help: str
    why: str
    document: GateDocument | None


@transaction.atomic
def file_documents(*, center: Center, papers: Iterable[Paper], by: User) -> list[GateDocument]:
    """File documents of a center's gate; what was filed before stays. Several of one day are one milestone.

    Raises ValidationError for an item that takes no document, a day ahead, a last day that is missing or makes no sense, or a file that
    cannot be kept.
    """
    require_operator(by, Permission.CENTER_MANAGE, center)
    rules = conduct.load(center.study.protocol_id)
    given = list(papers)
    made = [_document(center, rules, paper, by) for paper in given]
    with audit.act(by=by, action="center.gate_filed", center=center.code):
        for document in made:
            document.clean_fields()
        if len(made) == 1:
            made[0].validate_constraints()
        GateDocument.objects.bulk_create(made)
        for day in dict.fromkeys(paper.dated_on for paper in given):
            [ref] = [each.uuid for each in made if each.dated_on == day][:1]
            milestones.record(center=center, kind=MilestoneKind.GATE_DOCUMENT, on=day, by=by, ref=ref)
    return made


def states(center: Center, on: date) -> list[ItemState]:
    """Every item of a center's gate on a day, in the order of the rules; the same number of queries whatever is filed."""
    rules = conduct.load(center.study.protocol_id)
    filed: dict[str, list[GateDocument]] = {}
    for document in GateDocument.objects.filter(center=center).select_related("recorded_by").order_by("dated_on", "pk"):
        filed.setdefault(document.item, []).append(document)
    return [_state(item, center, on, filed.get(item.code, [])) for item in rules.gate]


def lacking(center: Center, on: date) -> list[ItemState]:
    """What keeps a center from opening on a day."""
    return [state for state in states(center, on) if state.why]


def _state(item: GateItem, center: Center, on: date, filed: list[GateDocument]) -> ItemState:
    language = get_language()
    if item.kind == "fact":
        why, newest = FACTS[item.code](center, on), None
    else:
        dated = [document for document in filed if document.dated_on <= on]
        newest = dated[-1] if dated else (filed[-1] if filed else None)
        why = _why_not(newest, bool(dated), on)
    return ItemState(item, item.text.say(language), item.help.say(language), why, newest)


def _why_not(newest: GateDocument | None, dated: bool, on: date) -> str:
    if newest is None:
        return _("nothing is filed")
    if not dated:
        return _("dated %(day)s, after that day") % {"day": newest.dated_on}
    if newest.expires_on is not None and newest.expires_on < on:
        return _("expired on %(day)s") % {"day": newest.expires_on}
    return ""


def _document(center: Center, rules: conduct.Conduct, paper: Paper, by: User) -> GateDocument:
    item = rules.gate_item(paper.item)
    if item is None or item.kind != "document":
        raise ValidationError({"item": _("Choose an item of the gate that takes a document.")})
    if paper.dated_on > center.study.today():
        raise ValidationError({"dated_on": _("The document is dated in the future.")})
    if item.expires and paper.expires_on is None:
        raise ValidationError({"expires_on": _("This document has a last day: give it.")})
    sha256, media_type = _kept(paper)
    return GateDocument(
        center=center,
        sha256=sha256,
        media_type=media_type,
        item=paper.item,
        number=paper.number.strip(),
        dated_on=paper.dated_on,
        expires_on=paper.expires_on,
        rules_version=rules.version,
        recorded_at=timezone.now(),
        recorded_by=by,
    )


def _kept(paper: Paper) -> tuple[str, str]:
    """Store the file of a document; its hash and kind. A picture is encoded anew, so that no note of camera or place stays."""
    if not paper.file:
        return "", ""
    if not paper.no_patient:
        raise ValidationError({"no_patient": _("Confirm that the document names no patient; cover such a name before you scan it.")})
    if len(paper.file) > masking.LARGEST:
        raise ValidationError({"file": source_images.SENTENCES["size"]})
    if paper.file.startswith(b"%PDF-"):
        if b"/Encrypt" in paper.file:
            raise ValidationError({"file": source_images.SENTENCES["encrypted"]})
        return store.put(paper.file, store.PAPERS), "application/pdf"
    if not paper.file.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise ValidationError({"file": _("Choose a PDF or a picture (JPEG or PNG).")})
    try:
        picture = masking.covered(paper.file, [])
    except masking.Unusable as fault:
        raise ValidationError({"file": source_images.SENTENCES[fault.code]}) from None
    return store.put(picture.data, store.PAPERS), picture.media_type


def _ethics(center: Center, on: date) -> str:
    return "" if ethics.covering(center, on).exists() else _("no approval covers that day")


def _consent_version(center: Center, on: date) -> str:
    return "" if ethics.versions_on(center, on).exists() else _("no version is valid on that day")


def _delegation(center: Center, on: date) -> str:
    held = set(_delegations(center, on).values_list("task", flat=True))
    open_tasks = [str(Task(task).label) for task in Task.values if task not in held]
    return _("not delegated: %(tasks)s") % {"tasks": _(", ").join(open_tasks)} if open_tasks else ""


def _training(center: Center, on: date) -> str:
    """The site PI, and everybody with a task, must be trained for it."""
    leaders = Membership.objects.filter(Q(until=None) | Q(until__gte=on), center=center, role=Role.SITE_PI, since__lte=on)
    asked = [(row.user, list(Task.values)) for row in leaders.select_related("user")]
    if not asked:
        return _("no site PI is named")
    tasks: dict[User, list[str]] = {}
    for row in _delegations(center, on).select_related("user"):
        tasks.setdefault(row.user, []).append(row.task)
    held = standing.trained(center.study, on)
    rules = conduct.load(center.study.protocol_id)
    untrained = [
        str(user)
        for user, wanted in [*asked, *tasks.items()]
        if {each.code for task in wanted for each in rules.trainings_for(task)} - held.get(user.pk, set())
    ]
    return _("not on record for: %(people)s") % {"people": _(", ").join(dict.fromkeys(untrained))} if untrained else ""


def _delegations(center: Center, on: date) -> QuerySet[Delegation]:
    return Delegation.objects.filter(Q(until=None) | Q(until__gte=on), center=center, since__lte=on)


FACTS: dict[str, Callable[[Center, date], str]] = {
    "ethics": _ethics,
    "consent_version": _consent_version,
    "delegation": _delegation,
    "training": _training,
}
"""What the platform knows by itself: the code of an item of kind fact → what is lacking, or nothing."""
