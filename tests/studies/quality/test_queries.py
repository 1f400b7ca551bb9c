"""Queries move only along their table, by whom it allows; two people at once answer or close once (AU-06)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import audit
from accounts.transitions import NotAllowedNow
from studies.models import Participant, Query, QueryMessage
from studies.quality import own, queries
from studies.quality.pointer import Pointer
from studies.vocabulary import QueryStatus, Role
from tests.studies import world as worlds
from tests.studies.world import World


def at_surgery(participant: Participant) -> Pointer:
    return own.screening_pointer(participant, "surgery_date")


def asked(world: World, participant: Participant | None = None) -> Query:
    participant = participant or worlds.enrolled(world)
    by = world.people[Role.MONITOR]
    return queries.ask(pointer=at_surgery(participant), participant=participant, text="Is this the day of surgery?", by=by)


def test_thread_keeps_who_said_what(world):
    query = asked(world)
    query = queries.answer(query=query, text="It was the second operation.", corrected=True, by=world.coordinator)
    query = queries.reopen(query=query, reason="The note says 2 March.", by=world.people[Role.MONITOR])
    query = queries.answer(query=query, text="The note is right.", corrected=False, by=world.people[Role.SITE_PI])
    query = queries.close(query=query, reason="Agreed.", by=world.people[Role.DATA_MANAGER])
    thread = [(said.move, said.said_by.username, said.text, said.corrected) for said in query.messages.order_by("pk")]
    assert thread == [
        ("raised", "monitor-DEMO", "Is this the day of surgery?", None),
        ("answered", "coordinator-DEMO", "It was the second operation.", True),
        ("reopened", "monitor-DEMO", "The note says 2 March.", None),
        ("answered", "site_pi-DEMO", "The note is right.", False),
        ("closed", "data_manager-DEMO", "Agreed.", None),
    ]
    assert (query.status, query.closed_by, query.closed_on) == ("closed", world.people[Role.DATA_MANAGER], world.study.today())


def test_message_is_never_changed_and_query_never_deleted(world):
    query = asked(world)
    for change in (lambda: QueryMessage.objects.update(text="other"), lambda: Query.objects.filter(pk=query.pk).delete()):
        with pytest.raises(DatabaseError), transaction.atomic(), audit.act(by=world.system, action="test"):
            change()


MOVES = ("answer", "close", "reopen")
ROLES = (Role.COORDINATOR, Role.SITE_PI, Role.DATA_MANAGER, Role.MONITOR, Role.INVESTIGATOR, Role.READER, Role.PACS_ADMIN)
MAY = {
    "answer": {Role.COORDINATOR, Role.SITE_PI},
    "close": {Role.DATA_MANAGER, Role.MONITOR},
    "reopen": {Role.DATA_MANAGER, Role.MONITOR},
}
LEADS = {
    "open": {"answer": "answered", "close": "closed"},
    "answered": {"close": "closed", "reopen": "reopened"},
    "reopened": {"answer": "answered", "close": "closed"},
    "closed": {"reopen": "reopened"},
}


def do(move: str, query: Query, by: object) -> Query:
    if move == "answer":
        return queries.answer(query=query, text="said", corrected=False, by=by)
    return getattr(queries, move)(query=query, reason="said", by=by)


@pytest.fixture
def standing(world: World) -> tuple[World, Query]:
    """An open query, and everybody who may try to move it."""
    for role in ROLES:
        assert world.people[role]
    return world, asked(world)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(ROLES)), max_size=12))
def test_random_moves_follow_the_table(standing, steps):
    """Property: after any sequence the status is what the table says, every accepted move left one message, no refused one any."""
    world, query = standing
    with transaction.atomic():
        query.refresh_from_db()
        status, said = "open", 1
        for move, role in steps:
            try:
                with transaction.atomic():
                    query = do(move, query, world.people[role])
            except PermissionDenied:
                assert role not in MAY[move]
            except NotAllowedNow:
                assert role in MAY[move]
                assert move not in LEADS[status]
            else:
                assert role in MAY[move]
                status, said = LEADS[status][move], said + 1
            query.refresh_from_db()
            assert (query.status, query.messages.count()) == (status, said)
            assert (query.closed_at is not None) == (status == "closed")
        transaction.set_rollback(True)


@pytest.mark.parametrize("start", QueryStatus.values)
@pytest.mark.parametrize("end", QueryStatus.values)
def test_table_is_what_the_rule_says(start, end):
    """open→answered→closed/reopened; an open one may be closed as raised in error, a closed one asked again."""
    allowed = {("open", "answered"), ("open", "closed"), ("answered", "closed"), ("answered", "reopened"), ("reopened", "answered"),
               ("reopened", "closed"), ("closed", "reopened")}  # fmt: skip
    assert (QueryStatus(end) in Query.TRANSITIONS[QueryStatus(start)]) == ((start, end) in allowed)


def test_other_centers_queries_are_out_of_reach(world):
    """SE-04: neither listed nor moved."""
    worlds.join(world.study, there := worlds.person("there"), Role.COORDINATOR, world.other, world.system)
    foreign = worlds.enrolled(world, center=world.other, by=there)
    query = asked(world, foreign)
    assert not queries.queries_for(world.coordinator).exists()
    assert queries.queries_for(there).get() == query
    with pytest.raises(PermissionDenied):
        queries.answer(query=query, text="mine", corrected=False, by=world.coordinator)


@pytest.mark.parametrize(
    ("text", "confirmed", "fine"),
    [
        ("", False, False),
        ("  ", False, False),
        ("Wrong unit?", False, True),
        ("Ring 13812345678", False, False),
        ("Ring 13812345678", True, True),
        ("Patient 11010519491231002X", True, False),
        ("x" * 2001, False, False),
    ],
)
def test_text_carries_no_identity(world, text, confirmed, fine):
    participant = worlds.enrolled(world)
    given_ = {"pointer": at_surgery(participant), "participant": participant, "by": world.people[Role.DATA_MANAGER]}
    if fine:
        assert queries.ask(text=text, confirmed=confirmed, **given_).text == text
    else:
        with pytest.raises(ValidationError):
            queries.ask(text=text, confirmed=confirmed, **given_)
        assert not Query.objects.exists()


def test_bulk_raises_and_closes_all_or_none(world):
    people = [worlds.enrolled(world) for _ in range(3)]
    by = world.people[Role.DATA_MANAGER]
    made = queries.ask_many(pointers={each: at_surgery(each) for each in people}, text="Please compare.", by=by)
    assert len(made) == 3
    queries.close(query=made[1], reason="done", by=by)
    with pytest.raises(NotAllowedNow):
        queries.close_many(queries=made, reason="all done", by=by)
    assert sorted(Query.objects.values_list("status", flat=True)) == ["closed", "open", "open"]
    queries.close_many(queries=[made[0], made[2]], reason="all done", by=by)
    assert set(Query.objects.values_list("status", flat=True)) == {"closed"}


def test_rule_asks_once_until_closed(world):
    participant = worlds.enrolled(world)
    asks = {
        "pointer": at_surgery(participant), "center": world.own, "participant": participant, "rule": "AGE", "rule_version": "1.0",
        "seen": {"age_at_surgery": "17"},
    }  # fmt: skip
    query = queries.raise_by_rule(**asks)
    with pytest.raises((IntegrityError, ValidationError)), transaction.atomic():
        queries.raise_by_rule(**asks)
    closed = queries.close_by_rule(query=query)
    assert (closed.status, closed.closed_by) == ("closed", world.system)
    with pytest.raises(NotAllowedNow):
        queries.reopen(query=closed, reason="no", by=world.people[Role.MONITOR])
    assert queries.raise_by_rule(**asks).pk != query.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("move", ["answer", "close"])
def test_two_people_at_once_move_a_query_once(move):
    """One of them is told to reload; the thread has one message more."""
    world = worlds.build()
    query = asked(world)
    by = world.coordinator if move == "answer" else world.people[Role.MONITOR]

    def attempt(_: int) -> bool:
        try:
            do(move, Query.objects.get(pk=query.pk), by)
        except NotAllowedNow:
            return False
        finally:
            close_old_connections()
            transaction.get_connection().close()
        return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(attempt, range(4)))
    assert sorted(done) == [False, False, False, True]
    assert query.messages.count() == 2
