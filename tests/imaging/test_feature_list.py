"""The list of features that readers measure alike: what stays, what it says, how it is numbered, and who sees it."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.utils import translation

from accounts.canonical import digest, number
from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import feature_list
from imaging.agreement import icc
from imaging.models import FeatureList
from predictions.training import feature_list as training_list
from tests.imaging.readings import NAMES
from tests.imaging.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_list_keeps_what_both_comparisons_hold_above_the_threshold(world: World, tables: dict[str, np.ndarray]) -> None:
    """models.md §4: per phase, inter- and intra-observer apart; the figures are those of `agreement.icc` on the values put in."""
    made = feature_list.make(study=world.study, by=User.objects.system())
    assert made.kept == ["arterial_original_shape_Steady", "venous_original_shape_Steady"]
    rows = {row["name"]: row for row in made.content["features"]}
    assert list(rows) == [f"{phase}_{name}" for phase in ("arterial", "venous") for name in NAMES]
    for phase, name in (("arterial", "arterial"), ("portal_venous", "venous")):
        drifting = rows[f"{name}_{NAMES[2]}"]
        for kind, reading in (("inter", 1), ("intra", 2)):
            expected = icc(tables[phase][:, [0, reading], 2])
            assert (drifting[kind]["icc"], drifting[kind]["lower"]) == (number(expected.estimate), number(expected.lower))
        assert float(drifting["inter"]["icc"]) < 0
        assert float(drifting["intra"]["icc"]) > 0.99
        assert rows[f"{name}_{NAMES[3]}"]["intra"] == {"icc": None, "lower": None, "upper": None, "n": None}
    assert made.content["pairs"] == dict.fromkeys(["arterial_inter", "arterial_intra", "venous_inter", "venous_intra"], 10)
    assert len(made.content["measurements"]) == 60
    assert [(one.phase, one.comparison, one.pairs) for one in feature_list.progress(world.study)] == [
        (phase, kind, 10) for phase in ("arterial", "venous") for kind in ("inter", "intra")
    ]


def test_list_is_numbered_hashed_and_never_changed(world: World, tables: dict[str, np.ndarray]) -> None:
    first = feature_list.make(study=world.study, by=User.objects.system())
    assert feature_list.make(study=world.study, by=User.objects.system()) == first
    stricter = feature_list.make(study=world.study, by=User.objects.system(), threshold=0.9999999)
    assert ([first.version, stricter.version], stricter.kept) == ([1, 2], [])
    assert first.sha256 == digest(first.content)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        FeatureList.objects.update(version=3)


def test_too_few_tumours_make_no_list(world: World) -> None:
    with pytest.raises(NotAllowedNow, match="arterial inter 0"):
        feature_list.make(study=world.study, by=User.objects.system())
    with pytest.raises(PermissionDenied):
        feature_list.make(study=world.study, by=world.coordinators["01"])


def test_command_writes_the_list_that_a_training_reads(world: World, tables: dict[str, np.ndarray], tmp_path: Path) -> None:
    out = StringIO()
    call_command("agreement", "--study", world.study.code, "--out", str(tmp_path / "list.json"), "--json", stdout=out)
    said, read = json.loads(out.getvalue()), training_list.read(tmp_path / "list.json")
    assert (said["version"], said["kept"], said["features"], said["sha256"]) == (1, 2, 8, read.sha256)
    assert read.kept == {"arterial_original_shape_Steady", "venous_original_shape_Steady"}
