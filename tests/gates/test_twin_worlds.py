"""Twin worlds: the same study again and again, with models that say different things; nobody can tell which one he lives in (BL-01 to
BL-05, SL-05).

The whole pipeline runs in each: registration, blind batch, treatment, visits, recurrence, death, lock. Compared are, in every phase,
every row that a login of the site can read, every file and every task; of two models that recommend differently, status, every header,
cookies and body of every address for every role and a stranger during accrual, and of `SEALS` afterwards; of models that abstain, crash,
overflow, take long or run out of time, those of `BRIEF`. The long run asks for everything, of every model, in every phase.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings as django_settings

from accounts import second_factor
from accounts.models import LedgerRow
from predictions.models import Seal
from predictions.payload import Outcome
from studies.vocabulary import Role
from tests.gates import asking, frozen, holdings, leaks, normalise, rules, scenario
from tests.gates.asking import STRANGER, Answer, Asked
from tests.gates.test_addresses import ADDRESSES, GATEWAY

pytestmark = pytest.mark.django_db
PAIR = {"surgery": rules.surgery_alone, "tace": rules.tace_by_afp}
FURTHER = {
    "silent": rules.silent,
    "crashing": rules.crashing,
    "overflowing": rules.overflowing,
    "slow": rules.slow,
    "late": rules.surgery_alone,
}
SECONDS = {"late": -1}
"""How long a batch may take, where it is not the usual time."""
SAID = {
    "silent": {"abstention": 6},
    "crashing": {"CRASH": 6},
    "overflowing": {"answer": 2, "CRASH": 4},
    "slow": {"answer": 6},
    "late": {"TIMEOUT": 6},
}
SIZES = ("ciphertext", "wrap_ab", "wrap_ac", "wrap_bc")
SEALS = (
    "participants", "participant", "participant-trail", "worklist", "overview", "completeness", "risk", "blindness", "receipts",
    "receipt-head", "exports", "sign-list", "result", "api-participant-list", "api-participant-detail", "readyz",
)  # fmt: skip
"""Where a seal, a batch or a head shows, and where whatever is told of a participant would stand."""
BRIEF = ("participant", "receipts", "receipt-head", "blindness", "overview", "api-participant-list", "readyz")
"""Of these, where the worlds of models that do not answer are asked."""
EVERYBODY = [*(f"{role}" for role in Role), STRANGER]


@dataclass
class World:
    """What one world answered and kept, what its model said, and the sizes of its seals."""

    answers: dict[str, dict[Asked, Answer]] = field(default_factory=dict)
    kept: dict[str, holdings.Kept] = field(default_factory=dict)
    leaking: dict[str, dict[Asked, Answer]] = field(default_factory=dict)
    leaking_rows: dict[str, holdings.Kept] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)
    consistent: int = 0
    sizes: list[tuple[int, ...]] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def worlds(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """Every world, told one after the other in one database and undone."""
    with django_db_blocker.unblock(), _without_readiness():
        found = {name: told(name, tmp_path_factory.mktemp(name), later=SEALS) for name in PAIR}
        return found | {name: told(name, tmp_path_factory.mktemp(name), first=BRIEF, later=("readyz",)) for name in FURTHER}


@pytest.fixture(scope="module")
def worlds_in_full(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """The same, with every address asked in every phase by every method."""
    with django_db_blocker.unblock(), _without_readiness():
        return {name: told(name, tmp_path_factory.mktemp(name), thorough=True) for name in PAIR | FURTHER}


@contextmanager
def _without_readiness() -> Iterator[None]:
    logging.getLogger("django.request").addFilter(_not_readiness)
    yield
    logging.getLogger("django.request").removeFilter(_not_readiness)


def _not_readiness(record: logging.LogRecord) -> bool:
    return "/readyz" not in record.getMessage()


def told(name: str, folder: Any, *, first: tuple[str, ...] = (), later: tuple[str, ...] = (), thorough: bool = False) -> World:
    """Tell the story with one model, keep what is kept and ask in every phase: the addresses `first` during accrual and `later` after it.

    No names are all addresses. The leaks are planted during accrual, one after the other, in the worlds whose models differ.
    """
    world = World()
    (folder / "inbox").mkdir()
    (folder / second_factor.KEY).parent.mkdir(parents=True)
    (folder / second_factor.KEY).write_bytes(bytes(32))  # else the first who asks for that page makes it
    with frozen.world() as patch, holdings.queued() as sent:
        patch.setattr(django_settings, "VAR", folder)
        patch.setattr(django_settings, "PRIME_BATCH_SECONDS", SECONDS.get(name, django_settings.PRIME_BATCH_SECONDS))
        for phase, story in scenario.tell((PAIR | FURTHER)[name](), folder):
            world.kept[phase] = holdings.everything(folder, sent)
            names = later if phase in ("follow_up", "locked") else first
            with frozen.trying():
                world.answers[phase] = asking.ask_everything(story, names=names, thorough=thorough)
            if phase == "accrual":
                said = scenario.said()
                world.said = [said.get(each.pk) for each in story.participants]
                world.consistent = len(leaks.consistent(story, said))
                for leak in leaks.LEAKS if name in PAIR else ():
                    world.leaking[leak], world.leaking_rows[leak] = _with_leak(leaks.LEAKS[leak], story, said, folder, sent)
        seals = Seal.objects.order_by("ledger_index")
        world.sizes = [tuple(len(bytes(getattr(seal, name))) for name in SIZES) for seal in seals]
        world.bodies = [len(bytes(row.body)) for row in LedgerRow.objects.order_by("index")]
        world.rows = asking.row_counts()
    return world


def _with_leak(
    leak: leaks.Leak, story: scenario.Story, said: leaks.Said, folder: Any, sent: list[str]
) -> tuple[dict[Asked, Answer], holdings.Kept]:
    before = len(sent)
    with frozen.trying(), pytest.MonkeyPatch.context() as patch:
        leak(patch, story, said)
        found = asking.ask_everything(story, who=["coordinator01"], names=leaks.SEEN_ON)
        rows = holdings.everything(folder, sent) if leak.__name__ in leaks.KEPT else {}
    del sent[before:]
    leaks.sweep_up()
    return found, rows


def test_models_say_different_things_of_the_same_patients(worlds: dict[str, World]) -> None:
    """Without this the comparison below would prove nothing."""
    recommended = {name: [payload and str(payload.recommended) for payload in worlds[name].said] for name in PAIR}
    assert recommended == {
        "surgery": [*["SURG"] * 6, None],
        "tace": ["SURG", "SURG", *["TACE"] * 4, None],
    }
    assert {worlds[name].consistent for name in PAIR} == {1, 3}
    assert {payload.outcome for name in PAIR for payload in worlds[name].said if payload} == {Outcome.ANSWER}
    for name, outcomes in SAID.items():
        said = [payload for payload in worlds[name].said if payload]
        assert Counter(payload.reason if payload.outcome == Outcome.FAILURE else str(payload.outcome) for payload in said) == outcomes


def only(answers: dict[Asked, Answer], role: str) -> dict[Asked, Answer]:
    return {asked: answer for asked, answer in answers.items() if asked[0].removesuffix("01") == role}


def told_apart(one: World, other: World, phase: str, role: str) -> list[str]:
    """What a role was answered differently, of all that was asked in both worlds."""
    mine, theirs = only(one.answers[phase], role), only(other.answers[phase], role)
    both = mine.keys() & theirs.keys()
    assert both == min((mine, theirs), key=len).keys() != set()
    return asking.differences({asked: mine[asked] for asked in both}, {asked: theirs[asked] for asked in both})


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("phase", scenario.PHASES)
def test_nobody_can_tell_the_worlds_apart(worlds: dict[str, World], phase: str, role: str) -> None:
    """BL-01, BL-05: same status, headers, cookies and body, whatever the model recommends, and whether it does at all."""
    for name in ("tace", *FURTHER):
        assert told_apart(worlds["surgery"], worlds[name], phase, role) == [], name


@pytest.mark.soak
@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("phase", scenario.PHASES)
def test_nobody_can_tell_the_worlds_apart_by_any_address(worlds_in_full: dict[str, World], phase: str, role: str) -> None:
    """The same for every address and method in every phase and world."""
    for name in ("tace", *FURTHER):
        one, other = (only(worlds_in_full[each].answers[phase], role) for each in ("surgery", name))
        assert one
        assert asking.differences(one, other) == [], name


@pytest.mark.parametrize("phase", scenario.PHASES)
def test_every_world_keeps_the_same(worlds: dict[str, World], phase: str) -> None:
    """BL-05: same rows in every table that the site can read, same files and sizes, same tasks."""
    one = worlds["surgery"].kept[phase]
    assert {"studies_milestone", "accounts_ledgerrow", "accounts_heartbeat", "files", "queue"} <= one.keys()
    assert phase == "draft" or (one["studies_milestone"] and one["files"])
    for name in ("tace", *FURTHER):
        assert holdings.differences(one, worlds[name].kept[phase]) == [], name


def test_everything_is_asked(worlds: dict[str, World]) -> None:
    """Every address by every role before treatment is over, what tells of seals after it; and the pages do show something."""
    without_object = {address.name for address in ADDRESSES if address.argument in ("", "format")} | GATEWAY
    names = {"draft": without_object, "accrual": {address.name for address in ADDRESSES}, "follow_up": set(SEALS), "locked": set(SEALS)}
    for phase, answers in worlds["tace"].answers.items():
        _is_asked(answers, names[phase])
    methods = {asked[1] for asked in worlds["tace"].answers["accrual"]}
    assert methods == {"GET", "POST", "HEAD", "OPTIONS"}
    broken = {asked[1:3] for told in worlds["tace"].answers.values() for asked, answer in told.items() if answer.status >= 500}
    assert {name for _, name in broken} <= {"readyz"}, "an error page is the same in every world, and tells nothing"
    shown = {asked[2] for asked, answer in worlds["tace"].answers["accrual"].items() if answer.status == 200}
    assert {"participant", "participants", "worklist", "screening-log", "overview", "series", "api-participant-detail", "schema"} <= shown


def _is_asked(answers: dict[Asked, Answer], names: set[str]) -> None:
    roles = {asked[0] for asked in answers}
    assert len(roles) == len(Role) + 1
    assert {(asked[0], asked[2]) for asked in answers} == {(role, name) for role in roles for name in names}


@pytest.mark.soak
def test_everything_is_asked_in_full(worlds_in_full: dict[str, World]) -> None:
    without_object = {address.name for address in ADDRESSES if address.argument in ("", "format")} | GATEWAY
    for world in worlds_in_full.values():
        for phase, answers in world.answers.items():
            _is_asked(answers, without_object if phase == "draft" else {address.name for address in ADDRESSES})


@pytest.mark.parametrize("name", leaks.ON_PAGES)
def test_planted_leak_is_found(worlds: dict[str, World], name: str) -> None:
    """Teeth: the comparison catches a field, a line, an order, a count, shuffled tags, a milestone, a header, a size, a status."""
    one, other = (worlds[each].leaking[name] for each in PAIR)
    assert asking.differences(one, other) != []


@pytest.mark.parametrize("name", leaks.KEPT)
def test_planted_leak_that_is_kept_is_found_where_it_lies(worlds: dict[str, World], name: str) -> None:
    """Teeth: a milestone, another try for one patient, a task and a file are found without any page, and in the right place."""
    one, other = (worlds[each].leaking_rows[name] for each in PAIR)
    assert {told.split(":")[0] for told in holdings.differences(one, other)} == leaks.KEPT[name]


def test_seals_are_alike_in_every_length(worlds: dict[str, World]) -> None:
    """SL-05: ciphertext, wraps, ledger bodies and the number of rows of every table, in every world."""
    assert len(worlds["surgery"].sizes) == 6
    assert len({size for world in worlds.values() for size in world.sizes}) == 1
    for world in worlds.values():
        assert (world.bodies, world.rows) == (worlds["surgery"].bodies, worlds["surgery"].rows)


HASH = "ab" * 32


@pytest.mark.parametrize(
    ("said", "known", "kept"),
    [
        (HASH, {HASH: "head 3"}, "<head 3>"),
        (HASH, {}, HASH),
        (HASH[:-1], {HASH: "head 3"}, HASH[:-1]),
        (HASH + "0", {HASH: "head 3"}, HASH + "0"),
        (HASH[:16], {HASH: "head 3"}, HASH[:16]),
    ],
)
def test_only_whole_known_digests_are_replaced(said: str, known: dict[str, str], kept: str) -> None:
    """The closed list stays closed: another digest, or a part of one, is compared as it is."""
    assert normalise.body(said.encode(), known) == kept.encode()


def test_token_of_another_length_is_compared() -> None:
    field_ = b'name="csrfmiddlewaretoken" value="%b"'
    assert normalise.body(field_ % (b"a" * 64), {}) == field_ % b"<form token>"
    assert normalise.body(field_ % (b"a" * 63), {}) == field_ % (b"a" * 63)
