"""Twin worlds: the same study twice, with models that say different things; nobody can tell which one he lives in (BL-01 to BL-05, SL-05).

The whole pipeline runs in each: registration, blind batch, treatment, visits, recurrence, death, lock. Compared are status,
every header, cookies and body of every address, for every role and a stranger, in every phase before publication.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction

from accounts.models import LedgerRow
from predictions.models import Seal
from predictions.payload import Outcome
from studies.vocabulary import Role
from tests.gates import asking, frozen, leaks, normalise, rules, scenario
from tests.gates.asking import STRANGER, Answer, Asked
from tests.gates.test_addresses import ADDRESSES, GATEWAY

pytestmark = pytest.mark.django_db
MODELS = {"surgery": rules.surgery_alone, "tace": rules.tace_by_afp}
SIZES = ("ciphertext", "wrap_ab", "wrap_ac", "wrap_bc")


@dataclass
class World:
    """What one world answered, what its model said, and the sizes of its seals."""

    answers: dict[str, dict[Asked, Answer]] = field(default_factory=dict)
    leaking: dict[str, dict[Asked, Answer]] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)
    consistent: int = 0
    sizes: list[tuple[int, ...]] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def worlds(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """Both worlds, told one after the other in one database and undone."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        logging.getLogger("django.request").addFilter(_not_readiness)
        found = {}
        for name, model in MODELS.items():
            folder = tmp_path_factory.mktemp(name)
            (folder / "inbox").mkdir()
            patch.setattr(django_settings, "VAR", folder)
            found[name] = told(model(), folder)
        logging.getLogger("django.request").removeFilter(_not_readiness)
        return found


def _not_readiness(record: logging.LogRecord) -> bool:
    return "/readyz" not in record.getMessage()


def told(data: bytes, folder: Any) -> World:
    """Tell the story with one model and ask in every phase; the leaks are planted during accrual, one after the other."""
    world = World()
    with frozen.world():
        for phase, story in scenario.tell(data, folder):
            world.answers[phase] = asking.ask_everything(story)
            if phase == "accrual":
                said = scenario.said()
                world.said = [said.get(each.pk) for each in story.participants]
                world.consistent = len(leaks.consistent(story, said))
                world.leaking = {name: _with_leak(leak, story, said) for name, leak in leaks.LEAKS.items()}
        seals = Seal.objects.order_by("ledger_index")
        world.sizes = [tuple(len(bytes(getattr(seal, name))) for name in SIZES) for seal in seals]
        world.bodies = [len(bytes(row.body)) for row in LedgerRow.objects.order_by("index")]
        world.rows = asking.row_counts()
    return world


def _with_leak(leak: leaks.Leak, story: scenario.Story, said: leaks.Said) -> dict[Asked, Answer]:
    with transaction.atomic(), pytest.MonkeyPatch.context() as patch:
        leak(patch, story, said)
        found = asking.ask_everything(story, who=["coordinator01"], names=leaks.SEEN_ON)
        transaction.set_rollback(True)
    return found


def test_models_say_different_things_of_the_same_patients(worlds: dict[str, World]) -> None:
    """Without this the comparison below would prove nothing."""
    recommended = {name: [payload and str(payload.recommended) for payload in world.said] for name, world in worlds.items()}
    assert recommended == {
        "surgery": [*["SURG"] * 6, None],
        "tace": ["SURG", "SURG", *["TACE"] * 4, None],
    }
    assert {world.consistent for world in worlds.values()} == {1, 3}
    assert {payload.outcome for world in worlds.values() for payload in world.said if payload} == {Outcome.ANSWER}


def only(answers: dict[Asked, Answer], role: str) -> dict[Asked, Answer]:
    return {asked: answer for asked, answer in answers.items() if asked[0].removesuffix("01") == role}


@pytest.mark.parametrize("role", [*(f"{role}" for role in Role), STRANGER])
@pytest.mark.parametrize("phase", scenario.PHASES)
def test_nobody_can_tell_the_worlds_apart(worlds: dict[str, World], phase: str, role: str) -> None:
    """BL-01, BL-05: every address, every method: same status, headers, cookies and body."""
    one, other = (only(world.answers[phase], role) for world in worlds.values())
    assert one
    assert asking.differences(one, other) == []


def test_everything_is_asked(worlds: dict[str, World]) -> None:
    """Every address by every role in every phase; and the pages do show something to those who may see it."""
    without_object = {address.name for address in ADDRESSES if address.argument in ("", "format")} | GATEWAY
    for phase, answers in worlds["tace"].answers.items():
        names = without_object if phase == "draft" else {address.name for address in ADDRESSES}
        roles = {asked[0] for asked in answers}
        assert len(roles) == len(Role) + 1
        assert {(asked[0], asked[2]) for asked in answers} == {(role, name) for role in roles for name in names}
    methods = Counter(asked[1] for asked in worlds["tace"].answers["accrual"])
    assert set(methods) == {"GET", "POST", "HEAD", "OPTIONS"}
    broken = {asked[1:3] for told in worlds["tace"].answers.values() for asked, answer in told.items() if answer.status >= 500}
    assert {name for _, name in broken} <= {"readyz"}, "an error page is the same in every world, and tells nothing"
    shown = {asked[2] for asked, answer in worlds["tace"].answers["accrual"].items() if answer.status == 200}
    assert {"participant", "participants", "worklist", "screening-log", "overview", "series", "api-participant-detail", "schema"} <= shown


@pytest.mark.parametrize("name", leaks.LEAKS)
def test_planted_leak_is_found(worlds: dict[str, World], name: str) -> None:
    """Teeth: the comparison catches a field, a line, an order, a count, shuffled tags, a milestone, a header, a size, a status."""
    one, other = (world.leaking[name] for world in worlds.values())
    assert asking.differences(one, other) != []


def test_seals_are_alike_in_every_length(worlds: dict[str, World]) -> None:
    """SL-05: ciphertext, wraps, ledger bodies and the number of rows of every table."""
    one, other = worlds.values()
    assert len(one.sizes) == 6
    assert len(set(one.sizes + other.sizes)) == 1
    assert one.bodies == other.bodies
    assert one.rows == other.rows


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
