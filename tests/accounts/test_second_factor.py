"""A second factor at the door, at signatures, and before something leaves (SE-02)."""

import re
import uuid

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts import people, second_factor, totp
from accounts.models import AccessRecord, SecondFactor, User
from accounts.reauthentication import Proof, confirm
from studies.locking.forms import SignForm
from tests import world
from tests.gates.test_addresses import ADDRESSES, url

RFC6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
"""RFC 6238 appendix B, SHA-1."""
RFC4226 = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
"""RFC 4226 appendix D."""
SECRET = b"12345678901234567890"
PASSWORD = "correct horse battery"


@pytest.mark.parametrize(("seconds", "expected"), RFC6238.items())
def test_codes_are_those_of_the_standard(seconds, expected):
    assert totp.code(SECRET, totp.step_at(seconds), digits=8) == expected


def test_counter_codes_are_those_of_the_standard():
    assert tuple(totp.code(SECRET, step) for step in range(10)) == RFC4226


def test_code_serves_near_its_time_and_once():
    assert totp.matching(SECRET, " 755 224 ", step=1, after=-1) == 0
    assert totp.matching(SECRET, "359152", step=1, after=-1) == 2
    assert totp.matching(SECRET, "969429", step=1, after=-1) is None
    assert totp.matching(SECRET, "755224", step=1, after=0) is None
    assert totp.matching(SECRET, "", step=1, after=-1) is None


def test_address_holds_the_secret_in_base32():
    assert totp.as_text(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    said = totp.address(SECRET, issuer="PRIME", name="li wei")
    assert said == "otpauth://totp/PRIME:li%20wei?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=PRIME&digits=6&period=30"


class Device:
    """An app: it knows a secret, and time passes when the test says so."""

    def __init__(self, monkeypatch):
        self.now = 1_800_000_000.0
        self.secret = b""
        for module in ("accounts.second_factor", "accounts.step_up", "accounts.views"):
            monkeypatch.setattr(f"{module}.time", _Clock(self))

    def code(self):
        self.now += totp.SECONDS
        return totp.code(self.secret, totp.step_at(self.now))


class _Clock:
    def __init__(self, device):
        self.device = device

    def time(self):
        return self.device.now


@pytest.fixture(autouse=True)
def english():
    """Sentences are compared as they stand in the code."""
    with translation.override("en"):
        yield


@pytest.fixture
def device(monkeypatch, db, settings, tmp_path):
    settings.VAR = tmp_path
    return Device(monkeypatch)


@pytest.fixture
def person(device):
    """Somebody with a device, and the codes on paper."""
    made = people.create_user(username="wei", display_name="Wei", password=PASSWORD, by=User.objects.system())
    device.secret = second_factor.begin(made)
    made.paper = second_factor.confirm(made, device.code())
    return made


def signs_in(client, username="wei"):
    return client.post(reverse("sign-in"), {"username": username, "password": PASSWORD})


def test_door_asks_for_the_code_after_the_password(person, device):
    client = Client()
    first = signs_in(client)
    assert (first.status_code, first["Location"]) == (302, reverse("sign-in-code"))
    assert client.get(reverse("home")).status_code == 302
    wrong = client.post(reverse("sign-in-code"), {"code": "000000"})
    assert wrong.status_code == 400
    assert client.get(reverse("second-factor"))["Location"].startswith(reverse("sign-in"))
    right = client.post(reverse("sign-in-code"), {"code": device.code()})
    assert right.status_code == 302
    assert client.get(reverse("second-factor")).status_code == 200
    assert AccessRecord.objects.filter(kind="sign_in", username="wei").count() == 1


def test_code_page_needs_the_password_of_a_moment_ago(person, device):
    client = Client()
    assert client.get(reverse("sign-in-code"))["Location"] == reverse("sign-in")
    signs_in(client)
    device.now += 301
    assert client.post(reverse("sign-in-code"), {"code": device.code()})["Location"] == reverse("sign-in")
    assert client.get(reverse("second-factor")).status_code == 302


def test_code_serves_once_and_codes_on_paper_too(person, device):
    code = device.code()
    assert second_factor.check(person, code) == ""
    assert "each serves once" in second_factor.check(person, code)
    assert second_factor.check(person, person.paper[0]) == ""
    assert second_factor.check(person, person.paper[0]) != ""
    assert second_factor.check(person, person.paper[1]) == ""


def test_after_five_wrong_codes_not_even_the_right_one_is_tried(person, device):
    for _ in range(5):
        assert "not right" in second_factor.check(person, "000000")
    assert "Too many" in second_factor.check(person, device.code())


def test_secret_is_not_readable_in_the_database_or_its_history(person, device):
    row = SecondFactor.objects.get(user=person)
    assert device.secret not in bytes(row.secret)
    assert all(code not in str(row.paper) for code in person.paper)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(e)::text FROM accounts_secondfactorevent e")
        told = " ".join(text for (text,) in cursor.fetchall())
    assert '"secret"' not in told
    assert '"paper"' not in told
    assert second_factor._opened(row) == device.secret
    moved = people.create_user(username="other", display_name="Other", password=PASSWORD, by=User.objects.system())
    row.user = moved
    with pytest.raises(Exception, match=r"^$"):
        second_factor._opened(row)


def test_where_everybody_needs_one_nothing_else_is_open(device, settings):
    """The person is led to the page, sets the device up, writes the paper codes down, and is in."""
    site = world.build()
    settings.PRIME_SECOND_FACTOR = True
    client = Client()
    client.force_login(site.people["coordinator01"])
    for name in ("home", "participants", "worklist", "exports"):
        assert client.get(reverse(name))["Location"] == reverse("second-factor")
    assert client.get(reverse("api-participant-list")).status_code == 403
    page = client.get(reverse("second-factor")).content.decode()
    device.secret = second_factor.begin(site.people["coordinator01"])
    assert totp.as_text(device.secret) in page
    assert client.post(reverse("second-factor"), {"code": "1"}).status_code == 400
    done = client.post(reverse("second-factor"), {"code": device.code()}).content.decode()
    assert len(re.findall(r"<li>\d{10}</li>", done)) == 8
    assert "<li>" not in client.get(reverse("second-factor")).content.decode().split('class="main"')[1].split("keys-title")[0]
    assert client.get(reverse("participants")).status_code == 200


def test_export_asks_for_a_code_and_one_serves_for_ten_minutes(device):
    site = world.build()
    manager = site.people["data_manager"]
    device.secret = second_factor.begin(manager)
    second_factor.confirm(manager, device.code())
    client = Client()
    signs_in(client, manager.username)
    client.post(reverse("sign-in-code"), {"code": device.code()})
    device.now += 601
    assert client.get(reverse("exports")).status_code == 200
    asked = client.post(reverse("exports"), {"kind": "csv"})
    assert asked["Location"] == f"{reverse('step-up')}?next=%2Fexports%2F"
    assert client.post(reverse("step-up"), {"code": "000000", "next": "/exports/"}).status_code == 400
    assert client.post(reverse("step-up"), {"code": device.code(), "next": "/exports/"})["Location"] == "/exports/"
    made = client.post(reverse("exports"), {"kind": "csv"})
    assert made["Content-Type"] == "application/zip"
    assert b"".join(made.streaming_content)
    asked_for = {"study": site.study.code, "kind": "csv"}
    told = client.post(reverse("api-exports"), asked_for, content_type="application/json")
    assert told.status_code == 403
    code = {"X-Prime-Code": device.code()}
    given = client.post(reverse("api-exports"), asked_for, content_type="application/json", headers=code)
    assert given.status_code == 200
    assert b"".join(given.streaming_content)


LEAVES = {
    "exports": "post", "trail-export": "post", "payable-csv": "get", "features-csv": "get", "roi-dicom": "get", "import-refused": "get",
    "import-undo-file": "get", "result-patients": "get", "result-curves": "get", "result-balance": "get", "result-archive": "get",
    "result-report": "get",
}  # fmt: skip
"""Every page by which data of patients leave as a file."""


def test_nothing_leaves_without_a_fresh_code(person, device):
    """SE-02: asked before anything is looked up, so also for a file that is not there."""
    client = Client()
    signs_in(client)
    client.post(reverse("sign-in-code"), {"code": device.code()})
    device.now += 601
    for name, method in LEAVES.items():
        address = next(each for each in ADDRESSES if each.name == name)
        asked = getattr(client, method)(url(address, uuid.uuid4()))
        assert (asked.status_code, asked["Location"].split("?")[0]) == (302, reverse("step-up")), name


def test_signature_asks_for_the_code_of_who_has_a_device(person, device):
    with pytest.raises(ValidationError) as refused:
        confirm(person, Proof(PASSWORD, "000000"))
    assert list(refused.value.message_dict) == ["code"]
    confirm(person, Proof(PASSWORD, device.code()))
    assert "code" in SignForm(by=person).fields
    assert "code" not in SignForm(by=User.objects.system()).fields


def test_where_everybody_needs_one_nobody_signs_without(device, settings):
    made = people.create_user(username="li", display_name="Li", password=PASSWORD, by=User.objects.system())
    confirm(made, Proof(PASSWORD))
    settings.PRIME_SECOND_FACTOR = True
    with pytest.raises(ValidationError, match="Set up your second factor"):
        confirm(made, Proof(PASSWORD, "123456"))


def test_operator_takes_a_lost_device_back(person, device):
    with pytest.raises(ValidationError, match="already"):
        second_factor.begin(person)
    call_command("member", "factor", "wei")
    assert not second_factor.has(person)
    assert second_factor.begin(person) != device.secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgh_context ->> 'action' FROM accounts_secondfactorevent ORDER BY pgh_id")
        assert [action for (action,) in cursor.fetchall()][-2:] == ["second_factor.taken_back", "second_factor.begun"]
