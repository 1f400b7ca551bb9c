"""Signed requests and receipts: exactly what was signed passes, by whom it must be, in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from imaging.edge import envelope, keys
from imaging.edge.envelope import EnvelopeRefused, Receipt

KEY, OTHER = keys.new_signing_key(), keys.new_signing_key()
PUBLIC = keys.signing_public(KEY)
NOW = datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)
GATEWAY = envelope.gateway_id("01", PUBLIC)
PATH = envelope.PACKAGE_PATH.format(id="ab" * 32)


def headers(**changed: str) -> dict[str, str]:
    said = {"gateway": GATEWAY, "method": "PUT", "path": PATH, "body_sha256": "cd" * 32} | changed
    return envelope.sign_request(private_key=KEY, at=NOW, **said)  # type: ignore[arg-type]


def verify(said: dict[str, str], key: bytes = PUBLIC, now: datetime = NOW) -> str:
    return envelope.verify_request(said, "PUT", PATH, "cd" * 32, key, now)


def test_signed_request_names_its_gateway() -> None:
    assert verify(headers()) == GATEWAY


@pytest.mark.parametrize("changed", [{"method": "GET"}, {"path": "/edge/v1/heartbeat"}, {"body_sha256": "00" * 32}])
def test_request_signed_for_something_else_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(EnvelopeRefused, match="does not fit"):
        verify(headers(**changed))


def test_request_of_another_key_gateway_or_time_is_refused() -> None:
    with pytest.raises(EnvelopeRefused):
        verify(headers(), key=keys.signing_public(OTHER))
    with pytest.raises(EnvelopeRefused):
        verify(headers() | {"Prime-Gateway": "01-00000000"})
    with pytest.raises(EnvelopeRefused):
        verify(headers() | {"Prime-Time": "2026-03-02T08:15:31Z"})


@pytest.mark.parametrize("off", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)])
def test_request_more_than_five_minutes_off_is_refused(off: timedelta) -> None:
    assert verify(headers(), now=NOW + timedelta(minutes=5)) == GATEWAY
    with pytest.raises(EnvelopeRefused, match="clock"):
        verify(headers(), now=NOW + off)


@pytest.mark.parametrize("name", ["Prime-Gateway", "Prime-Time", "Prime-Signature"])
def test_request_with_a_header_missing_or_senseless_is_refused(name: str) -> None:
    said = headers()
    with pytest.raises(EnvelopeRefused):
        verify(said | {name: "不是"})
    del said[name]
    with pytest.raises(EnvelopeRefused, match=name):
        verify(said)


RECEIPT = Receipt(package="ab" * 32, seq=7, state="archived", reason="", at="2026-03-02T08:15:30Z")
STORED, ARCHIVED = keys.new_signing_key(), keys.new_signing_key()


def read(body: object) -> Receipt:
    return envelope.verify_receipt(
        body, package="ab" * 32, stored_key=keys.signing_public(STORED), archived_key=keys.signing_public(ARCHIVED)
    )


@pytest.mark.parametrize(
    ("state", "key"), [("stored", STORED), ("archived", ARCHIVED), ("refused", ARCHIVED)], ids=["first", "second", "third"]
)
def test_receipt_is_believed_when_the_key_of_its_state_signed_it(state: str, key: bytes) -> None:
    receipt = replace(RECEIPT, state=state)
    assert read(envelope.sign_receipt(private_key=key, receipt=receipt)) == receipt


@pytest.mark.parametrize(
    ("state", "key"), [("archived", STORED), ("refused", STORED), ("stored", ARCHIVED)], ids=["first", "second", "third"]
)
def test_web_key_cannot_say_archived(state: str, key: bytes) -> None:
    """Formats d: an edge purges only on archived, and only the worker's key can say so."""
    with pytest.raises(EnvelopeRefused):
        read(envelope.sign_receipt(private_key=key, receipt=replace(RECEIPT, state=state)))


def test_receipt_about_another_package_is_refused() -> None:
    with pytest.raises(EnvelopeRefused, match="another package"):
        read(envelope.sign_receipt(private_key=ARCHIVED, receipt=replace(RECEIPT, package="00" * 32)))


@pytest.mark.parametrize("field", ["package", "seq", "state", "reason", "at"])
def test_receipt_with_a_changed_field_is_refused(field: str) -> None:
    body = envelope.sign_receipt(private_key=ARCHIVED, receipt=RECEIPT)
    body["receipt"][field] = 8 if field == "seq" else "refused"
    with pytest.raises(EnvelopeRefused):
        read(body)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"receipt": {}, "signature": ""}, {"receipt": None, "signature": ""}])
def test_nonsense_is_no_receipt(body: object) -> None:
    with pytest.raises(EnvelopeRefused):
        read(body)
