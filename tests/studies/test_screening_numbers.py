"""Gapless numbers under concurrency, with real second connections (EN-02, EN-03)."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from accounts.transitions import NotAllowedNow
from studies import enrollment, setup
from studies.models import Participant, Screening
from tests.studies import world as worlds
from tests.studies.world import ENROLLED, SURGERY, World

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 50


class Injected(Exception):
    """A failure after the number was allotted."""


def ready() -> World:
    """The world with its coordinator already there, for no thread may be the one to make her."""
    world = worlds.build()
    assert world.coordinator.pk
    return world


def at_once(calls: list[Callable[[], object]], width: int = AT_ONCE) -> list[object]:
    """Run calls in threads with a connection each; a refusal is returned, any other exception raised."""

    def run(call: Callable[[], object]) -> object:
        try:
            return call()
        except (Injected, NotAllowedNow) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(width) as pool:
        return list(pool.map(run, calls))


def test_fifty_concurrent_screenings_with_rollbacks_number_without_gap() -> None:
    """EN-02: 50 callers, a third of them rolled back after their number was given; what stays is 1…n."""
    world = ready()

    def screen(fails: bool) -> None:
        with transaction.atomic():
            worlds.screened(world)
            if fails:
                raise Injected

    fails = [place % 3 == 0 for place in range(50)]
    random.Random(3).shuffle(fails)
    at_once([lambda one=one: screen(one) for one in fails])  # type: ignore[misc]
    kept = fails.count(False)
    assert list(Screening.objects.order_by("number").values_list("number", flat=True)) == list(range(1, kept + 1))


def test_concurrent_clicks_on_one_patient_enrol_once_and_numbers_of_many_have_no_gap() -> None:
    """EN-02, EN-05: eight patients, each clicked three times at once: eight participants, sequence 1…8."""
    world = ready()
    lines = [worlds.consented(world) for _ in range(8)]
    calls = [lambda line=line: enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator) for line in lines * 3]  # type: ignore[misc]
    answers = at_once(calls)
    assert sum(isinstance(answer, NotAllowedNow) for answer in answers) == 16
    assert list(Participant.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(1, 9))


def test_same_row_sent_at_once_is_screened_once() -> None:
    world = ready()
    made = at_once([lambda: worlds.screened(world, row_token="f" * 64)] * 6)
    assert len({line.pk for line in made if isinstance(line, Screening)}) == 1
    assert Screening.objects.count() == 1


@pytest.mark.parametrize("closes", ["center", "study"])
def test_closure_waits_for_a_running_enrolment_and_stops_the_next(closes: str) -> None:
    """EN-03: closure and enrolment are settled one after the other, whichever comes first."""
    world = ready()
    first, second = worlds.consented(world, signed_on=ENROLLED), worlds.consented(world, signed_on=ENROLLED)
    enrolled, closed = threading.Event(), threading.Event()

    def enrol_slowly() -> None:
        with transaction.atomic():
            enrollment.enroll(screening=first, on=ENROLLED, by=world.coordinator)
            enrolled.set()
            assert not closed.wait(0.3), "closure overtook an enrolment that had not committed"

    def close() -> None:
        enrolled.wait(10)
        day = SURGERY + timedelta(days=1)
        if closes == "center":
            setup.close_center(center=world.own, on=day, reason="leaves", by=world.system)
        else:
            setup.close_accrual(study=world.study, last_day=day, overrun_days=0, reason="target", by=world.system)
        closed.set()

    at_once([enrol_slowly, close])
    assert closed.is_set()
    with pytest.raises(NotAllowedNow):
        enrollment.enroll(screening=second, on=ENROLLED, by=world.coordinator)
    assert Participant.objects.count() == 1


def test_rolled_back_number_is_given_again() -> None:
    """EN-02: no database sequence stands behind the number."""
    world = ready()
    with pytest.raises(Injected), transaction.atomic():
        worlds.screened(world)
        raise Injected
    assert worlds.screened(world).number == 1
