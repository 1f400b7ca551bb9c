"""Second and repeated outlines: measured like the one that counts, kept beside it, seen by no model."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import translation

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import extraction, region_checks, regions
from imaging.models import FeatureSet, Roi
from predictions import features as snapshot
from studies.models import Participant
from tests.imaging.masks import ball, written
from tests.imaging.test_extraction import CENTER, RADIUS, Case
from tests.imaging.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(world: World, participant: Participant) -> Case:
    made = Case(world, participant)
    made.confirm("arterial")
    return made


def drawn(case: Case, session: str, reader: str, *, radius: float = RADIUS, reason: str = "") -> Roi:
    """An outline of the arterial series, checked."""
    mask = written(ball(case.files["arterial"], CENTER, radius))
    given = {"treatment_known": False, "by": case.by, "reader": reader, "reason": reason, "session": session}
    with translation.override("en"):
        roi = regions.upload(series=case.series["arterial"], file=mask, **given)
    region_checks.sweep()
    roi.refresh_from_db()
    return roi


def test_outlines_for_comparison_are_measured_and_never_count(case: Case) -> None:
    """A second reader's larger outline and a repeat leave the one in force, its features and the snapshot of a prediction as they were."""
    counts = drawn(case, "counts", "R1")
    second, repeat = drawn(case, "second", "R2", radius=RADIUS + 1), drawn(case, "repeat", "R1", radius=RADIUS - 1)
    assert [roi.state for roi in (counts, second, repeat)] == ["aligned", "compared", "compared"]
    counts.refresh_from_db()
    assert counts.state == "aligned"
    assert extraction.sweep() == 3
    assert FeatureSet.objects.count() == 3
    kept = extraction.features_of(case.participant)["arterial"]
    seen = snapshot._measured(case.participant, "arterial")
    assert kept is not None
    assert seen is not None
    assert kept.roi == seen.roi == counts


def test_comparison_needs_an_outline_in_force_and_the_right_reader(case: Case) -> None:
    with pytest.raises(NotAllowedNow):
        drawn(case, "second", "R2")
    drawn(case, "counts", "R1")
    with pytest.raises(ValidationError, match="same reader"):
        drawn(case, "second", "R1")
    with pytest.raises(ValidationError, match="another reader"):
        drawn(case, "repeat", "R2")


def test_comparison_takes_the_place_of_its_own_kind_alone_and_with_a_reason(case: Case) -> None:
    drawn(case, "counts", "R1")
    first = drawn(case, "second", "R2")
    with pytest.raises(ValidationError, match="Say why"):
        drawn(case, "second", "R2")
    later = drawn(case, "second", "R3", reason="R2 saw the report")
    first.refresh_from_db()
    assert (first.state, first.replaced_by, later.state) == ("replaced", later, "compared")
    regions.void(roi=later, reason="drawn on the wrong phase", by=case.by)
    assert Roi.objects.get(state="aligned").reader == "R1"


def test_database_keeps_a_comparison_from_counting(case: Case) -> None:
    drawn(case, "counts", "R1")
    second = drawn(case, "second", "R2")
    refused = pytest.raises(IntegrityError, match="roi_compared_never_counts|roi_one_in_force")
    with refused, transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        Roi.objects.filter(pk=second.pk).update(state="aligned")
