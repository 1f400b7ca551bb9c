"""Baseline values: checked by the protocol, kept as text, changed only with a reason (AU-03)."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import translation

from accounts import audit
from predictions import clinical
from studies import baseline
from tests import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return world.build()


@pytest.fixture
def participant(site):
    return world.enrolled(site)


def test_values_are_stored_as_decimal_text(site, participant):
    row = baseline.record(participant=participant, values={"afp": "60500.0", "mvi": "M1"}, by=site.people["coordinator01"])
    assert row.values == {"afp": "60500", "mvi": "M1"}
    assert "albumin" in baseline.missing(participant)


@pytest.mark.parametrize(
    ("code", "value"), [("afp", "high"), ("afp", "-1"), ("afp", "NaN"), ("mvi", "M3"), ("nonsense", "1"), ("tumour_diameter_cm", "0")]
)
def test_impossible_value_is_refused_and_nothing_is_stored(site, participant, code, value):
    with pytest.raises(ValidationError):
        baseline.record(participant=participant, values={code: value, "albumin": "40"}, by=site.people["coordinator01"])
    assert "albumin" in baseline.missing(participant)


def test_change_needs_a_reason_and_keeps_what_was(site, participant):
    by = site.people["coordinator01"]
    baseline.record(participant=participant, values={"afp": "20"}, by=by)
    with translation.override("en"), pytest.raises(ValidationError, match="Say why"):
        baseline.record(participant=participant, values={"afp": "200"}, by=by)
    row = baseline.record(participant=participant, values={"afp": "200"}, by=by, reason="misread")
    assert [event.values["afp"] for event in audit.history(row)] == ["20", "200"]


def test_only_the_center_enters(site, participant):
    with pytest.raises(PermissionDenied):
        baseline.record(participant=participant, values={"afp": "20"}, by=site.people["coordinator02"])


def test_features_follow_the_published_formulas():
    """ALBI of 17.1 µmol/L and 40 g/L: 0.66·log10(17.1) − 3.4 = −2.586 (by hand)."""
    found = clinical.features({"bilirubin": "17.1", "albumin": "40", "afp": "1000", "mvi": "not_reported"}, age_at_surgery=58, sex="M")
    assert found["clinical_albi"] == pytest.approx(-2.586, abs=5e-4)
    assert (found["clinical_afp_log10"], found["clinical_mvi"], found["clinical_sex_male"]) == (3.0, None, 1.0)
