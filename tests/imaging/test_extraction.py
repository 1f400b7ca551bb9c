"""Measuring outlines: once each, by the profile, with its hashes; broken off and begun again (MD-08, RL-01, RL-02)."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.canonical import digest, number
from accounts.models import AccessRecord, User
from accounts.transitions import NotAllowedNow
from imaging import assessment, extraction, ingest, parsing, radiomics, radiomics_profile, region_checks, regions
from imaging.features import EXPECTED
from imaging.models import Extraction, FeatureSet, Roi, Series
from imaging.series import pick_phase
from imaging.volumes import read_series
from studies.models import Milestone, Participant
from studies.vocabulary import Role
from tests import cluster
from tests.imaging import world as worlds
from tests.imaging.masks import ball, other_phase, written
from tests.imaging.world import World, ct_series, member

CENTER, RADIUS = (10, 12, 5), 7.0


def textured(dataset: Any, i: int) -> None:
    """Something to measure: a pattern of 0 to 120 HU on top."""
    pixels = np.frombuffer(dataset.PixelData, dtype=np.int16)
    dataset.PixelData = (pixels + (np.arange(pixels.size) * (7 + i) % 121).astype(np.int16)).tobytes()


class Case:
    """One participant with two phases that a person confirmed, and an outline in force on each."""

    def __init__(self, world: World, participant: Participant) -> None:
        self.world, self.participant, self.by = world, participant, world.coordinators["01"]
        venous = ct_series(participant.study_number, slices=10, change=textured)
        self.files = {"portal_venous": venous, "arterial": other_phase(venous)}
        for files in self.files.values():
            world.put(world.seal(participant.study_number, files))
        ingest.sweep()
        assessment.sweep()
        self.series = {str(series.phase_proposed): series for series in Series.objects.filter(participant=participant)}
        assert set(self.series) == set(self.files)

    def outline(self, phase: str) -> Roi:
        mask = written(ball(self.files[phase], CENTER, RADIUS))
        return regions.upload(series=self.series[phase], file=mask, treatment_known=False, by=self.by)

    def confirm(self, phase: str) -> None:
        pick_phase(series=self.series[phase], phase=phase, by=self.by)

    def ready(self) -> None:
        for phase in self.files:
            self.outline(phase)
            self.confirm(phase)
        assert region_checks.sweep() == 2


@pytest.fixture
def case(world: World, participant: Participant) -> Case:
    return Case(world, participant)


@pytest.mark.django_db
def test_both_phases_are_measured_and_the_timeline_says_so(case: Case) -> None:
    """MD-08: 944 values each, those of `measure` on the files themselves, with the hashes of all that decides them."""
    case.ready()
    assert extraction.sweep() == 2
    kept = extraction.features_of(case.participant)
    profile = radiomics_profile.named("prime")
    for name, phase in (("arterial", "arterial"), ("venous", "portal_venous")):
        measured = radiomics.measure(read_series(case.files[phase]).image, ball(case.files[phase], CENTER, RADIUS), profile)
        one = kept[name]
        assert one is not None
        assert len(one.values) == EXPECTED
        assert one.values == [[key, number(value)] for key, value in measured.values.items()]
        assert (one.image_sha256, one.mask_sha256, one.profile_sha256) == (measured.image_sha256, measured.mask_sha256, profile.sha256)
        assert (one.software, one.software_sha256, one.sha256) == (measured.software, digest(dict(measured.software)), measured.sha256)
        assert one.revision == case.series[phase].revision == 1
    assert Milestone.objects.filter(kind="features_ready").count() == 1
    assert extraction.sweep() == 0
    assert list(Extraction.objects.values_list("state", "attempts")) == [("done", 1)] * 2


@pytest.mark.django_db
def test_only_confirmed_phases_and_outlines_in_force_are_measured(case: Case) -> None:
    """EL-04: a proposal is not enough; a measured outline that is taken back counts no more and the timeline takes it back."""
    roi = case.outline("arterial")
    region_checks.sweep()
    assert not extraction.due().exists()
    case.confirm("arterial")
    assert list(extraction.due()) == [roi]
    assert extraction.sweep() == 1
    assert extraction.features_of(case.participant)["arterial"] is not None
    assert not Milestone.objects.filter(kind="features_ready").exists()
    regions.void(roi=Roi.objects.get(pk=roi.pk), reason="wrong lesion", by=case.by)
    assert extraction.features_of(case.participant) == {"arterial": None, "venous": None}
    assert FeatureSet.objects.count() == 1


@pytest.mark.django_db
def test_images_that_lost_detail_are_barred(case: Case) -> None:
    """MD-08: lossy compression changes texture; the page says so instead of measuring."""
    case.outline("arterial")
    case.confirm("arterial")
    region_checks.sweep()
    _make_lossy(case)
    assert extraction.sweep() == 0
    row = Extraction.objects.get()
    assert (row.state, row.findings[0]["code"]) == ("failed", "lossy")
    assert not extraction.due().exists()


def _make_lossy(case: Case) -> None:
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        Series.objects.filter(pk=case.series["arterial"].pk).update(facts={"LossyImageCompression": "01"})


@pytest.mark.django_db
def test_measuring_is_given_up_after_three_attempts_until_a_person_asks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """RL-02: the limited process gets too little memory three times; then nothing is tried until someone who may asks again."""
    roi = case.outline("arterial")
    case.confirm("arterial")
    region_checks.sweep()
    with monkeypatch.context() as patched:
        patched.setattr(parsing, "_GIB", 2**20)
        assert [extraction.sweep() for _ in range(4)] == [0] * 4
    row = Extraction.objects.get()
    assert (row.state, row.attempts, row.findings[0]["code"]) == ("failed", 3, "stopped")
    assert row.findings[0]["params"]["code"] in ("bomb", "crash")
    with pytest.raises(PermissionDenied):
        extraction.measure_again(roi=roi, by=case.world.coordinators["02"])
    extraction.measure_again(roi=roi, by=case.by)
    with pytest.raises(NotAllowedNow):
        extraction.measure_again(roi=roi, by=case.by)
    assert extraction.sweep() == 1


# Pages


@pytest.mark.django_db
def test_page_goes_from_the_form_to_the_features(case: Case) -> None:
    """The answer about the treatment is never preselected; progress is said without scripts; the first 20 features stand there."""
    client, series = Client(), case.series["arterial"]
    client.force_login(case.by)
    page, form = reverse("series", args=[series.uuid]), reverse("roi-upload", args=[series.uuid])
    html = client.get(page).content.decode()
    assert html.count('name="treatment_known"') == 2
    assert "checked" not in html
    mask = written(ball(case.files["arterial"], CENTER, RADIUS))
    unanswered = client.post(form, {"mask": mask, "reader": "R1"})
    assert (unanswered.status_code, "Say whether the reader knew the treatment." in unanswered.content.decode()) == (400, True)
    assert client.post(form, {"treatment_known": "no", "reader": "R1"}).status_code == 400
    mask.seek(0)
    assert client.post(form, {"mask": mask, "treatment_known": "no", "reader": "R1"}).status_code == 302
    assert "Checking whether the outline lies on these images." in client.get(page).content.decode()
    region_checks.sweep()
    case.confirm("arterial")
    html = client.get(page).content.decode()
    assert "944 features wait to be measured." in html
    assert "treatment unknown to the reader" in html
    assert "<polygon points=" in html
    state = client.get(reverse("roi-state", args=[series.uuid])).content.decode()
    assert 'data-poll="' in state
    extraction.sweep()
    html = client.get(page).content.decode()
    kept = FeatureSet.objects.get()
    assert all(text in html for text in (kept.sha256, kept.image_sha256, kept.mask_sha256, "The first 20 of 944 features"))
    assert "data-poll" not in html
    assert "style=" not in html


@pytest.mark.django_db
def test_all_features_are_exported_by_who_may_and_that_is_recorded(case: Case) -> None:
    """SE-03, AU-01: a data manager gets the file, a coordinator is refused; the file of a demonstration says so."""
    case.outline("arterial")
    case.confirm("arterial")
    region_checks.sweep()
    extraction.sweep()
    kept = FeatureSet.objects.get()
    address = reverse("features-csv", args=[kept.uuid])
    client = Client()
    client.force_login(case.by)
    assert client.get(address).status_code == 403
    client.force_login(member(case.world.study, "manager", Role.DATA_MANAGER))
    answer = client.get(address)
    lines = answer.content.decode().splitlines()
    assert len(lines) == 1 + EXPECTED
    assert lines[1].split(",")[:3] == [*kept.values[0], kept.image_sha256]
    assert f"SYNTHETIC-{case.participant.study_number}-arterial-" in answer["Content-Disposition"]
    taken = AccessRecord.objects.get(kind="export")
    assert taken.subject == f"features {kept.uuid}"
    assert (taken.detail["study"], taken.detail["participant"]) == (case.world.study.code, str(case.participant.uuid))


# Worker processes

SWEEPING = """
import django; django.setup()
from imaging import extraction, region_checks
print("ready", flush=True)
while True:
    region_checks.sweep()
    extraction.sweep()
"""
Worker = subprocess.Popen[str]


@pytest.fixture
def start(var: Path) -> Iterator[Callable[[], Worker]]:
    """Start a process that sweeps without end, signed in to the test database as the worker; all are gone afterwards."""
    url = urlsplit(cluster.urls()["worker"])._replace(path=f"/{cluster.DATABASE}").geturl()
    environment = {
        "PATH": os.environ["PATH"], "DATABASE_URL": url, "PRIME_VAR": str(var), "SECRET_KEY": "tests only", "CELERY_BROKER_URL": "memory://",
        "DJANGO_SETTINGS_MODULE": "prime_platform.settings",
    }  # fmt: skip
    started: list[Worker] = []

    def begin() -> Worker:
        with (var / "worker.log").open("a") as log:
            command = [sys.executable, "-c", SWEEPING]
            started.append(subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=log, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "ready\n", (var / "worker.log").read_text()
        return started[-1]

    yield begin
    for process in started:
        _kill(process)
    print((var / "worker.log").read_text()[-3000:])


def _kill(process: Worker) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _wait(done: Callable[[], bool], limit: float = 240) -> None:
    deadline = time.monotonic() + limit
    while not done():
        assert time.monotonic() < deadline, list(Extraction.objects.values())
        time.sleep(0.1)


@pytest.fixture
def committed(transactional_db: None, var: Path) -> Case:
    world = worlds.build()
    return Case(world, world.enrol())


def test_two_workers_measure_once(committed: Case, start: Callable[[], Worker]) -> None:
    """RL-02, under the worker's own login: each outline is checked and measured once, one phase by each worker or both by one."""
    for phase in committed.files:
        committed.outline(phase)
        committed.confirm(phase)
    start()
    start()
    _wait(lambda: FeatureSet.objects.count() == 2 and Milestone.objects.filter(kind="features_ready").exists())
    assert list(Extraction.objects.values_list("state", "attempts")) == [("done", 1)] * 2
    assert Milestone.objects.filter(kind="features_ready").count() == 1
    assert Milestone.objects.filter(kind="roi_ready").count() == 2


def test_killed_worker_leaves_the_measuring_to_the_next(committed: Case, start: Callable[[], Worker]) -> None:
    """NW-08, RL-02: killed twice at random while it measures; the page still says since when; then measured once."""
    rng, began = random.Random(20261122), timezone.now()
    committed.outline("arterial")
    committed.confirm("arterial")
    for attempt in (1, 2):
        worker = start()
        _wait(lambda attempt=attempt: Extraction.objects.filter(state="running", attempts=attempt).exists())  # type: ignore[misc]
        time.sleep(rng.uniform(0, 0.2))  # well before a small phantom is measured
        _kill(worker)
    assert not FeatureSet.objects.exists()
    row = Extraction.objects.get()
    assert (row.state, row.started_at > began) == ("running", True)
    start()
    _wait(FeatureSet.objects.exists)
    row.refresh_from_db()
    assert (row.state, row.attempts, FeatureSet.objects.count()) == ("done", 3, 1)
