"""Ten tumours outlined three times, with the values that the worker would have measured."""

import numpy as np
from django.utils import timezone

from accounts import audit
from accounts.canonical import digest, number
from accounts.models import User
from imaging.features import profile
from imaging.models import ArchivedObject, FeatureSet, ImagingStudy, Roi, Series
from tests.imaging.world import World

NAMES = ("original_shape_Steady", "original_glcm_Noisy", "original_glcm_Drifting", "original_glcm_Undefined")
READINGS = {"counts": ("aligned", "R1"), "second": ("compared", "R2"), "repeat": ("compared", "R1")}


def outlined_twice(world: World) -> dict[str, np.ndarray]:
    """Ten participants with both phases outlined three times: by phase, values of (tumour, reading, feature).

    Steady agrees always; Noisy never; Drifting agrees with itself but not between readers; Undefined has no value in the repeat.
    """
    rng = np.random.default_rng(20261129)
    mask = ArchivedObject.objects.create(sha256="a" * 64, size=1, media_type=ArchivedObject.MediaType.NIFTI)
    made = {phase: np.zeros((10, 3, 4)) for phase in ("arterial", "portal_venous")}
    for i in range(10):
        person = world.enrol()
        examination = ImagingStudy.objects.create(center=person.center, participant=person, study_instance_uid=f"2.25.{i}1")
        for k, (phase, values) in enumerate(made.items()):
            truth = rng.normal(0, 5)
            values[i, :, 0] = truth + rng.normal(0, 0.1, 3)
            values[i, :, 1] = rng.normal(0, 1, 3)
            values[i, :, 2] = [truth, -truth, truth + 0.01]
            values[i, :, 3] = [1, 1, np.nan]
            with audit.act(by=User.objects.system(), action="test"):
                series = Series.objects.create(
                    center=person.center, participant=person, imaging_study=examination, series_instance_uid=f"2.25.{i}{k}2", modality="CT",
                    phase=phase, phase_picked_at=timezone.now(), phase_picked_by=world.coordinators["01"], verdict="regular",
                    revision=1, assessed_revision=1,
                )  # fmt: skip
            for n, session in enumerate(READINGS):
                measured(series, mask, session, values[i, n])
    return made


def measured(series: Series, mask: ArchivedObject, session: str, values: np.ndarray) -> None:
    state, reader = READINGS[session]
    with audit.act(by=User.objects.system(), action="test"):
        roi = Roi.objects.create(
            series=series, object=mask, reader=reader, treatment_known=False, uploaded_by=User.objects.system(), state=state, voxels=9,
            checked_revision=1, session=session,
        )  # fmt: skip
    hashes = dict.fromkeys(["image_sha256", "mask_sha256", "software_sha256"], "0" * 64)
    named = [[name, number(value)] for name, value in zip(NAMES, values, strict=True)]
    FeatureSet.objects.create(
        roi=roi, revision=1, profile="prime", profile_sha256=profile().sha256, values=named, software={},
        sha256=digest([str(series.uuid), session]), **hashes,
    )  # fmt: skip
