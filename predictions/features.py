"""The snapshot a prediction sees: one place that assembles clinical and radiomics features at a moment, as canonical bytes.

Each input carries its clinical date, when it was recorded, its hash, and whether its reader knew the treatment. Nothing of
treatment or follow-up can enter: this module cannot import those rooms, and its login cannot read their tables (PR-08).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from accounts.canonical import canonical, number
from imaging.models import FeatureSet
from predictions import clinical
from predictions.models import Tier
from studies.models import Baseline, Participant

PROFILE = "prime"
PHASES = {"arterial": "arterial", "venous": "portal_venous"}
"""Section of the snapshot → contrast phase of the series it comes from."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The canonical bytes of a snapshot and their SHA-256."""

    content: bytes
    sha256: str


def take(participant: Participant, tier: str) -> Taken | None:
    """The snapshot of a participant for a tier, or None while one of its required inputs is missing (decided before inference)."""
    row: Baseline | None = getattr(participant, "baseline", None)
    if row is None or any(code not in row.values for code in clinical.REQUIRED):
        return None
    content: dict[str, Any] = {
        "v": 1,
        "study": participant.study.code,
        "study_number": participant.study_number,
        "tier": tier,
        "clinical": _clinical(participant, row),
        "inputs": [_baseline_input(participant, row)],
    }
    if tier == Tier.CLINICAL_CT:
        for section, phase in PHASES.items():
            measured = _measured(participant, phase)
            if measured is None:
                return None
            content[section] = {f"{section}_{name}": None if value == "nan" else value for name, value in measured.values}
            content["inputs"].append(_image_input(section, measured))
    data = canonical(content)
    return Taken(data, hashlib.sha256(data).hexdigest())


def measured() -> QuerySet[FeatureSet, dict[str, Any]]:
    """The participants of whom any series was measured, as a subquery: nobody else can have both phases."""
    return FeatureSet.objects.filter(profile=PROFILE, roi__state="aligned").values("roi__series__participant")


def _clinical(participant: Participant, row: Baseline) -> dict[str, str | None]:
    screening = participant.screening
    found = clinical.features(row.values, age_at_surgery=screening.age_at_surgery, sex=screening.sex)
    return {name: None if value is None else number(value) for name, value in found.items()}


def _measured(participant: Participant, phase: str) -> FeatureSet | None:
    """The newest measurement, in force, of a series that a person confirmed to be of this phase."""
    found = FeatureSet.objects.filter(roi__series__participant=participant, roi__series__phase=phase, roi__state="aligned", profile=PROFILE)
    return found.select_related("roi__series__imaging_study").order_by("-computed_at", "-pk").first()


def _baseline_input(participant: Participant, row: Baseline) -> dict[str, Any]:
    """Pathology and laboratory values: known at enrolment; entered by the site, so the entry's time counts."""
    return {
        "kind": "baseline",
        "on": participant.screening.surgery_date.isoformat(),
        "recorded_at": _utc(row.recorded_at),
        "treatment_known": False,
        "sha256": hashlib.sha256(canonical(row.values)).hexdigest(),
    }


def _image_input(section: str, measured: FeatureSet) -> dict[str, Any]:
    study_date = measured.roi.series.imaging_study.study_date
    return {
        "kind": section,
        "on": None if study_date is None else study_date.isoformat(),
        "recorded_at": _utc(measured.computed_at),
        "treatment_known": measured.roi.treatment_known,
        "image": measured.image_sha256,
        "mask": measured.mask_sha256,
        "parameters": measured.profile_sha256,
        "sha256": measured.sha256,
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
