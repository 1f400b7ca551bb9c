"""Seals: two custodians open them, one cannot, and nothing about them changes unseen (SL-01, SL-02, SL-05)."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from accounts.canonical import canonical
from predictions import sealing, sealing_envelope, sealing_keys
from predictions.sealing_keys import KeyRefused
from tests.predictions.payloads import answer, failure

KEYS = {letter: sealing_keys.PrivateKey.generate() for letter in "ABC"}
PUBLIC = {letter: key.public for letter, key in KEYS.items()}
ASSOCIATED = {
    "study": "PRIME-HCC",
    "study_number": "01-0007-42",
    "tier": "1",
    "model": "a" * 64,
    "snapshot": "b" * 64,
    "purpose": "confirmatory",
}
SEALED = sealing.seal(answer().encode(), ASSOCIATED, PUBLIC)


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def open_(record, pair="AB"):
    half = sealing.peel(record, pair, KEYS[pair[0]])
    return sealing.open_half(record, pair, half, KEYS[pair[1]])


@pytest.mark.parametrize("pair", sealing_envelope.PAIRS)
def test_any_two_custodians_open_a_seal(pair):
    """SL-01; losing one custodian is survivable (DI-07)."""
    opened = open_(SEALED, pair)
    assert opened.payload == answer().encode()
    assert sealing.payload_commitment(opened.nonce, opened.payload) == SEALED.body["payload"]


@pytest.mark.parametrize("pair", sealing_envelope.PAIRS)
@pytest.mark.parametrize(("outer", "inner"), [(outer, inner) for outer in "ABC" for inner in "ABC"])
def test_no_other_order_or_single_key_opens_a_wrap(pair, outer, inner):
    """SL-01: of nine ways to use two keys on a pair's wrap, the one right way opens it."""
    if outer + inner == pair:
        assert sealing.open_half(SEALED, pair, sealing.peel(SEALED, pair, KEYS[outer]), KEYS[inner])
    else:
        with pytest.raises(KeyRefused):
            sealing.open_half(SEALED, pair, sealing.peel(SEALED, pair, KEYS[outer]), KEYS[inner])


def test_body_agrees_with_what_is_stored_and_holds_no_secret():
    assert sealing.faults(SEALED) == []
    assert set(SEALED.body) == {*sealing.ASSOCIATED, "suite", "ciphertext", "wraps", "payload"}
    assert b"TACE" not in canonical(SEALED.body) + SEALED.envelope.ciphertext


def test_seal_has_the_written_layout():
    """Formats "Seal", opened without the module: other info, another order of layers or another padding would not pass."""
    bound = hashlib.sha256(canonical(ASSOCIATED)).digest()
    for pair, wrap in SEALED.envelope.wraps.items():
        info = b"prime/wrap/1\0" + bound + pair.encode()
        key = wrap
        for letter in pair:
            secret = KEYS[letter]
            lattice, curve = MLKEM768PrivateKey.from_seed_bytes(secret.lattice), X25519PrivateKey.from_private_bytes(secret.curve)
            key = sealing_keys.SUITE.decrypt(key, hpke.MLKEM768X25519PrivateKey(lattice, curve), info)
        locked = SEALED.envelope.ciphertext
        content = AESGCM(key).decrypt(locked[:12], locked[12:], canonical(ASSOCIATED))
        said = answer().encode()
        assert content[32:] == said + bytes(16384 - len(said))
        assert SEALED.body["payload"] == hashlib.sha256(b"prime/payload/1\0" + content[:32] + said).hexdigest()
    joined = b"".join(SEALED.envelope.wraps[pair] for pair in ("AB", "AC", "BC"))
    assert SEALED.body["wraps"] == hashlib.sha256(joined).hexdigest()
    assert SEALED.body["ciphertext"] == hashlib.sha256(SEALED.envelope.ciphertext).hexdigest()


def test_sealing_the_same_payload_twice_gives_different_commitments():
    """SL-02."""
    again = sealing.seal(answer().encode(), ASSOCIATED, PUBLIC)
    assert {again.body[name] == SEALED.body[name] for name in ("payload", "ciphertext", "wraps")} == {False}


def test_all_lengths_are_equal_whatever_was_predicted():
    """SL-05."""
    said = [answer(0.9, 0.1, 0.1, 0.1), answer(0.1, 0.123456789, 0.2, 0.9), answer(out_of_distribution=True), failure()]
    assert len({len(each.encode()) for each in said}) > 1
    seals = [sealing.seal(each.encode(), ASSOCIATED, PUBLIC) for each in said]
    assert {len(each.envelope.ciphertext) for each in seals} == {12 + 32 + sealing.PADDED + 16}
    assert {len(wrap) for each in seals for wrap in each.envelope.wraps.values()} == {2304}
    assert len({len(canonical(each.body)) for each in seals}) == 1


@given(st.binary(min_size=1, max_size=200).filter(lambda data: not data.endswith(b"\0")))
def test_every_payload_returns_unchanged(data):
    assert open_(sealing.seal(data, ASSOCIATED, PUBLIC)).payload == data


@pytest.mark.parametrize("data", [b"", b"x" * (sealing.PADDED + 1), b"x\0"])
def test_payload_that_cannot_be_padded_is_refused(data):
    with pytest.raises(ValueError, match="payload has"):
        sealing.seal(data, ASSOCIATED, PUBLIC)


def test_largest_payload_fits():
    assert open_(sealing.seal(b"x" * sealing.PADDED, ASSOCIATED, PUBLIC)).payload == b"x" * sealing.PADDED


@pytest.mark.parametrize("change", [{"purpose": "curiosity"}, {"recommended": "TACE"}])
def test_other_associated_data_are_refused(change):
    with pytest.raises(ValueError, match="associated data"):
        sealing.seal(b"x", ASSOCIATED | change, PUBLIC)


@pytest.mark.parametrize("custodians", [{"A": PUBLIC["A"], "B": PUBLIC["B"]}, {"A": PUBLIC["A"], "B": PUBLIC["A"], "C": PUBLIC["C"]}])
def test_two_custodians_or_one_twice_are_refused(custodians):
    with pytest.raises(KeyRefused, match="three different"):
        sealing.seal(b"x", ASSOCIATED, custodians)


@pytest.mark.parametrize("name", sealing.ASSOCIATED)
def test_swapped_row_is_refused_at_the_first_layer(name):
    """SL-01: a seal moved to another patient, tier, model, snapshot or scope does not open."""
    moved = replace(SEALED, associated=SEALED.associated | {name: "exploratory" if name == "purpose" else "x"})
    assert sealing.faults(moved) == [f"its {name} is not the one on the ledger"]
    with pytest.raises(KeyRefused):
        open_(moved)


@pytest.mark.parametrize("place", [0, 11, 12, 5000, -1])
def test_flipped_byte_of_the_ciphertext_is_found_without_and_with_keys(place):
    changed = replace(
        SEALED, envelope=replace(SEALED.envelope, ciphertext=flip(SEALED.envelope.ciphertext, place % len(SEALED.envelope.ciphertext)))
    )
    assert sealing.faults(changed) == ["its ciphertext is not the one on the ledger"]
    with pytest.raises(KeyRefused):
        open_(changed)


@pytest.mark.parametrize("pair", sealing_envelope.PAIRS)
@pytest.mark.parametrize("place", [0, 1087, 1119, 1120, 2303])
def test_flipped_byte_of_a_wrap_is_found_without_and_with_keys(pair, place):
    wraps = SEALED.envelope.wraps | {pair: flip(SEALED.envelope.wraps[pair], place)}
    changed = replace(SEALED, envelope=replace(SEALED.envelope, wraps=wraps))
    assert sealing.faults(changed) == ["its wraps is not the one on the ledger"]
    with pytest.raises(KeyRefused):
        open_(changed, pair)


def test_payload_sealed_anew_under_an_old_record_is_refused():
    """Whoever holds the public keys can seal something else; the ledger's commitment does not fit it."""
    forged = sealing.seal(failure().encode(), ASSOCIATED, PUBLIC)
    with pytest.raises(KeyRefused, match="committed on the ledger"):
        open_(replace(forged, body=SEALED.body))


@pytest.mark.parametrize("passphrase", ["", "四个 custodians"])
def test_key_file_returns_the_key(passphrase):
    data = sealing_keys.write_private(KEYS["A"], passphrase)
    assert sealing_keys.needs_passphrase(data) == bool(passphrase)
    assert sealing_keys.read_private(data, passphrase).public == PUBLIC["A"]


def test_locked_key_file_refuses_a_wrong_passphrase_and_holds_no_clear_secret():
    data = sealing_keys.write_private(KEYS["A"], "right")
    with pytest.raises(KeyRefused, match="passphrase"):
        sealing_keys.read_private(data, "wrong")
    assert sealing_keys.write_private(KEYS["A"]).split(b'"secret": ')[1][:40] not in data


def test_foreign_and_mixed_key_files_are_refused():
    ours, theirs = sealing_keys.write_private(KEYS["A"]), sealing_keys.write_private(KEYS["B"])
    mixed = ours.split(b'"secret"')[0] + b'"secret"' + theirs.split(b'"secret"')[1]
    for data in (b"{}", b"no json", mixed):
        with pytest.raises(KeyRefused):
            sealing_keys.read_private(data)


def test_public_key_returns_from_json_and_fingerprints_differ():
    assert sealing_keys.PublicKey.from_json(PUBLIC["A"].as_json()) == PUBLIC["A"]
    assert len({key.fingerprint for key in PUBLIC.values()}) == 3
    with pytest.raises(KeyRefused, match="suite"):
        sealing_keys.PublicKey.from_json(PUBLIC["A"].as_json() | {"suite": "HPKE-v1/X25519"})


def test_proof_of_possession_needs_both_secrets():
    secret = b"s" * 32
    asked = sealing_keys.challenge(PUBLIC["A"], secret)
    proof = sealing_keys.prove(KEYS["A"], asked)
    assert sealing_keys.proves(proof, PUBLIC["A"], secret)
    assert not sealing_keys.proves(proof, PUBLIC["B"], secret)
    assert not sealing_keys.proves(proof, PUBLIC["A"], b"t" * 32)
    with pytest.raises(KeyRefused):
        sealing_keys.prove(KEYS["B"], asked)
    stolen = replace(KEYS["A"], signing=KEYS["B"].signing)
    assert not sealing_keys.proves(sealing_keys.prove(stolen, asked), PUBLIC["A"], secret)
