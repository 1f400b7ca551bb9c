"""The blinded committee: which courses it reads, who may read which case, what it concluded, and how far it agrees (EP-12, BL-06).

Read are all participants in whom the site reported a recurrence or a suspicion, and as many by chance in whom it did not: that a case
exists tells nothing. Two readers, who do not see each other; a third where they differ. Nobody reads a participant of a center he works at.
The site's event stays as it was reported.
"""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from followup import adjudication, case_package
from followup.adjudication import Kappa, R, Reading, Verdict
from followup.models import AdjudicationCase, Assessment, CaseReading, Recurrence
from followup.vocabulary import Conclusion, Finding
from studies import access
from studies.locking.holding import write_within
from studies.models import Membership, Participant, Study
from studies.quality import no_identity
from studies.vocabulary import Phase

READ, OPEN = "case.adjudicate", "case.open"
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE = 6
_CLOSED = (Phase.LOCKED, Phase.PUBLISHED)
C = TypeVar("C", bound=models.Model)
_Found = tuple[AdjudicationCase, Verdict[Reading], list[Reading]]


@dataclass(frozen=True)
class Agreement:
    """Cases by how they stand, the kappa of the readers and of committee and sites, and where the latter differ."""

    states: dict[str, int]
    readers: Kappa | None
    sites: Kappa | None
    same_day: int
    differing: list["Compared"]


@dataclass(frozen=True)
class Compared:
    """One concluded case beside what the site reported: days after surgery, None without a recurrence."""

    participant: Participant
    site_day: int | None
    central: Reading

    @property
    def site(self) -> Conclusion:
        return Conclusion.FREE if self.site_day is None else Conclusion.RECURRENCE


@transaction.atomic
def open_cases(*, study: Study, by: User) -> list[AdjudicationCase]:
    """Open a case for everybody with a reported or suspected recurrence that no case has seen yet, and for as many without.

    Raises PermissionDenied, and NotAllowedNow once the study is locked.
    """
    access.require_operator(by, OPEN, study)
    study = open_still(study)
    today, seen = study.today(), _seen(study)
    reported = [person for person, day in _reported(study).items() if person not in seen or seen[person] < day]
    followed = Assessment.objects.in_force().filter(participant__study=study, adequate=True).values_list("participant", flat=True)
    others = sorted({*followed} - {*reported} - {*seen} - {*_reported(study)})
    drawn = secrets.SystemRandom().sample(others, min(len(reported), len(others)))
    people = Participant.objects.in_bulk([*reported, *drawn])
    return [
        AdjudicationCase.objects.create(
            participant=people[key], code=new_code(), cutoff=_closed_on(people[key], today), opened_at=timezone.now(), opened_by=by
        )
        for key in sorted(people, key=lambda _key: secrets.randbits(64))
    ]


@transaction.atomic
def read_case(*, case: AdjudicationCase, conclusion: str, by: User, first_seen_day: int | None = None, note: str = "") -> CaseReading:
    """Enter a reader's conclusion of a case, once and for good.

    Raises PermissionDenied, NotAllowedNow where the case is read already or the study is locked, ValidationError for a day without
    an examination.
    """
    access.require(by, READ, case.participant.center)
    open_still(case.participant.study)
    no_identity.refuse(note=note)
    one_at_a_time("followup.case", case.pk)
    if not cases_for(by).filter(pk=case.pk).exists() or not waits(case):
        raise NotAllowedNow(_("This case needs no further reading from you."))
    if first_seen_day is not None and first_seen_day not in case_package.package_of(case).days:
        raise ValidationError({"first_seen_day": _("Choose one of the examinations of this case.")})
    row = CaseReading(
        case=case, place=case.readings.count() + 1, reader=by, conclusion=conclusion, first_seen_day=first_seen_day, note=note.strip(),
        read_at=timezone.now(),
    )  # fmt: skip
    save_checked(row)
    return row


def cases_for(user: User) -> QuerySet[AdjudicationCase]:
    """The cases that a reader may and did not read; some need no reading any more (`waits`)."""
    return unread_by(user, AdjudicationCase.objects.all())


def unread_by(user: User, cases: QuerySet[C]) -> QuerySet[C]:
    """Of cases with readings, those that a reader may and did not read, of no center he ever belonged to, by their codes."""
    own = Membership.objects.filter(user=user.pk).exclude(center=None).values("center")
    his = cases.filter(participant__center__in=access.centers_for(user, READ)).exclude(participant__center__in=own)
    unread = his.exclude(readings__reader=user.pk).annotate(read=Count("readings")).filter(read__lt=adjudication.MOST)
    return unread.select_related("participant__screening", "participant__study", "participant__center").order_by("code")


def to_read(user: User) -> list[AdjudicationCase]:
    """The cases that wait for this reader; the order of their codes tells nothing. Two queries."""
    return [case for case in cases_for(user).prefetch_related("readings__reader") if waits(case)]


def waits(case: AdjudicationCase) -> bool:
    """Whether a case needs a further reading."""
    return verdict_of(case).reading is None


def verdict_of(case: AdjudicationCase) -> Verdict[Reading]:
    """What the committee concludes of a case so far."""
    return adjudication.verdict(readings_of(case))


def readings_of(case: AdjudicationCase) -> list[Reading]:
    """The readings of a case in their order."""
    rows = sorted(case.readings.all(), key=lambda row: row.place)
    return [Reading(str(row.reader_id), adjudication.Conclusion(row.conclusion), row.first_seen_day) for row in rows]


def conclusions(study: Study, on: date) -> dict[int, Reading]:
    """What the committee concluded of each participant, by his key, in the last case closed by the day `on`. Two queries."""
    cases = AdjudicationCase.objects.filter(participant__study=study, cutoff__lte=on).order_by("cutoff", "pk")
    said = {case.participant_id: verdict_of(case).reading for case in cases.prefetch_related("readings")}
    return {key: reading for key, reading in said.items() if reading is not None}


def readers_of(study: Study) -> int:
    """How many may read today; fewer than three leave a disagreement open."""
    today = timezone.localdate()
    held = Membership.objects.filter(study=study, role__in=access.roles_granted(READ), since__lte=today, user__is_active=True)
    return held.filter(Q(until=None) | Q(until__gte=today)).values("user").distinct().count()


def agreement_of(study: Study) -> Agreement:
    """Where the committee stands and how far it agrees, over the last case of each participant. Four queries."""
    cases = AdjudicationCase.objects.filter(participant__study=study).order_by("cutoff", "pk").prefetch_related("readings")
    last = {case.participant_id: case for case in cases.select_related("participant__screening", "participant__center")}
    found = {key: (case, verdict_of(case), readings_of(case)) for key, case in last.items()}
    sites = _reported(study, confirmed=True)
    compared = [_compared(case, said.reading, sites) for case, said, _readings in found.values() if said.reading is not None]
    pairs = [(one.conclusion, two.conclusion) for _case, _said, (one, two, *_) in _read_twice(found.values())]
    both = [(each.site, each.central.conclusion) for each in compared]
    return Agreement(
        states=dict(Counter(state_of(said, readings) for _case, said, readings in found.values())),
        readers=kappa_of(pairs),
        sites=kappa_of(both),
        same_day=sum(each.site_day == each.central.first_seen_day for each in compared),
        differing=[each for each in compared if each.site != each.central.conclusion or each.site_day != each.central.first_seen_day],
    )


def _read_twice(found: Iterable[_Found]) -> list[_Found]:
    return [each for each in found if len(each[2]) > 1]


def state_of(said: Verdict[R], readings: Sequence[R]) -> str:
    """How a case stands, as a code: whom it waits for, or that it is concluded."""
    if said.reading is not None:
        return "concluded"
    return "third" if said.third else ("first", "second")[len(readings)]


def kappa_of(pairs: Sequence[tuple[str, str]]) -> Kappa | None:
    """Cohen's kappa of pairs of findings; None where there is no pair."""
    return adjudication.kappa([str(one) for one, _two in pairs], [str(two) for _one, two in pairs]) if pairs else None


def _compared(case: AdjudicationCase, central: Reading, sites: dict[int, date]) -> Compared:
    day = sites.get(case.participant_id)
    known = day is not None and day <= case.cutoff
    return Compared(case.participant, (day - case.participant.screening.surgery_date).days if known and day else None, central)


def _reported(study: Study, *, confirmed: bool = False) -> dict[int, date]:
    """When the site first saw a recurrence (a `confirmed` one), or else a suspicion, by participant."""
    rows = Recurrence.objects.in_force().filter(participant__study=study)
    if confirmed:
        return dict(rows.exclude(confirmed_on=None).values_list("participant", "first_seen_on"))
    looks = Assessment.objects.in_force().filter(participant__study=study, finding__in=[Finding.SUSPECTED, Finding.RECURRENCE])
    suspected = dict(looks.values("participant").annotate(last=Max("on")).values_list("participant", "last"))
    return suspected | dict(rows.values_list("participant", "first_seen_on"))


def _seen(study: Study) -> dict[int, date]:
    """Until which day a case has seen each participant."""
    cases = AdjudicationCase.objects.filter(participant__study=study).values("participant").annotate(last=Max("cutoff"))
    return dict(cases.values_list("participant", "last"))


def _closed_on(participant: Participant, today: date) -> date:
    """Today, or the last day of whose data may be used (EN-04)."""
    return min(today, participant.data_until or today)


def one_at_a_time(kind: str, case: int) -> None:
    """Two readers of a case at once must see each other; what is append-only cannot be locked itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [kind, case])


def new_code() -> str:
    """The letters by which readers know a case; they tell nothing."""
    return "".join(secrets.choice(_LETTERS) for _place in range(_CODE))


def open_still(study: Study) -> Study:
    """The study as it is now; no lock comes between until the transaction ends. Raises NotAllowedNow for one that is locked."""
    write_within(study=study.pk)
    now = Study.objects.get(pk=study.pk)
    if now.phase in _CLOSED:
        raise NotAllowedNow(_("The study is locked: the committee's readings are closed with the data."))
    return now
