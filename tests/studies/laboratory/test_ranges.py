"""Reference ranges by center, method and date: one on a day, kept when they change, read in the stored unit."""

from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import audit
from accounts.models import User
from studies.laboratory import ranges
from studies.laboratory.ranges import Limits
from studies.models import ReferenceRange
from tests import world as worlds

pytestmark = pytest.mark.django_db
NEW_YEAR = date(2026, 1, 1)


@pytest.fixture
def world(db):
    return worlds.build()


@pytest.fixture
def center(world):
    return world.centers["01"]


def record(world, center, *, item="ast", low=15, high=40, unit="U/L", on=NEW_YEAR, by="coordinator01", **more):
    limits = {"low": Decimal(str(low)), "high": Decimal(str(high))}
    return ranges.record(center=center, item=item, unit=unit, valid_from=on, by=world.people[by], **limits, **more)


def test_range_holds_from_its_day_to_its_last(world, center):
    """A value of an old day keeps the range of that day."""
    old = record(world, center)
    ranges.end(reference_range=old, last_day=date(2026, 6, 30), by=world.people["data_manager"])
    record(world, center, high=35, on=date(2026, 7, 1))
    item = center.study.dictionary.item("ast")
    held = {day: ranges.limits(center=center, item=item, on=day) for day in (date(2025, 12, 31), date(2026, 6, 30), date(2026, 7, 1))}
    assert held == {
        date(2025, 12, 31): None,
        date(2026, 6, 30): Limits(Decimal(15), Decimal(40)),
        date(2026, 7, 1): Limits(Decimal(15), Decimal(35)),
    }


def test_method_and_sex_are_told_apart_where_the_laboratory_does(world, center):
    record(world, center, item="alt", low=9, high=50, sex="M")
    record(world, center, item="alt", low=7, high=40, sex="F")
    record(world, center, item="afp", low=0, high=7, unit="ng/mL")
    record(world, center, item="afp", low=0, high="10.9", unit="ng/mL", method="Architect")
    book = center.study.dictionary
    assert ranges.limits(center=center, item=book.item("alt"), on=NEW_YEAR, sex="F").high == 40
    assert ranges.limits(center=center, item=book.item("alt"), on=NEW_YEAR, sex="U") is None
    assert ranges.limits(center=center, item=book.item("afp"), on=NEW_YEAR, method="Architect").high == Decimal("10.9")
    assert ranges.limits(center=center, item=book.item("afp"), on=NEW_YEAR, method="Cobas").high == 7


def test_limits_are_read_in_the_stored_unit(world, center):
    """Bilirubin 0.2-1.2 mg/dL is 3.4208-20.5248 µmol/L (× 17.104)."""
    record(world, center, item="bilirubin", low="0.2", high="1.2", unit="mg/dL")
    found = ranges.limits(center=center, item=center.study.dictionary.item("bilirubin"), on=NEW_YEAR)
    assert found == Limits(Decimal("3.4208"), Decimal("20.5248"))


@pytest.mark.parametrize(
    ("value", "comparator", "place"),
    [
        ("40", "", "within"),
        ("40.1", "", "high"),
        ("14.9", "", "low"),
        ("40", ">", "high"),
        ("30", ">", ""),
        ("15", "<", "low"),
        ("20", "<", ""),
    ],
)
def test_value_is_placed_only_where_it_is_certain(value, comparator, place):
    assert Limits(Decimal(15), Decimal(40)).place(Decimal(value), comparator) == place


@pytest.mark.parametrize(
    "second",
    [{"on": date(2026, 3, 1)}, {"on": date(2025, 1, 1)}, {"sex": "M", "on": date(2026, 3, 1)}],
    ids=["later", "earlier and open", "of men, where one holds for all"],
)
def test_second_range_on_a_day_is_refused_with_a_sentence(world, center, second):
    record(world, center)
    with pytest.raises(ValidationError, match="End that one first|请先结束"):
        record(world, center, **second)


def test_database_refuses_an_overlap_that_nobody_checked(world, center):
    """The constraint itself, past every check of the program."""
    row = record(world, center)
    again = ReferenceRange(**{name: getattr(row, name) for name in ("center", "item", "unit", "low", "high", "recorded_at", "recorded_by")})
    again.valid_from = NEW_YEAR + timedelta(days=9)
    with pytest.raises(IntegrityError) as refused, transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        again.save()
    assert isinstance(refused.value.__cause__, psycopg.errors.ExclusionViolation)


@pytest.mark.parametrize(
    "wrong",
    [{"item": "hbsag"}, {"item": "tumour_diameter_cm"}, {"unit": "mg/dL"}, {"low": 40, "high": 15}],
    ids=["answered in words", "no laboratory test", "not its unit", "limits the wrong way round"],
)
def test_range_that_cannot_be_is_refused(world, center, wrong):
    with pytest.raises(ValidationError):
        record(world, center, **wrong)


def test_correction_needs_a_reason_and_leaves_a_trail(world, center):
    """AU-03: what stood there before stays in the history."""
    row = record(world, center, high=400)
    by = world.people["coordinator01"]
    with pytest.raises(ValidationError):
        ranges.correct(reference_range=row, low=Decimal(15), high=Decimal(40), reason=" ", by=by)
    row = ranges.correct(reference_range=row, low=Decimal(15), high=Decimal(40), reason="one zero too many", by=by)
    events = list(audit.history(row))
    assert [event.high for event in events] == [400, 40]
    assert events[-1].pgh_context["reason"] == "one zero too many"


@pytest.mark.parametrize("person", ["coordinator02", "monitor", "investigator", "reader01"])
def test_others_enter_none(world, center, person):
    with pytest.raises(PermissionDenied):
        record(world, center, by=person)


def test_pages_record_end_and_correct(world, center):
    """A coordinator's way: record, be told of the overlap, end the old one, see the list count what it shows."""
    client = Client()
    client.force_login(world.people["coordinator01"])
    sent = {"center": str(center.uuid), "item": "ast", "unit": "U/L", "low": "１５", "high": "40", "valid_from": "2026年1月1日"}
    assert client.post(reverse("range-new"), sent).status_code == 302
    refused = client.post(reverse("range-new"), sent | {"valid_from": "2026-07-01", "high": "35"})
    assert refused.status_code == 400
    row = ReferenceRange.objects.get()
    assert client.post(reverse("range-end", args=[row.uuid]), {"last_day": "2026-06-30"}).status_code == 302
    assert client.post(reverse("range-new"), sent | {"valid_from": "2026-07-01", "high": "35"}).status_code == 302
    page = client.get(reverse("ranges"))
    assert page.context["total"] == ReferenceRange.objects.filter(valid_until=None).count() == 1
    wrong = client.post(reverse("range-correct", args=[row.uuid]), {"low": "15", "high": "4O", "reason": "typing error"})
    assert (wrong.status_code, "4O" in wrong.content.decode()) == (400, True)


def test_list_shows_the_ranges_of_own_centers_only(world):
    """SE-04, and a number of queries that does not grow with the rows."""
    for number in ("01", "02"):
        for offset, item in enumerate(["ast", "alt", "ggt", "alp"]):
            record(world, world.centers[number], item=item, by=f"coordinator{number}", on=NEW_YEAR + timedelta(days=offset))
    client = Client()
    client.force_login(world.people["coordinator01"])

    def listed():
        with CaptureQueriesContext(connection) as queries:
            shown = client.get(reverse("ranges")).context["shown"]
        return {line.row.center.code for line in shown}, len(shown), len(queries)

    centers, few, asked = listed()
    assert (centers, few) == ({"01"}, 4)
    for offset in range(8):
        record(world, world.centers["01"], item="albumin", unit="g/L", on=NEW_YEAR + timedelta(days=offset), method=f"method {offset}")
    assert listed() == ({"01"}, 12, asked)
