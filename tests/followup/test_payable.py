"""Payable visits: made, nothing asked, nothing left to compare; as a file that a spreadsheet cannot run (SE-05). And the risk page."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.models import AccessRecord
from followup import events, payable
from followup.models import Assessment
from prime_platform import risk
from studies.governance import deviations
from studies.models import Verification
from studies.quality import queries, rules, verification
from studies.quality.pointer import Pointer
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_queries import asked
from tests.studies.world import SURGERY, World


def page_as(user, name, **data):
    client = Client()
    client.force_login(user)
    return client.get(reverse(name), data)


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()


@pytest.fixture
def made(world, monkeypatch):
    """Three visits whose fields are all drawn for verification: one verified, one asked about, one neither."""
    monkeypatch.setattr(verification, "is_sampled", lambda *args: True)
    rows = []
    for _ in range(3):
        person = worlds.enrolled(world)
        on = SURGERY + timedelta(days=35)
        rows.append(
            events.record_assessment(
                participant=person, on=on, modality="CT", adequate=True, finding="free", visit="M1", by=world.coordinator
            )
        )
    monitor = world.people[Role.MONITOR]
    seen = {row.uuid: row.value_hash for row in Verification.objects.filter(record_uuid=rows[0].uuid)}
    verification.verify(participant=rows[0].participant, seen=seen, source="report", by=monitor)
    at = Pointer("followup.Assessment", rows[1].uuid, "on")
    queries.ask(pointer=at, participant=rows[1].participant, text="Which day?", by=monitor)
    return world, rows


def test_visit_is_payable_when_verified_and_unasked(made):
    world, rows = made
    user = world.people[Role.DATA_MANAGER]
    found = {row.pk: payable.state_of(row) for row in payable.visits(user)}
    assert found == {rows[0].pk: "payable", rows[1].pk: "asked", rows[2].pk: "due"}
    assert [payable.visits(user, month=month).count() for month in ("2026-04", "2026-05")] == [3, 0]
    queries.close(query=queries.queries_for(user).get(), reason="fine", by=user)
    assert {payable.state_of(row) for row in payable.visits(user)} == {"payable", "due"}


def test_page_and_file_are_for_whom_they_are(made):
    """The file: byte-order mark, one line per visit of the list, its export recorded; a coordinator gets neither."""
    world, rows = made
    manager, monitor = world.people[Role.DATA_MANAGER], world.people[Role.MONITOR]
    assert page_as(monitor, "payable-visits", state="all").context["total"] == 3
    assert page_as(manager, "payable-visits", month="April").status_code == 400
    assert page_as(world.coordinator, "payable-visits").status_code == 403
    assert page_as(monitor, "payable-csv").status_code == 403
    answer = page_as(manager, "payable-csv", state="payable", month="2026-04")
    lines = answer.content.decode("utf-8").split("\r\n")
    assert lines[0] == "\ufeffcenter,study_number,visit,date,month,state,recorded_on"
    assert lines[1].startswith(f"01,{rows[0].participant.study_number},M1,2026-04-06,2026-04,")
    assert lines[2:] == [""]
    assert AccessRecord.objects.get(kind="export").detail == {"study": world.study.code, "rows": 1}


def test_day_of_entry_is_the_day_at_the_hospital(made):
    """EP-01: what is entered before eight in the morning in Shanghai is not of the day before, as it is in UTC."""
    world, _rows = made
    half_past_seven = datetime(2026, 4, 7, 7, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    with transaction.atomic(), audit.act(by=world.system, action="test"):
        Assessment.objects.update(recorded_at=half_past_seven)
    manager = world.people[Role.DATA_MANAGER]
    assert [lag for _row, _badge, lag in page_as(manager, "payable-visits", state="all").context["rows"]] == [1, 1, 1]
    lines = page_as(manager, "payable-csv", state="payable").content.decode().split("\r\n")
    assert lines[1].endswith(",2026-04-07")
    assert payable.lag_days(manager) == {world.own.pk: (3, 3)}


def test_risk_counts_are_the_lengths_of_their_lists_and_small_shares_are_not_shown(world):
    """Three participants are fewer than 10: counts with their links, no share, no chart."""
    people = [worlds.enrolled(world) for _ in range(3)]
    asked(world, people[0])
    monitor = world.people[Role.MONITOR]
    for category in ("major", "minor"):
        deviations.report(
            center=world.own, kind="other", description="x", occurred_on=SURGERY, category=category, by=world.coordinator
        )  # fmt: skip
    shown = page_as(monitor, "risk")
    counted = {str(row["label"]): [figure.count for figure in row["figures"]] for row in shown.context["rows"]}
    assert (counted["方案偏离"][0], counted["未关闭的重大偏离"][0]) == (2, 1)
    for row in shown.context["rows"]:
        assert row["chart"] == ""
        for figure in row["figures"]:
            assert figure.rate is None
            client = Client()
            client.force_login(monitor)
            assert client.get(figure.url).context["total"] == figure.count, figure.url
    assert page_as(world.coordinator, "risk").status_code == 403
    assert rules.in_force("hcc_adjuvant").least == 10


def test_chart_compares_centers_on_one_line():
    """From 40 to 1090: the highest at 1090, the half at 565; centers at one place share a label; one without a rate is left out."""
    centers = [type("Center", (), {"code": code})() for code in ("01", "02", "03", "04")]
    drawn = risk.chart("Rate", centers, [10.0, 5.0, None, 5.0])
    assert 'cx="1090.0"' in drawn
    assert drawn.count('cx="565.0"') == 2
    assert ">02 04<" in drawn
    assert "03" not in drawn
    assert risk.chart("Rate", centers, [10.0, None, None, None]) == ""
