"""A list is its owner's, a colleague's for some days, or everybody's; only at one's own center and only by its owner or investigator."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from accounts.transitions import NotAllowedNow
from prime_platform import completeness
from studies.models import Handover
from studies.quality import handover
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_query_pages import page_as, post_as

DAY = timedelta(days=1)


@pytest.fixture
def two(world):
    """Two coordinators of center 01: one enrolled three, the other two."""
    other = worlds.person("second")
    worlds.join(world.study, other, Role.COORDINATOR, world.own, world.system)
    own = [worlds.enrolled(world) for _ in range(3)]
    theirs = [worlds.enrolled(world, by=other) for _ in range(2)]
    return world, other, own, theirs


def seen(user, whose):
    return completeness.matrix(user, whose).count()


def hand(world, giver, taker, since=None, until=None, **changes):
    today = timezone.localdate()
    given = {
        "center": world.own,
        "giver": giver,
        "taker": taker,
        "since": since or today,
        "until": until or today,
        "note": "away",
        "by": giver,
    }
    return handover.hand_over(**{**given, **changes})


def test_list_is_whose_it_is(two):
    world, other, own, _ = two
    assert [seen(world.coordinator, whose) for whose in handover.WHOSE] == [5, 3, 0]
    assert [seen(other, whose) for whose in handover.WHOSE] == [5, 2, 0]
    handover.assign(participants=own[:1], person=other, by=world.coordinator, note="lives nearer")
    assert [seen(other, "mine"), seen(world.coordinator, "mine")] == [3, 2]
    assert seen(world.coordinator, str(other.uuid)) == 3


def test_colleague_holds_a_list_from_day_to_day(two):
    """Today's handover shows; yesterday's and tomorrow's do not; ended, it is gone."""
    world, other, _, _ = two
    today = timezone.localdate()
    hand(world, world.coordinator, other, since=today + DAY, until=today + 3 * DAY)
    assert seen(other, "covered") == 0
    row = hand(world, world.coordinator, other, since=today, until=today + DAY)
    assert (seen(other, "covered"), seen(other, "mine"), seen(world.coordinator, "mine")) == (3, 2, 3)
    handover.take_back(handover=row, by=other)
    assert seen(other, "covered") == 0
    with pytest.raises(NotAllowedNow):
        handover.take_back(handover=row, by=world.coordinator)


def test_handover_that_cannot_be_is_refused(two):
    world, other, own, _ = two
    today = timezone.localdate()
    worlds.join(world.study, stranger := worlds.person("there"), Role.COORDINATOR, world.other, world.system)
    for wrong in (
        {"until": today - DAY, "since": today - DAY}, {"since": today + DAY, "until": today}, {"taker": stranger}, {"note": " "},
        {"taker": world.coordinator}, {"note": "ring 13812345678"},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            hand(world, world.coordinator, **{"taker": other, **wrong})
    with pytest.raises(PermissionDenied):
        hand(world, world.coordinator, other, by=other)
    with pytest.raises(PermissionDenied):
        hand(world, world.coordinator, other, by=world.people[Role.MONITOR])
    with pytest.raises(ValidationError):
        handover.assign(participants=own, person=stranger, by=world.coordinator)
    assert not Handover.objects.exists()
    assert hand(world, world.coordinator, other, by=world.people[Role.SITE_PI]).agreed_by == world.people[Role.SITE_PI]


def test_page_hands_over_and_ends(two):
    world, other, _, _ = two
    shown = page_as(world.coordinator, "handovers")
    assert dict(shown.context["lists"])[other] == 2
    today = timezone.localdate().isoformat()
    sent = {"taker": str(other.uuid), "since": today, "until": today, "note": "conference"}
    assert post_as(world.coordinator, "handovers", **{**sent, "note": ""}).status_code == 400
    assert post_as(world.coordinator, "handovers", **sent).status_code == 302
    row = Handover.objects.get()
    assert page_as(other, "completeness", whose="covered").context["total"] == 3
    assert post_as(other, "handover-end", row.uuid).status_code == 302
    assert page_as(world.people[Role.MONITOR], "handovers").status_code == 403
