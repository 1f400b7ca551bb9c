"""Running the edit checks: what the rules find in the data raises queries, what they no longer find closes them (AU-06).

Asked on every save for one participant, by the data manager for a study, and once a day by the sweep. The facts come from the
sources of the rooms; nothing of a prediction is among them. A person who closed a rule's query accepted the facts it had seen:
the rule stays quiet until they change.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.once import remembering
from accounts.transitions import NotAllowedNow, advance
from studies.access import require
from studies.models import CheckRun, Participant, Query, Study
from studies.quality import queries, rules, sources, verification
from studies.quality.pointer import Pointer
from studies.quality.rules import Rule, Rules
from studies.quality.sources import Facts
from studies.vocabulary import CheckRunStatus, Phase, QueryStatus

RUN = "check.run"
BATCH = 100
DAILY = timedelta(hours=24)
CHECKED_PHASES = (Phase.ACCRUAL, Phase.FOLLOW_UP)
Key = tuple[int, str]  # participant, rule
_noted: ContextVar[set[int] | None] = ContextVar("noted", default=None)
"""Whom to judge when the writes are done, in this thread; None while every save judges at once."""


@dataclass
class Settled:
    """How many queries a pass raised and closed."""

    raised: int = 0
    closed: int = 0


@dataclass(frozen=True)
class _Asked:
    """The rules' queries of some participants: those not closed, and the facts that a person has accepted."""

    standing: Mapping[Key, Query]
    accepted: Mapping[Key, list[dict[str, str]]]


def on_saved(participant: Participant) -> None:
    """Judge one participant anew; the last step of every write that changes what the rules read."""
    noted = _noted.get()
    if noted is None:
        settle(participants=[participant.pk])
    else:
        noted.add(participant.pk)


@contextmanager
def judged_at_the_end() -> Iterator[None]:
    """Within, a save only notes whom to judge; everybody noted is judged once when the outermost ends: for writes of many values."""
    if _noted.get() is not None:
        yield
        return
    noted: set[int] = set()
    token = _noted.set(noted)
    try:
        yield
    finally:
        _noted.reset(token)
    people = sorted(noted)
    for start in range(0, len(people), BATCH):
        settle(participants=people[start : start + BATCH])


@transaction.atomic
def settle(*, participants: Iterable[int]) -> Settled:
    """Bring the rules' queries of these participants, and what is to be verified, in line with the data.

    Takes a fixed number of queries besides what changes.
    """
    locked = Participant.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=list(participants)).order_by("pk")
    rows = [row for row in locked.select_related("study", "center__study", "screening") if row.study.phase in CHECKED_PHASES]
    if not rows:
        return Settled()
    with remembering():  # what both ask the rooms for is read once
        known, held = sources.facts(rows), sources.held(rows)
    asked, tally = _asked(rows), Settled()
    for row in rows:
        _settle_one(row, rules.in_force(row.study.protocol_id), known[row.pk], asked, tally)
    verification.refresh(rows, held)
    return tally


@transaction.atomic
def ask_for_run(*, study: Study, by: User) -> CheckRun:
    """Have the whole study judged anew by the worker. Raises NotAllowedNow while a run is going on."""
    require(by, RUN, study)
    run = _start(study, by)
    if run is None:
        raise NotAllowedNow(_("The checks are running already. Wait until they are done, then run them again."))
    return run


def sweep(*, most: int = 20) -> int:
    """Do up to `most` batches of the runs that wait, starting each study's daily run; the number of batches done."""
    _start_daily()
    return sum(1 for _batch in range(most) if _next_batch())


def _settle_one(row: Participant, of_study: Rules, facts: Facts, asked: _Asked, tally: Settled) -> None:
    firing = {rule.code: rule for rule in of_study.firing({code: fact.value for code, fact in facts.items()})}
    for (whom, code), query in asked.standing.items():
        if whom == row.pk and code not in firing:
            queries.close_by_rule(query=query)
            tally.closed += 1
    for code, rule in firing.items():
        seen = _seen(rule, facts)
        if query := asked.standing.get((row.pk, code)):
            queries.see_again(query=query, pointer=_pointer(rule, facts, row), rule_version=of_study.version, seen=seen)
        elif seen not in asked.accepted.get((row.pk, code), []):
            queries.raise_by_rule(
                pointer=_pointer(rule, facts, row), center=row.center, participant=row, rule=code, rule_version=of_study.version, seen=seen
            )
            tally.raised += 1


def _asked(rows: list[Participant]) -> _Asked:
    standing: dict[Key, Query] = {}
    accepted: dict[Key, list[dict[str, str]]] = {}
    system = User.objects.system()
    asked = Query.objects.select_for_update(of=("self",)).filter(participant__in=rows).exclude(rule="")
    for query in asked.select_related("center__study").order_by("pk"):  # locked: a person may be closing one at this moment
        key = (query.participant_id, query.rule)
        if query.status != QueryStatus.CLOSED:
            standing[key] = query
        elif query.closed_by_id != system.pk:
            accepted.setdefault(key, []).append(query.seen)
    return _Asked(standing, accepted)


def _seen(rule: Rule, facts: Facts) -> dict[str, str]:
    """The facts that the rule read, as text; "today" would make every day another one."""
    return {code: facts[code].said for code in rule.when.names if code in facts and code != "today"}


def _pointer(rule: Rule, facts: Facts, row: Participant) -> Pointer:
    fact = facts.get(rule.at)
    return fact.pointer if fact and fact.pointer else Pointer("studies.Participant", row.uuid, rule.at)


def _start(study: Study, by: User) -> CheckRun | None:
    """A run that waits; None while there is one already, which the database decides: of two who ask at once, one starts it."""
    total = Participant.objects.filter(study=study).count()
    try:
        with transaction.atomic():
            return CheckRun.objects.create(study=study, asked_at=timezone.now(), asked_by=by, total=total)
    except IntegrityError:
        return None


def _start_daily() -> None:
    for study in Study.objects.filter(phase__in=CHECKED_PHASES).order_by("pk"):
        last = CheckRun.objects.filter(study=study).order_by("-pk").first()
        if last is None or (last.status == CheckRunStatus.DONE and last.asked_at < timezone.now() - DAILY):
            _start(study, User.objects.system())


@transaction.atomic
def _next_batch() -> bool:
    """Judge the next participants of the oldest run that nobody else works on."""
    waiting = CheckRun.objects.select_for_update(skip_locked=True).exclude(status=CheckRunStatus.DONE)
    run = waiting.order_by("pk").first()
    if run is None:
        return False
    batch = list(Participant.objects.filter(study=run.study_id, pk__gt=run.reached).order_by("pk").values_list("pk", flat=True)[:BATCH])
    if run.status == CheckRunStatus.WAITING:
        run = advance(run, CheckRunStatus.RUNNING)
    if not batch:
        run = advance(run, CheckRunStatus.DONE)
        run.total, run.ended_at = run.done, timezone.now()
    else:
        tally = settle(participants=batch)
        run.reached, run.done = batch[-1], run.done + len(batch)
        run.raised, run.closed = run.raised + tally.raised, run.closed + tally.closed
    run.save()
    return True
