"""The pages on blindness: what a sponsor and a site see, and what they do not (blinding §3, SL-07)."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts import anchors, ledger
from followup import treatment
from prime_platform.blindness import ORDERS
from studies.vocabulary import Role
from tests import world
from tests.gates import rules
from tests.gates.test_queries_per_page import MOST, REPORTS
from tests.predictions import sealed_world
from tests.questions import asked

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings, tmp_path):
    """One sealed and one unsealed patient at 01, one sealed at 02, and a head of all that."""
    settings.VAR = tmp_path
    found = world.build()
    sealed_world.prepare(found, rules.surgery_alone())
    found.sealed = [sealed_world.complete(found, center) for center in ("01", "02")]
    call_command("infer", "--once")
    found.open = world.enrolled(found, "01", surgery=found.study.today() - timedelta(days=30))
    return found


def page(site, person, name):
    client = Client()
    client.force_login(site.people[person])
    return client.get(reverse(name))


def numbers(line):
    """The counts of a line, which stand under these heads in this order."""
    assert [order for order, _count in line["counts"]] == list(ORDERS.values())
    return [count for _order, count in line["counts"]]


def test_sponsor_sees_order_by_center_heads_and_posture(site):
    said = page(site, "sponsor", "blindness")
    assert said.status_code == 200
    assert [(line["center"], line["enrolled"], numbers(line)) for line in said.context["lines"]] == [
        ("01", 2, [0, 0, 0, 0, 1, 1]), ("02", 1, [0, 0, 0, 0, 1, 0]), ("", 3, [0, 0, 0, 0, 2, 1]),
    ]  # fmt: skip
    body = said.content.decode()
    assert anchors.read(site.study.code)[-1].head.hex() in body
    assert "PRIME_SECOND_FACTOR" in body
    assert not any(participant.study_number in body for participant in (*site.sealed, site.open))
    assert said["Cache-Control"] == "no-store"


@pytest.mark.parametrize("role", Role)
def test_who_sees_which_page(site, role):
    """A center role sees receipts, sponsor, data manager and custodian the panel; nobody sees both."""
    person = next(name for name in site.people if name.removesuffix("01") == role)
    expected = {"receipts": role in ("coordinator", "site_pi"), "blindness": role in ("sponsor", "data_manager", "custodian")}
    for name in ("receipts", "blindness"):
        assert (page(site, person, name).status_code == 200) is expected[name], (role, name)
    assert (page(site, person, "receipt-head").status_code == 200) is expected["receipts"]


def test_site_sees_its_own_receipts_and_a_head_without_its_row(site):
    said = page(site, "coordinator01", "receipts")
    body = said.content.decode()
    assert site.sealed[0].study_number in body
    assert site.sealed[1].study_number not in body
    assert [(person, days) for person, days in said.context["at_risk"]] == [(site.open, 30)]
    head = json.loads(page(site, "coordinator01", "receipt-head").content)
    assert set(head) == {"v", "study", "h", "at"}
    assert head["h"] == anchors.read(site.study.code)[-1].head.hex()


def test_order_follows_the_recorded_treatment(site):
    by, person = site.people["coordinator01"], site.sealed[0]
    start = (site.study.today() - timedelta(days=1)).isoformat()
    treatment.record_course(participant=person, kind="TACE", intent="adjuvant", start=start, source="operation note", by=by)
    own = numbers(page(site, "sponsor", "blindness").context["lines"][0])
    assert own == [0, 0, 1, 0, 0, 1]  # sealed today, treated yesterday
    order = {person.study_number: str(order) for person, _sealed, _known, order in page(site, "coordinator01", "receipts").context["rows"]}
    assert order[person.study_number] != order[site.open.study_number]


def test_opening_and_verification_are_told(site, capsys):
    body = {"request": "a" * 64, "seals": 2, "pair": "AB", "expires_at": 1_800_000_000_000_000}
    ledger.append(study=site.study.code, kind="opening", body=body, at=site.study.ledger_time())
    call_command("verify")
    said = page(site, "data_manager", "blindness")
    assert [(one.pair, one.seals, one.published) for one in said.context["openings"]] == [("AB", 2, False)]
    assert said.context["checked"].detail == {"faults": 0, "heads": False}
    ledger.append(study=site.study.code, kind="publish", body={"request": "a" * 64}, at=site.study.ledger_time())
    assert page(site, "data_manager", "blindness").context["openings"][0].published


@pytest.mark.parametrize(("person", "name"), [("coordinator01", "receipts"), ("data_manager", "blindness")])
def test_page_asks_a_few_questions(site, person, name):
    client = Client()
    client.force_login(site.people[person])
    with asked() as statements:
        client.get(reverse(name))
    assert len(statements) <= REPORTS.get(name, MOST), len(statements)


def test_pages_before_anything_was_sealed(settings, tmp_path):
    settings.VAR = tmp_path
    found = world.build()
    assert page(found, "sponsor", "blindness").status_code == 200
    assert page(found, "coordinator01", "receipts").status_code == 200
    assert page(found, "coordinator01", "receipt-head").status_code == 404
