"""Every address of the platform, by everybody (BL-01, SE-03, SE-04): a page that is not listed here fails.

Of an object of another hospital nobody at this one learns that it exists: 404, whatever the method.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import audit
from accounts.models import User
from followup.pages import TABLES
from imaging import archive
from imaging.models import ArchivedObject, FeatureSet, ImagingStudy, KeySlice, Roi, Series
from studies.vocabulary import CENTER_ROLES
from tests import world

OPEN = {"healthz", "readyz", "sign-in", "language", "look"}
"""What anybody may ask for without signing in."""
GATEWAY = {"edge-package", "edge-receipt", "edge-heartbeat"}
"""What a hospital's gateway asks for, by signature."""
PLAIN = {
    "home", "sign-out", "worklist", "overview", "screening-log", "screening-new", "participants", "search", "understand-date",
    "schema", "api-participant-list", "api-screening-list", "series-list",
    "visits", "treatment", "understand-partial-date",
    "result", "result-patients", "result-curves", "result-balance",
}  # fmt: skip
"""Pages without an object in their address: each shows what the person may see, or refuses with 403, or before publication with 409."""
OBJECTS = {
    "course-new": "participant", "window-close": "participant", "declaration-new": "participant", "assessment-new": "participant",
    "recurrence-new": "participant", "death-new": "participant", "contact-new": "participant",
    "course-void": "course", "declaration-void": "declaration", "assessment-void": "assessment",
    "recurrence-void": "recurrence", "death-void": "death", "contact-void": "contact",
    "screening": "screening", "screening-answers": "screening", "screening-consent": "screening", "enroll": "screening",
    "screening-exclude": "screening", "screening-reinstate": "screening",
    "api-screening-detail": "screening", "api-screening-enroll": "screening",
    "baseline": "participant", "participant": "participant", "api-participant-detail": "participant",
    "series": "series", "series-phase": "series", "series-detail": "series", "slice": "slice",
    "roi-upload": "series", "roi-state": "series", "roi-void": "roi", "roi-measure": "roi", "features-csv": "features",
}  # fmt: skip
"""Addresses of one object, with the kind of object they name."""
EXPORTS = {"features-csv"}
"""Of these, files that only who may export gets; a coordinator is told so."""
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Address:
    name: str
    argument: str


def addresses() -> list[Address]:
    """Every named pattern of the URL configuration with the name of its argument."""

    def walk(patterns: list[Any]) -> list[URLPattern]:
        found = []
        for each in patterns:
            found += walk(each.url_patterns) if isinstance(each, URLResolver) else [each]
        return found

    return [
        Address(each.name, next(iter(each.pattern.converters or each.pattern.regex.groupindex), ""))
        for each in walk(get_resolver().url_patterns)
    ]


ADDRESSES = addresses()


def url(address: Address, value: object = None) -> str:
    if not address.argument:
        return reverse(address.name)
    if address.argument == "format":
        return reverse(address.name)
    return reverse(address.name, kwargs={address.argument: value})


def objects_at(site, center, participant, folder):
    """One object of each kind of `OBJECTS` at a center, by kind: a line of the screening log and what this participant has."""
    series, drawn = series_of(participant, folder)
    roi, features = measured_on(series, drawn.object)
    return {
        "screening": world.screened(site, center).uuid,
        "participant": participant.uuid,
        **entries_of(participant),
        "series": series.uuid,
        "slice": drawn.uuid,
        "roi": roi.uuid,
        "features": features.uuid,
    }


def series_of(participant, tmp_path):
    """A series with one key slice, as ingest would have left it."""
    study = ImagingStudy.objects.create(center=participant.center, participant=participant, study_instance_uid=f"2.25.{participant.pk}1")
    with audit.act(by=User.objects.system(), action="test"):
        series = Series.objects.create(
            center=participant.center,
            participant=participant,
            imaging_study=study,
            series_instance_uid=f"2.25.{participant.pk}2",
            modality="CT",
        )
    picture = tmp_path / f"{participant.pk}.png"
    picture.write_bytes(f"picture {participant.pk}".encode())
    digest = hashlib.sha256(picture.read_bytes()).hexdigest()
    archive.put(picture, digest)
    drawn = ArchivedObject.objects.create(sha256=digest, size=picture.stat().st_size, media_type="image/png")
    slice_ = KeySlice.objects.create(series=series, object=drawn, **KEY_SLICE)
    return series, slice_


def measured_on(series, mask):
    """An outline in force and its features, as the worker would have left them."""
    by = User.objects.system()
    with audit.act(by=by, action="test"):
        roi = Roi.objects.create(
            series=series,
            object=mask,
            reader="R1",
            treatment_known=False,
            uploaded_by=by,
            state="aligned",
            voxels=9,
            checked_revision=1,
            uploaded_at=timezone.now(),
        )
    hashes = dict.fromkeys(["image_sha256", "mask_sha256", "profile_sha256", "software_sha256", "sha256"], "0" * 64)
    values = [["original_shape_MeshVolume", "1.0"]]
    return roi, FeatureSet.objects.create(
        roi=roi, revision=1, profile="prime", values=values, software={}, computed_at=timezone.now(), **hashes
    )


def entries_of(participant):
    """One row of each kind of treatment, visit and event, by the kind."""
    by, on = User.objects.system(), participant.screening.surgery_date + timedelta(days=5)
    facts = {
        "course": {"kind": "TACE", "intent": "adjuvant", "start": on.isoformat(), "source": "record"},
        "declaration": {"declared_on": on, "source": "call"},
        "assessment": {"on": on, "modality": "CT", "adequate": True, "finding": "free"},
        "recurrence": {"first_seen_on": on, "site": "intrahepatic", "modality": "CT"},
        "death": {"on": on.isoformat(), "cause": "other"},
        "contact": {"on": on, "outcome": "answered"},
    }
    who = {"participant": participant, "recorded_at": timezone.now(), "recorded_by": by}
    with audit.act(by=by, action="test"):
        known = {kind: TABLES[kind].objects.in_force().filter(participant=participant).first() for kind in facts}
        return {kind: (known[kind] or TABLES[kind].objects.create(**who, **given)).uuid for kind, given in facts.items()}


KEY_SLICE = {"revision": 1, "index": 0, "place": 0, "window": "soft", "window_width": 400, "window_center": 40}


@pytest.fixture
def two(db, tmp_path, settings):
    """The two hospitals, with one screened and one enrolled patient and one series each."""
    settings.VAR = tmp_path
    site = world.build()
    return site, {center: objects_at(site, center, world.enrolled(site, center), tmp_path) for center in ("01", "02")}


def test_every_address_is_listed():
    """An address that nobody thought about must not pass."""
    unlisted = {each.name for each in ADDRESSES} - OPEN - GATEWAY - PLAIN - set(OBJECTS)
    assert unlisted == set()


@pytest.mark.django_db
@pytest.mark.parametrize("address", ADDRESSES, ids=lambda each: each.name)
@pytest.mark.parametrize("method", METHODS)
def test_stranger_is_sent_to_sign_in(address, method):
    """Anonymous: sign-in page (API and gateways: 401) everywhere but a listed few."""
    value = "0" * 64 if address.name in GATEWAY else uuid.uuid4()
    response = getattr(Client(), method)(url(address, value), content_type="application/json")
    if address.name in OPEN:
        assert response.status_code in (200, 302, 400, 403, 405, 503)
    elif address.name in GATEWAY or response.request["PATH_INFO"].startswith("/api/"):
        assert response.status_code in (401, 405)
    else:
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("sign-in"))


def people_of_center(site, center):
    return [site.people[f"{role}{center}"] for role in CENTER_ROLES]


def test_other_hospitals_objects_do_not_exist(two):
    """SE-04: for every role of hospital 01, every object address of 02, every method: 404."""
    site, objects = two
    wrong = []
    for person in people_of_center(site, "01"):
        client = Client()
        client.force_login(person)
        for address in (each for each in ADDRESSES if each.name in OBJECTS):
            for method in METHODS:
                response = getattr(client, method)(url(address, objects["02"][OBJECTS[address.name]]), content_type="application/json")
                if response.status_code != 404 and not (response.status_code == 405 and method_is_unknown(client, address, method)):
                    wrong.append((person.username, method, address.name, response.status_code))
    assert wrong == []


def method_is_unknown(client, address, method):
    """Whether the address refuses this method for an object that nobody has, too: then 405 tells nothing."""
    return getattr(client, method)(url(address, uuid.uuid4()), content_type="application/json").status_code == 405


def test_own_and_other_object_differ_only_in_existence(two):
    """The same person sees his own: the gate above is not shut for everybody."""
    site, objects = two
    client = Client()
    client.force_login(site.people["coordinator01"])
    for address in (each for each in ADDRESSES if each.name in OBJECTS):
        response = client.get(url(address, objects["01"][OBJECTS[address.name]]))
        assert response.status_code in ((403,) if address.name in EXPORTS else (200, 405)), (address.name, response.status_code)


def test_every_page_answers_every_role(two):
    """No role meets an error: a page shows, leads on, or says that this role may not."""
    site, objects = two
    for role, person in site.people.items():
        client = Client()
        client.force_login(person)
        for address in ADDRESSES:
            if address.name in GATEWAY:
                continue
            target = objects["01"][OBJECTS[address.name]] if address.name in OBJECTS else None
            response = client.get(url(address, target))
            assert response.status_code in (200, 302, 400, 403, 404, 405, 409, 503), (role, address.name, response.status_code)


def test_answer_for_anothers_object_equals_the_answer_for_none(two):
    """SE-04: same body for an object of another hospital and for one that never was."""
    site, objects = two
    client = Client()
    client.force_login(site.people["coordinator01"])
    for address in (each for each in ADDRESSES if each.name in OBJECTS):
        theirs, nobodys = objects["02"][OBJECTS[address.name]], uuid.uuid4()
        assert told(client, address, theirs) == told(client, address, nobodys), address.name


def told(client, address, target):
    """Status and body; the address asked for and the form token of the moment stand in every page and tell nothing."""
    response = client.get(url(address, target))
    body = response.content.decode().replace(str(target), "UUID")
    return response.status_code, re.sub(r'(csrfmiddlewaretoken" value=")\w{64}', r"\1TOKEN", body)
