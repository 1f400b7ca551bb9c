"""What looks like an identity in a text; the citizen number is the example of GB 11643-1999, annex, and one with a slip."""

import pytest

from studies.quality.identity import Likeness, likenesses

EXAMPLE = "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"see {EXAMPLE}.", {Likeness.CITIZEN}),
        ("号码 １１０１０５１９４９１２３１００２Ｘ", {Likeness.CITIZEN}),
        ("11010519491231003X", {Likeness.LONG}),
        ("call 13812345678", {Likeness.PHONE}),
        ("call 138-1234-5678 or +86 13912345678", {Likeness.PHONE}),
        ("010-12345678", {Likeness.PHONE}),
        ("AFP 60500 on 2026-03-02, study number 01-0007-50, pathology 2026-12345", set()),
        ("platelets 138, ALT 12345678", set()),
    ],
)
def test_number_that_looks_like_an_identity_is_found(text, found):
    assert likenesses(text) == found
