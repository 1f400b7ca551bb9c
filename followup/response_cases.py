"""Who asks how tumours answered treatment at a scan, who may read it, what the readers found, and what stands (PM-06, BL-06).

The committee reads: two who do not see each other, a third where their categories differ, nobody a participant of a center he ever belonged
to. A response is asked for after a recurrence that the committee has concluded, or in a retrospective cohort: its days would tell a reader
which of his cases recurred. Readings are never changed; a case asked for in error is voided with them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from followup import adjudication, case_package, committee, response_words
from followup.adjudication import Kappa, Verdict
from followup.case_package import Look
from followup.models import AdjudicationCase, Recurrence, ResponseCase, ResponseReading, ResponseTarget
from followup.response import Response
from followup.targets import Assessed, NonTarget, Seen, Target, assess, faults
from studies import access
from studies.models import Participant, Study
from studies.quality import no_identity
from studies.vocabulary import StudyKind

READ, ASK = committee.READ, committee.OPEN


@dataclass(frozen=True, slots=True)
class Found:
    """One reader's category of a case; readers agree in the category alone."""

    reader: str
    assessed: Assessed

    def agrees(self, other: "Found") -> bool:
        """Whether both say the same category."""
        return self.assessed.response == other.assessed.response


@dataclass(frozen=True)
class Standing:
    """One case in force: how it stands as a code of the committee, and what its readers agree on or the third decided."""

    case: ResponseCase
    state: str
    response: Response | None


@dataclass(frozen=True)
class Agreement:
    """The cases of a study by how they stand, and the kappa of first and second reader."""

    states: dict[str, int]
    readers: Kappa | None
    cases: list[Standing]


def scans_of(participant: Participant) -> list[Look]:
    """The CT and MRI of a participant on which a response can be measured, one for each day; he comes with his screening."""
    looks = case_package.looks_of(participant, participant.study.today())
    return list({look.day: look for look in looks if look.modality in case_package.MEASURED}.values())


@transaction.atomic
def ask(*, participant: Participant, baseline_day: int, scan_day: int, by: User) -> ResponseCase:
    """Ask for the response at the scan of a day after surgery, compared with the baseline scan and whatever was scanned between.

    Raises PermissionDenied, NotAllowedNow while a reader could learn from it who recurred, ValidationError for days without a scan.
    """
    access.require_operator(by, ASK, participant.center)
    committee.open_still(participant.study)
    days = [look.day for look in scans_of(participant)]
    unknown = {field: day for field, day in {"baseline_day": baseline_day, "scan_day": scan_day}.items() if day not in days}
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, _("Choose one of the scans of this participant.")))
    _known_to_readers(participant, baseline_day)
    on = lambda day: participant.screening.surgery_date + timedelta(days=day)  # noqa: E731 - days of this participant
    between = [on(day) for day in days if baseline_day < day < scan_day]
    with audit.act(by=by, action="response.asked", center=participant.center.code):
        row = ResponseCase(
            participant=participant, code=committee.new_code(), baseline_on=on(baseline_day), between=between, scan_on=on(scan_day),
            recorded_at=timezone.now(), recorded_by=by,
        )  # fmt: skip
        save_checked(row)
    return row


def _known_to_readers(participant: Participant, baseline_day: int) -> None:
    """Refuse what would tell a reader of the committee something about a case that he has still to read."""
    if participant.study.kind == StudyKind.RETROSPECTIVE:
        return
    recurred = Recurrence.objects.in_force().filter(participant=participant).first()
    baseline_on = participant.screening.surgery_date + timedelta(days=baseline_day)
    if recurred is None or recurred.first_seen_on > baseline_on:
        raise NotAllowedNow(_("A response is asked for after a recurrence, from the scan that showed it or a later one."))
    cases = list(AdjudicationCase.objects.filter(participant=participant).prefetch_related("readings"))
    if not any(case.cutoff >= recurred.first_seen_on for case in cases) or any(committee.waits(case) for case in cases):
        raise NotAllowedNow(_("The committee has not concluded this recurrence yet; a response asked for now would tell its readers."))


@transaction.atomic
def read(
    *, case: ResponseCase, targets: Sequence[Target], new_lesion: bool, non_target: str, by: User, not_assessable: str = "", note: str = ""
) -> ResponseReading:
    """Enter what a reader measured in a case, once and for good.

    Raises PermissionDenied, NotAllowedNow where the case needs no reading from him or the study is locked, ValidationError for impossible
    targets.
    """
    access.require(by, READ, case.participant.center)
    committee.open_still(case.participant.study)
    no_identity.refuse(note=note)
    committee.one_at_a_time("followup.response", case.pk)
    if not cases_for(by).filter(pk=case.pk).exists() or not waits(case):
        raise NotAllowedNow(_("This case needs no further reading from you."))
    refuse(case, targets, not_assessable)
    row = ResponseReading(
        case=case, place=case.readings.count() + 1, reader=by, not_assessable=not_assessable, new_lesion=new_lesion, non_target=non_target,
        note=note.strip(), read_at=timezone.now(),
    )  # fmt: skip
    save_checked(row)
    met: Counter[str] = Counter()
    for place, each in enumerate(targets, start=1):
        met[each.organ] += 1
        baseline, *between, scan = each.diameters
        measured = ResponseTarget(
            reading=row, place=place, organ=each.organ, of_organ=met[each.organ], baseline_mm=baseline, between_mm=between, scan_mm=scan
        )
        save_checked(measured)
    return row


def refuse(case: ResponseCase, targets: Sequence[Target], not_assessable: str) -> None:
    """Raise ValidationError for targets that cannot be, that belong to other scans, or where there must be none or some."""
    if any(len(each.diameters) != len(case.between) + 2 for each in targets):
        raise ValidationError(_("The targets belong to other scans than those of this case."))
    if bool(targets) == bool(not_assessable):
        raise ValidationError(_("Measure at least one target, or say why the scan cannot be judged; not both."))
    if wrong := faults(targets):
        raise ValidationError([response_words.fault(fault, place) for fault, place in wrong])


def cases_for(user: User) -> QuerySet[ResponseCase]:
    """The cases that a reader may and did not read, in force; some need no reading any more (`waits`)."""
    return committee.unread_by(user, ResponseCase.objects.in_force())


def to_read(user: User) -> list[ResponseCase]:
    """The cases that wait for this reader, by their codes. Three queries."""
    return [case for case in cases_for(user).prefetch_related("readings__targets") if waits(case)]


def waits(case: ResponseCase) -> bool:
    """Whether a case needs a further reading."""
    return verdict_of(case).reading is None


def verdict_of(case: ResponseCase) -> Verdict[Found]:
    """What the readers of a case conclude so far."""
    return adjudication.verdict(found_of(case))


def found_of(case: ResponseCase) -> list[Found]:
    """What each reader found, in the order of their readings."""
    rows = sorted(case.readings.all(), key=lambda row: row.place)
    return [Found(str(row.reader_id), assess(seen_of(row))) for row in rows]


def seen_of(reading: ResponseReading) -> Seen:
    """A stored reading as the rule takes it."""
    rows = sorted(reading.targets.all(), key=lambda row: row.place)
    return Seen(
        tuple(Target(row.organ, (row.baseline_mm, *row.between_mm, row.scan_mm)) for row in rows),
        new_lesion=reading.new_lesion,
        non_target=NonTarget(reading.non_target),
        assessable=not reading.not_assessable,
    )


def decided(cases: Iterable[ResponseCase]) -> dict[int, Response]:
    """What stands of those cases, by their keys; nothing of one that waits for a reader."""
    said = ((case.pk, verdict_of(case).reading) for case in cases)
    return {key: found.assessed.response for key, found in said if found is not None}


def of_participant(participant: Participant) -> list[Standing]:
    """The cases of a participant in force, in the order of their scans. Three queries, one where there is none."""
    return _standings(ResponseCase.objects.in_force().filter(participant=participant).select_related("participant__screening"))


def agreement_of(study: Study) -> Agreement:
    """Where the responses of a study stand and how far two readers agree. Three queries."""
    cases = ResponseCase.objects.in_force().filter(participant__study=study).select_related("participant__screening")
    standing = _standings(cases)
    twice = [found for each in standing if len(found := found_of(each.case)) > 1]
    return Agreement(
        states=dict(Counter(each.state for each in standing)),
        readers=committee.kappa_of([(one.assessed.response, two.assessed.response) for one, two, *_third in twice]),
        cases=standing,
    )


def _standings(cases: QuerySet[ResponseCase]) -> list[Standing]:
    rows = []
    for case in cases.order_by("scan_on", "pk").prefetch_related("readings__targets"):
        found = found_of(case)
        said = adjudication.verdict(found)
        rows.append(Standing(case, committee.state_of(said, found), said.reading.assessed.response if said.reading else None))
    return rows
