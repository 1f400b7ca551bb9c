"""Security keys in place of codes: one challenge, one answer, one address, one person (SE-02)."""

import uuid
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts import people, second_factor, security_keys
from accounts.models import SecurityKey, User
from accounts.reauthentication import Proof, confirm
from studies.locking.forms import SignForm
from tests.accounts.software_key import ORIGIN, SoftwareKey
from tests.accounts.test_second_factor import PASSWORD, Device, signs_in


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def device(monkeypatch, db, settings, tmp_path):
    settings.VAR, settings.PRIME_PUBLIC_URL = tmp_path, ORIGIN
    made = Device(monkeypatch)
    monkeypatch.setattr("accounts.security_keys.time", second_factor.time)
    return made


@pytest.fixture
def person(device):
    """Somebody with a device that shows codes."""
    made = people.create_user(username="wei", display_name="Wei", password=PASSWORD, by=User.objects.system())
    device.secret = second_factor.begin(made)
    second_factor.confirm(made, device.code())
    return made


@pytest.fixture
def key(person):
    """His key, added under a name."""
    made = SoftwareKey()
    security_keys.add(person, name="blue", answer=made.made(security_keys.begin_adding(person)))
    return made


def answer(person, key):
    return key.answered(security_keys.begin(person))


def test_key_answers_in_place_of_a_code(person, key):
    assert second_factor.check(person, answer(person, key)) == ""
    row = security_keys.of(person).get()
    assert (row.name, row.counter, row.used_at is not None) == ("blue", 2, True)
    confirm(person, Proof(PASSWORD, answer(person, key)))


def test_answer_serves_once_and_no_other_was_asked_for(person, key):
    """A recorded answer, one to an older challenge, and one without a challenge prove nothing."""
    options = security_keys.begin(person)
    first = key.answered(options)
    assert second_factor.check(person, first) == ""
    assert "does not hold" in second_factor.check(person, first)
    security_keys.begin(person)
    assert "does not hold" in second_factor.check(person, key.answered(options))
    assert "does not hold" in second_factor.check(person, key.answered(options))


def test_answer_comes_within_five_minutes(person, key, device):
    options = security_keys.begin(person)
    device.now += 301
    assert "does not hold" in second_factor.check(person, key.answered(options))


@pytest.mark.parametrize("wrong", [
    {"origin": "https://prime.example.org"},
    {"origin": "http://prime.example"},
    {"host": "example"},
    {"credential_id": b"another credential"},
    {"private": SoftwareKey().private},
    {"counter": 1},
], ids=["another address", "without https", "another host", "unknown key", "another key's signature", "a copy of the key"])  # fmt: skip
def test_wrong_answers_prove_nothing(person, key, wrong):
    assert "does not hold" in second_factor.check(person, answer(person, replace(key, **wrong)))
    assert second_factor.check(person, answer(person, key)) == ""


def test_key_that_does_not_count_may_stay_at_nought(person):
    """WebAuthn §6.1.1: 0 says that it keeps no counter; one that has counted before does not fall back to it."""
    made = SoftwareKey(counter=0)
    security_keys.add(person, name="phone", answer=made.made(security_keys.begin_adding(person)))
    for counter, proved in ((0, True), (0, True), (5, True), (0, False), (5, False), (6, True)):
        made.counter = counter
        assert (second_factor.check(person, answer(person, made)) == "") is proved


def test_somebody_elses_key_proves_nothing(person, key, device):
    other = people.create_user(username="li", display_name="Li", password=PASSWORD, by=User.objects.system())
    device.secret = second_factor.begin(other)
    second_factor.confirm(other, device.code())
    with pytest.raises(ValidationError, match="no security key"):
        security_keys.begin(other)
    security_keys.add(other, name="red", answer=SoftwareKey().made(security_keys.begin_adding(other)))
    assert "does not hold" in second_factor.check(other, key.answered(security_keys.begin(other)))


@pytest.mark.parametrize(
    "typed", ["{", "{}", "{not json", '{"id": 3}', '{"rawId": "AA", "id": "AA", "type": "public-key", "response": {}}']
)
def test_rubbish_is_refused_with_a_sentence(person, key, typed):
    security_keys.begin(person)
    assert "does not hold" in second_factor.check(person, typed)
    with pytest.raises(ValidationError, match="Begin anew"):
        security_keys.add(person, name="x", answer=typed)


def test_after_five_wrong_answers_not_even_the_right_one_is_tried(person, key):
    for _ in range(5):
        assert second_factor.check(person, "{}") != ""
    assert "Too many" in second_factor.check(person, answer(person, key))


def test_door_takes_the_key_and_asks_it_only_after_the_password(person, key):
    client = Client()
    assert client.post(reverse("key-challenge")).status_code == 403
    signs_in(client)
    assert "data-key-challenge" in client.get(reverse("sign-in-code")).content.decode()
    options = client.post(reverse("key-challenge")).json()
    assert options["publicKey"]["rpId"] == "prime.example"
    assert client.post(reverse("sign-in-code"), {"code": key.answered(options)}).status_code == 302
    assert client.get(reverse("second-factor")).status_code == 200


def test_key_is_added_and_removed_after_a_fresh_code_only(person, device):
    client = Client()
    signs_in(client)
    client.post(reverse("sign-in-code"), {"code": device.code()})
    made = SoftwareKey()
    options = client.post(reverse("key-begin")).json()
    assert client.post(reverse("key-add"), {"name": "blue", "answer": made.made(options)})["Location"] == reverse("second-factor")
    row = security_keys.of(person).get()
    assert "blue" in client.get(reverse("second-factor")).content.decode()
    device.now += 601
    assert client.post(reverse("key-begin")).status_code == 403
    for address in (reverse("key-add"), reverse("key-remove", args=[row.uuid])):
        assert client.post(address)["Location"].startswith(reverse("step-up"))
    client.post(reverse("step-up"), {"code": made.answered(client.post(reverse("key-challenge")).json())})
    assert client.post(reverse("key-remove", args=[uuid.uuid4()])).status_code == 404
    assert client.post(reverse("key-remove", args=[row.uuid])).status_code == 302
    assert not security_keys.are_asked_for(person)


def test_nobody_removes_the_key_of_another(person, key, device):
    other = people.create_user(username="li", display_name="Li", password=PASSWORD, by=User.objects.system())
    with pytest.raises(SecurityKey.DoesNotExist):
        security_keys.remove(other, security_keys.of(person).get().uuid)
    client = Client()
    client.force_login(other)
    assert client.post(reverse("key-remove", args=[security_keys.of(person).get().uuid])).status_code == 404


def test_key_needs_a_second_factor_that_is_set_up(device):
    """So that there are codes on paper for the day on which the key is gone."""
    other = people.create_user(username="li", display_name="Li", password=PASSWORD, by=User.objects.system())
    with pytest.raises(ValidationError, match="Set up your second factor first"):
        security_keys.begin_adding(other)


def test_operator_takes_the_keys_back_with_the_device(person, key):
    options = security_keys.begin(person)
    call_command("member", "factor", "wei")
    assert not security_keys.of(person).exists()
    assert "Set up your second factor" in second_factor.check(person, key.answered(options))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgh_label, pgh_context ->> 'action' FROM accounts_securitykeyevent ORDER BY pgh_id")
        assert cursor.fetchall() == [("insert", "security_key.added"), ("update", "second_factor.taken_back")]
        cursor.execute("SELECT to_jsonb(e)::text FROM accounts_securitykeyevent e")
        assert not any('"credential"' in told for (told,) in cursor.fetchall())


@pytest.mark.parametrize(("address", "can"), [
    ("https://prime.example", True), ("https://prime.example:8443", True), ("http://localhost:8000", True),
    ("http://prime.example", False), ("https://192.0.2.7", False), ("https://[2001:db8::7]", False), ("http://127.0.0.1:8000", False),
])  # fmt: skip
def test_keys_are_offered_where_browsers_let_them_be_used(person, key, settings, address, can):
    """W3C: a relying party is a domain, in a secure context."""
    settings.PRIME_PUBLIC_URL = address
    assert security_keys.can_be_used() is can
    assert security_keys.are_asked_for(person) is can
    assert ("data-key-challenge" in str(SignForm(by=person)["code"])) is can
