"""Which measurements of a participant count: those of the outlines in force, by the study's profile, on the series as they are now."""

from functools import cache

from django.db.models import F, QuerySet

from imaging import radiomics_profile
from imaging.models import FeatureSet, Roi
from imaging.phase import Phase
from studies.models import Participant

PROFILE = "prime"
EXPECTED = 944  # values of that profile: 107 original, 93 Laplacian of Gaussian, 744 wavelet
INPUTS = {Phase.ARTERIAL: "arterial", Phase.PORTAL_VENOUS: "venous"}
"""The contrast phases that are measured, and what the models call them."""


@cache
def profile() -> radiomics_profile.Profile:
    """The profile by which the study measures."""
    return radiomics_profile.named(PROFILE)


def in_force() -> QuerySet[FeatureSet]:
    """The measurements that count, of everybody."""
    return FeatureSet.objects.filter(
        profile_sha256=profile().sha256, roi__state=Roi.State.ALIGNED, roi__series__phase__in=INPUTS, revision=F("roi__series__revision")
    ).select_related("roi__series")


def features_of(participant: Participant) -> dict[str, FeatureSet | None]:
    """{"arterial": …, "venous": …}: the measurement of each phase that counts, None where there is none.

    Of several series of one phase the outline that was uploaded last decides.
    """
    found: dict[str, FeatureSet | None] = dict.fromkeys(INPUTS.values())
    for one in in_force().filter(roi__series__participant=participant).order_by("roi__uploaded_at", "roi_id"):
        found[INPUTS[Phase(one.roi.series.phase)]] = one
    return found


def is_complete(participant: Participant) -> bool:
    """Whether both phases are measured."""
    return all(features_of(participant).values())
