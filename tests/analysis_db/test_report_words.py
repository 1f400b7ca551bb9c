"""Sentences of the report that depend on the result: where figures are read, what bounds say when nobody is left out, and sex in words."""

from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from analysis import report, result
from studies import protocol


@pytest.mark.parametrize(
    ("within", "said", "unsaid"), [(True, "Dotted line", "beyond the curves"), (False, "beyond the curves", "Dotted line")]
)
def test_line_that_is_not_drawn_is_not_spoken_of(within, said, unsaid):
    with translation.override("en"):
        page = render_to_string("analysis/_both.html", {"both": {"read_within": within, "read_at": 1108, "months": "36.4"}})
    assert said in page and unsaid not in page and "day 1108" in page and "RFS at month 36.4" in page


@pytest.mark.parametrize(("sensitivity", "said"), [
    ({"left_out": 0, "robust": False}, "nobody without a tag to bound"), ({"left_out": 3, "robust": False}, "not robust"),
    ({"left_out": 3, "robust": True}, "robust"), ({}, "not robust"),
])  # fmt: skip
def test_without_anybody_left_out_there_are_no_bounds(sensitivity, said):
    with translation.override("en"):
        assert report._robust(sensitivity) == said


def test_sex_is_said_in_words():
    study = SimpleNamespace(protocol=protocol.load("hcc_adjuvant"), dictionary=SimpleNamespace(has=lambda code: False))
    with translation.override("en"):
        assert result._covariate("x_sex=M", study).endswith(" male")
