"""Canonical bytes: RFC 8785 with integers only (formats a)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.canonical import canonical, digest, number

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4),
    max_leaves=12,
)


def test_canonical_orders_keys_by_utf16_and_writes_no_space():
    """RFC 8785 §3.2.3: a surrogate pair sorts before U+FF5E, although its code point is larger."""
    assert canonical({"\uff5e": 1, "\U0001f600": 2, "a": [True, None]}) == '{"a":[true,null],"\U0001f600":2,"\uff5e":1}'.encode()


def test_canonical_text_is_nfc_so_one_name_has_one_hash():
    assert canonical("e\u0301") == canonical("\u00e9") == '"é"'.encode()


@pytest.mark.parametrize("value", [0.5, {"x": 1.0}, [float("nan")], b"bytes", {1: 2}, object()])
def test_canonical_refuses_what_has_no_canonical_bytes(value):
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), {"\u00e9": 1, "e\u0301": 2}])
def test_canonical_refuses_what_other_readers_would_change(value):
    with pytest.raises(ValueError):
        canonical(value)


def test_digest_is_sha256_of_the_bytes():
    """SHA-256 of `{}` as printed by sha256sum."""
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_number_is_the_shortest_repr():
    assert [number(x) for x in (0.1, 1, 1e-9, 1e22)] == ["0.1", "1.0", "1e-09", "1e+22"]


@given(st.dictionaries(st.text(), JSON))
def test_canonical_does_not_depend_on_the_order_of_keys(value):
    try:
        expected = canonical(value)
    except ValueError:
        return  # two keys fell together under NFC
    assert canonical(dict(reversed(list(value.items())))) == expected
