"""The second line between centers: row policies, tried with the site's real login (SE-03, SE-04).

Everything here is committed, because another login sees nothing else.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, ProgrammingError, connection, models, transaction
from django.test import Client
from rest_framework.authtoken.models import Token

from accounts import audit, scope
from accounts.models import AccessRecord, User
from imaging import gateways
from imaging.models import Gateway, Package, Series
from prime_platform import isolation, privileges
from studies.models import Center, Participant, Screening
from tests import cluster
from tests.gates import two_hospitals
from tests.gates.test_addresses import ADDRESSES, EXPORTS, OBJECTS, OF_IMAGES, PLAIN, Address, url
from tests.gates.two_hospitals import Hospitals, apart, keys, leads_to_center, seen_by
from tests.site_login import signed_in_as

SITE = isolation.SITE
POOLED = {"overview", "flow"}
"""Counts of all centers by their names, for everybody in the study: no participant, no line of a log."""
TOKEN = re.compile(r'csrfmiddlewaretoken" value="\w{64}|<[^<>]*name="row_token"[^<>]*>')
MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
"""The minute stands on every page, and passes while pages are compared."""
"""What differs from one page to the next and tells nothing."""


@pytest.fixture(scope="module")
def hospitals(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospitals]:
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("hospitals")
        patch.setattr(django_settings, "VAR", folder)
        with two_hospitals.built(folder) as made:
            yield made


@pytest.fixture
def site(hospitals: Hospitals) -> Iterator[Hospitals]:
    """Django's connection is the site's."""
    with signed_in_as("web"):
        yield hospitals


def browser(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.mark.django_db  # one test of a session must say so, or the plug-in makes no database
def test_policies_in_force_are_those_of_the_rules(hospitals: Hospitals) -> None:
    """The catalogue has row security on every table that is kept apart, one policy for each login that is granted anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity")
        secured = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT tablename, roles[1]::text FROM pg_policies WHERE schemaname = 'public'")
        found = set(cursor.fetchall())
    expected = isolation.policies()
    assert secured == set(expected)
    assert found == {(table, login) for table, policies in expected.items() for login in policies}


def test_without_a_setting_the_site_sees_no_row(hospitals: Hospitals) -> None:
    """Fail closed: the bare login, as whoever broke into it would have it at first."""
    filled = {model._meta.db_table for model in apart() if keys(model)}
    assert len(filled) > 30
    with psycopg.connect(url_of("web"), autocommit=True) as login:
        assert {table for table in filled if login.execute(f'SELECT count(*) FROM "{table}"').fetchone() != (0,)} == set()
    with psycopg.connect(url_of("worker"), autocommit=True) as login:
        granted = [table for table in filled if "S" in privileges.tables()[table].get("prime_worker", "")]
        assert {table for table in granted if login.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (0,)} == set()


def url_of(login: str) -> str:
    return f"{cluster.urls()[login].rsplit('/', 1)[0]}/{cluster.DATABASE}"


def test_centers_part_every_table_and_its_history(hospitals: Hospitals) -> None:
    """Each center's coordinator sees his rows, present and past; together with the study's other rows they are all there are."""
    everything = {model: keys(model) for model in apart()}
    manager = hospitals.site.people["data_manager"]
    with signed_in_as("web"):
        for model, rows in everything.items():
            one, two = (seen_by(hospitals.coordinator(center), model) for center in ("01", "02"))
            others = set().union(*(seen_by(person, model) for person in hospitals.gateways.coordinators.values()))
            if leads_to_center(model):
                assert one & two == set(), model._meta.label
                assert one | two | others == rows, model._meta.label
                assert bool(one) == bool(two) == bool(rows - others), model._meta.label
            assert one | two <= seen_by(manager, model), model._meta.label
    assert {model._meta.label for model, rows in everything.items() if rows and leads_to_center(model)} >= {
        "studies.Screening", "studies.ScreeningEvent", "studies.Participant", "studies.ParticipantEvent", "studies.Consent",
        "studies.Milestone", "studies.MilestoneEvent", "imaging.Series", "imaging.SeriesEvent", "imaging.KeySlice", "imaging.FeatureSet",
        "imaging.Package", "imaging.InstanceConflict", "followup.Death", "followup.DeathEvent",
    }  # fmt: skip


def pages_of(person: User, objects: dict[str, Any], addresses: list[Address]) -> Iterator[tuple[str, int, str]]:
    """What somebody is answered at these addresses, for the objects given."""
    client = browser(person)
    for address in addresses:
        if address.name in OBJECTS or address.name in PLAIN - {"sign-out", "schema"}:
            response = client.get(url(address, objects[OBJECTS[address.name]] if address.name in OBJECTS else None))
            yield address.name, response.status_code, MINUTE.sub("", TOKEN.sub("", response.getvalue().decode(errors="replace")))


def shows(hospitals: Hospitals, told: list[tuple[str, int, str]]) -> dict[str, set[str]]:
    """The addresses whose answer to the coordinator of 01 shows something of 02, and what."""
    found = {}
    for name, _status, body in told:
        asked_for = {str(hospitals.objects["02"][OBJECTS[name]])} if name in OBJECTS else set()
        names = {"Hospital 02", "医院02", str(hospitals.site.centers["02"].uuid)} if name in POOLED else set()
        if marks := {mark for mark in hospitals.marks("02") - asked_for - names if mark in body}:
            found[name] = marks
    return found


def test_mutant_without_the_first_line_shows_no_foreign_row(hospitals: Hospitals) -> None:
    """Done 6: with the filter of the ORM removed, no address shows a row of another center, nor tells that there is one (SE-04)."""
    person, theirs = hospitals.coordinator("01"), hospitals.objects["02"]
    nobodys = dict.fromkeys(theirs, "00000000-0000-4000-8000-000000000000")
    with two_hospitals.without_the_first_line():
        as_owner = list(pages_of(person, theirs, ADDRESSES))
        with signed_in_as("web"):
            as_site = list(pages_of(person, theirs, ADDRESSES))
            of_none = list(pages_of(person, nobodys, [each for each in ADDRESSES if each.name in OBJECTS]))
    assert len(shows(hospitals, as_owner)) > 10, "the mutant shows nothing even to the owner: then this proves nothing"
    assert {name for name, status, _ in as_owner if status == 200} >= {"participant", "screening", "series", "slice"}
    assert shows(hospitals, as_site) == {}
    of_theirs = [(name, status, body.replace(str(theirs[OBJECTS[name]]), "-")) for name, status, body in as_site if name in OBJECTS]
    assert {status for _, status, _ in of_theirs} <= {404, 405}
    assert of_theirs == [(name, status, body.replace(nobodys[OBJECTS[name]], "-")) for name, status, body in of_none]


def test_own_rows_are_all_there(site: Hospitals) -> None:
    """The second line is not shut for everybody: the coordinator's own objects answer, under the site's login."""
    for name, status, _ in pages_of(site.coordinator("01"), site.objects["01"], [each for each in ADDRESSES if each.name in OBJECTS]):
        assert status in ((403,) if name in EXPORTS else (404,) if name in OF_IMAGES else (200, 405)), (name, status)


def writable() -> list[type[models.Model]]:
    return [model for model in apart() if leads_to_center(model) and "I" in privileges.rule(model).get(SITE, "")]


def copied(model: type[models.Model], row: dict[str, Any], **changes: Any) -> None:
    """Insert a row like another one under a new key."""
    values = row | {"id": row["id"] + 1_000_000, **({"uuid": "00000000-0000-4000-8000-000000000001"} if "uuid" in row else {}), **changes}
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute(f'INSERT INTO "{table}" SELECT * FROM json_populate_record(NULL::"{table}", %s)', [json.dumps(values)])


def row_of(model: type[models.Model], key: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT to_json(t) FROM "{model._meta.db_table}" t WHERE id = %s', [key])
        (row,) = cursor.fetchone()
    return row if isinstance(row, dict) else json.loads(row)


def test_rows_cannot_be_written_into_another_center(hospitals: Hospitals) -> None:
    """WITH CHECK: a copy of any row of hospital 02 is refused to the site that works for 01; the guard of the trail is satisfied."""
    one, two = hospitals.coordinator("01"), hospitals.coordinator("02")
    with signed_in_as("web"):
        keys_of = {model: seen_by(two, model) for model in writable()}
    rows = {model: row_of(model, min(found)) for model, found in keys_of.items() if found}
    assert len(rows) > 12
    with signed_in_as("web"):
        for model, row in rows.items():
            with pytest.raises(ProgrammingError, match="row-level security"), scope.within_reach_of(one), audit.act(by=one, action="test"):
                copied(model, row)


def test_rows_of_another_center_cannot_be_changed_nor_own_ones_given_away(site: Hospitals) -> None:
    """An UPDATE finds no foreign row, and moves none of one's own to another center."""
    one, two = site.coordinator("01"), site.coordinator("02")
    line, other = (site.participants[center].screening for center in ("01", "02"))
    with scope.within_reach_of(one), audit.act(by=one, action="test"):
        assert Screening.objects.filter(pk=other.pk).update(sex="F") == 0
        assert Screening.objects.filter(pk=line.pk).update(sex="F") == 1
    with pytest.raises(ProgrammingError, match="row-level security"), scope.within_reach_of(one), audit.act(by=one, action="test"):
        Screening.objects.filter(pk=line.pk).update(center_id=other.center_id)
    with scope.within_reach_of(two):
        assert Screening.objects.get(pk=other.pk).sex == other.sex


def test_foreign_keys_tell_nothing(hospitals: Hospitals) -> None:
    """A row of one's own center that points at somebody of another is refused like one that points at nobody."""
    one, mine, theirs = hospitals.coordinator("01"), hospitals.participants["01"], hospitals.participants["02"]
    row = row_of(Series, Series.objects.filter(participant=mine).latest("pk").pk) | {"series_instance_uid": "2.25.77"}
    said = []
    with signed_in_as("web"):
        for key in (theirs.pk, 987_654_321):
            with pytest.raises(ProgrammingError) as refused, scope.within_reach_of(one), audit.act(by=one, action="test"):
                copied(Series, row, participant_id=key)
            said.append(str(refused.value))
    assert said[0] == said[1]


def test_requests_on_one_connection_never_mix(site: Hospitals, settings: Any) -> None:
    """Two centers in turn on one connection, with refusals, faults and strangers between them: each sees his own, nobody sees none."""
    settings.ROOT_URLCONF = "tests.gates.isolation_urls"
    clients = {center: browser(site.coordinator(center)) for center in ("01", "02")}
    own = {center: {site.participants[center].study_number} for center in clients}
    pids, between = set(), ["", "/test/refuses/", "/test/fails/", "/participants/00000000-0000-4000-8000-000000000000/", "/sign-in/"]
    for disturbance in between:
        for center, client in clients.items():
            pid, *numbers = client.get("/test/numbers/").content.decode().split()
            pids.add(pid)
            assert set(numbers) == own[center]
            if disturbance:
                client.get(disturbance)
            assert Participant.objects.count() == Center.objects.count() == 0
    assert len(pids) == 1


def test_rolled_back_transaction_takes_its_scope_along(site: Hospitals) -> None:
    """The settings are the transaction's: after a rollback, an error or a commit none is left, and an outer one is as before."""
    one, two = site.coordinator("01"), site.coordinator("02")
    number = {center: site.participants[center].study_number for center in ("01", "02")}
    with pytest.raises(DatabaseError), scope.within_reach_of(one), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert Participant.objects.count() == 0
    with scope.within_reach_of(one):
        with pytest.raises(DatabaseError), scope.within_reach_of(two), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        assert [each.study_number for each in Participant.objects.all()] == [number["01"]]
        with scope.within_reach_of(two):
            assert [each.study_number for each in Participant.objects.all()] == [number["02"]]
        assert [each.study_number for each in Participant.objects.all()] == [number["01"]]
        transaction.set_rollback(True)
    assert Participant.objects.count() == 0


@pytest.mark.parametrize("address", ["/test/late/", "/test/streamed/"])
def test_answers_drawn_late_still_see_their_rows(site: Hospitals, settings: Any, address: str) -> None:
    """A TemplateResponse and a stream are drawn after the view: within the person's scope all the same, and no longer."""
    settings.ROOT_URLCONF = "tests.gates.isolation_urls"
    answer = browser(site.coordinator("01")).get(address)
    assert answer.getvalue().decode().split() == [site.participants["01"].study_number]
    assert Participant.objects.count() == 0


def test_refused_request_leaves_nothing_but_its_record(site: Hospitals, settings: Any) -> None:
    """What was written before a refusal or a fault is undone; the refusal itself is recorded outside (AU-01)."""
    settings.ROOT_URLCONF = "tests.gates.isolation_urls"
    client = browser(site.coordinator("01"))
    began = AccessRecord.objects.latest("pk").pk if AccessRecord.objects.exists() else 0
    assert client.get("/test/refuses/").status_code == 403
    assert client.get("/test/fails/").status_code == 500
    assert client.post("/api/v1/test/").status_code == 404
    kept = AccessRecord.objects.filter(pk__gt=began)
    assert [(each.kind, each.detail.get("status")) for each in kept.order_by("pk")] == [("refusal", 403), ("refusal", 404)]


def test_token_sees_its_owners_center(site: Hospitals, settings: Any) -> None:
    """The API knows the person by a token only: his rows, also when somebody else's session comes along."""
    settings.ROOT_URLCONF = "tests.gates.isolation_urls"
    token = Token.objects.create(user=site.coordinator("01"))
    for client in (Client(), browser(site.coordinator("02"))):
        answer = client.get("/api/v1/test/", headers={"Authorization": f"Token {token.key}"})
        assert answer.json() == [site.participants["01"].study_number]
    assert Client().get("/api/v1/test/", headers={"Authorization": "Token wrong"}).status_code == 401
    token.delete()


def test_gateway_reaches_its_own_center_only(site: Hospitals) -> None:
    """A gateway hands in and asks for its own packages; of another center's it is told what it is told of none."""
    doors = site.gateways
    assert doors.put(site.sealed["01"], "01").status_code == 201
    assert doors.receipt(site.sealed["01"][0], "01").state == "stored"
    address = two_hospitals.package_path(site.sealed["01"][0])
    assert doors.put(site.sealed["01"], "02").status_code == doors.send("GET", f"{address}/receipt", center="02").status_code == 404
    assert doors.send("POST", "/edge/v1/heartbeat", b"{}", "01").status_code == 204
    with scope.at_center(doors.centers["01"].pk):
        assert set(Package.objects.values_list("digest", flat=True)) == {site.sealed["01"][0]}
    assert (Package.objects.count(), Gateway.objects.count()) == (0, 0)
    assert gateways.public_key(doors.gateways["01"].code) is None


def test_doors_open_without_anybody(site: Hospitals) -> None:
    """Signing in, and being asked how one is, need no center; what `/readyz` counts are all."""
    client = Client()
    assert client.get("/sign-in/").status_code == 200
    assert client.post("/sign-in/", {"username": "coordinator01", "password": "correct horse battery"}).status_code == 302
    assert client.get("/participants/").status_code == 200
    assert client.get("/readyz").json()["participants"] == 4
    assert client.post("/sign-out/").status_code == 302
    assert Participant.objects.count() == 0
