"""The page of measurements: a reader's progress and failures, the lists for who chooses features, and nobody else's participants."""

import json

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from accounts.canonical import digest
from imaging.features import profile
from imaging.models import Extraction, FeatureList, Roi
from studies.vocabulary import Role
from tests.imaging.world import World, member

pytestmark = pytest.mark.django_db


def test_page_shows_progress_failures_and_lists(client: Client, world: World, tables: dict[str, np.ndarray]) -> None:
    """A reader sees his center's progress and why one failed; an investigator sees the list and no participant; the list is a file."""
    failed = Roi.objects.filter(session="counts").first()
    assert failed is not None
    sentence = {"code": "lossy", "message": "The images lost detail when they were compressed.", "params": {}}
    for roi in Roi.objects.all():
        lost = roi == failed
        Extraction.objects.create(
            roi=roi, profile_sha256=profile().sha256, revision=1, state="failed" if lost else "done", findings=[sentence] if lost else []
        )
    client.force_login(member(world.study, "manager", Role.DATA_MANAGER))
    assert client.post(reverse("feature-list-new"), {"study": world.study.code}).status_code == 302
    client.force_login(member(world.study, "reader", Role.READER, world.centers["01"]))
    page = client.get(reverse("measurements")).content.decode()
    assert "59 of 60 outlines measured" in page
    assert "The images lost detail when they were compressed." in page
    assert client.post(reverse("feature-list-new"), {"study": world.study.code}).status_code == 403
    kept = FeatureList.objects.get()
    client.force_login(member(world.study, "investigator", Role.INVESTIGATOR))
    page = client.get(reverse("measurements")).content.decode()
    assert kept.sha256 in page
    assert failed.series.participant.study_number not in page
    assert "outlines measured" not in page
    file = json.loads(client.get(reverse("feature-list"), {"study": world.study.code, "version": 1}).content)
    assert file == {"sha256": digest(file["content"]), "content": kept.content}
    assert client.get(reverse("feature-list"), {"study": world.study.code, "version": 7}).status_code == 404


def test_before_the_first_list_there_is_no_file(client: Client, world: World) -> None:
    client.force_login(member(world.study, "investigator", Role.INVESTIGATOR))
    assert client.get(reverse("feature-list")).status_code == 409


def test_page_is_refused_to_who_has_nothing_to_do_with_images(client: Client, world: World) -> None:
    client.force_login(member(world.study, "sponsor", Role.SPONSOR))
    assert client.get(reverse("measurements")).status_code == 403
