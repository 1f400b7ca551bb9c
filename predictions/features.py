"""The snapshot a prediction sees: one place that assembles clinical and radiomics features at a moment, as canonical bytes.

Each input carries its clinical date, when it was recorded, its hash, and whether its reader knew the treatment. Nothing of
treatment or follow-up can enter: this module cannot import those rooms, and its login cannot read their tables (PR-08).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Max, QuerySet

from accounts.canonical import canonical, number
from imaging.models import FeatureSet
from predictions import clinical
from predictions.models import Tier
from studies import entry
from studies.models import Entry, Participant
from studies.vocabulary import EntryStatus

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
    held = entry.flat([participant], submitted=True).get(participant.pk, {})
    values = {code: held[code] for code in clinical.READ if code in held}
    if any(code not in values for code in clinical.REQUIRED):
        return None
    content: dict[str, Any] = {
        "v": 1,
        "study": participant.study.code,
        "study_number": participant.study_number,
        "tier": tier,
        "clinical": _clinical(participant, values),
        "inputs": [_baseline_input(participant, values)],
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


def _clinical(participant: Participant, values: dict[str, str]) -> dict[str, str | None]:
    screening = participant.screening
    found = clinical.features(values, age_at_surgery=screening.age_at_surgery, sex=screening.sex)
    return {name: None if value is None else number(value) for name, value in found.items()}


def _measured(participant: Participant, phase: str) -> FeatureSet | None:
    """The newest measurement, in force, of a series that a person confirmed to be of this phase, as the series is now.

    A slice that came late begins a new revision: what was measured before it counts no more, and nothing is sealed until it is measured
    anew (NW-09).
    """
    found = FeatureSet.objects.filter(
        roi__series__participant=participant, roi__series__phase=phase, roi__state="aligned", profile=PROFILE,
        revision=F("roi__series__revision"),
    )  # fmt: skip
    return found.select_related("roi__series__imaging_study").order_by("-computed_at", "-pk").first()


def _baseline_input(participant: Participant, values: dict[str, str]) -> dict[str, Any]:
    """Pathology and laboratory values: known at enrolment; entered by the site, so the time of the last form with one of them counts."""
    rows = Entry.objects.filter(participant=participant, status=EntryStatus.SUBMITTED, values__has_any_keys=list(values))
    recorded_at = rows.aggregate(last=Max("recorded_at"))["last"]
    return {
        "kind": "baseline",
        "on": participant.screening.surgery_date.isoformat(),
        "recorded_at": _utc(recorded_at),
        "treatment_known": False,
        "sha256": hashlib.sha256(canonical(values)).hexdigest(),
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
