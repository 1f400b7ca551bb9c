"""Every address of the platform, by everybody (BL-01, SE-03, SE-04): a page that is not listed here fails.

Of an object of another hospital nobody at this one learns that it exists: 404, whatever the method.
"""

import hashlib
import io
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from PIL import Image

from accounts import audit
from accounts.models import User
from followup.pages import TABLES
from imaging import archive
from imaging.models import ArchivedObject, Draft, FeatureSet, Gateway, ImagingStudy, KeySlice, Package, ProposedOutline, Roi, Series
from studies import entry as answers
from studies.governance import gate
from studies.laboratory import ranges
from studies.models import Deviation, ErasureRequest, Lock, Membership, UnlockRequest, Verification
from studies.quality import handover, own, queries, source_images
from studies.vocabulary import CENTER_ROLES, Role
from tests import world
from tests.gates.shell import counted_once

OPEN = {"healthz", "readyz", "sign-in", "sign-in-code", "key-challenge", "language", "look"}
"""What anybody may ask for without signing in."""
GATEWAY = {"edge-package", "edge-receipt", "edge-heartbeat", "edge-screenings"}
"""What a hospital's gateway asks for, by signature."""
PLAIN = {
    "consecutiveness", "surgeries-report", "flow", "screening-close",
    "second-factor", "step-up", "key-add", "key-begin", "blindness", "receipts", "receipt-head",
    "home", "sign-out", "worklist", "overview", "screening-log", "screening-new", "participants", "search", "understand-date",
    "measurements", "feature-list", "feature-list-new",
    "schema", "api-participant-list", "api-screening-list", "api-entry-list", "series-list",
    "queries", "queries-close", "queries-raise", "checks", "checks-run", "checks-progress", "verification-due", "completeness", "handovers",
    "visits", "visits-calendar", "calls", "vital", "cases", "adjudication", "cases-open", "responses", "response-agreement",
    "treatment", "understand-partial-date", "dictionary",
    "risk", "payable-visits", "payable-csv",
    "centers",
    "ranges", "range-new",
    "reconsent",
    "erasures",
    "deviations", "deviation-new",
    "glossary", "models", "model-trainings",
    "imports", "exports", "codebook", "api-import-list", "api-exports",
    "sign-list", "locks", "study-lock", "trail", "trail-export", "access-review",
    "cuts", "cut-new", "result", "result-patients", "result-curves", "result-balance", "result-archive", "result-report",
}  # fmt: skip
"""Pages without an object in their address: each shows what the person may see, or refuses with 403, or before publication with 409."""
OBJECTS = {
    "course-new": "participant", "window-close": "participant", "declaration-new": "participant", "assessment-new": "participant",
    "recurrence-new": "participant", "death-new": "participant", "contact-new": "participant", "call": "participant",
    "vital-looked-up": "participant", "response-ask": "participant",
    "course-void": "course", "declaration-void": "declaration", "assessment-void": "assessment",
    "recurrence-void": "recurrence", "death-void": "death", "contact-void": "contact",
    "screening": "screening", "screening-answers": "screening", "screening-consent": "screening", "enroll": "screening",
    "screening-exclude": "screening", "screening-reinstate": "screening",
    "api-screening-detail": "screening", "api-screening-enroll": "screening", "api-entry-detail": "entry",
    "query": "query", "query-answer": "query", "query-close": "query", "query-reopen": "query",
    "query-new": "participant", "verification": "participant", "source-new": "participant", "verification-back": "verification",
    "handover-end": "handover", "source-image": "source_image", "source-remove": "source_image",
    "forms": "participant", "form": "participant", "form-draft": "participant",
    "participant": "participant", "api-participant-detail": "participant",
    "series": "series", "series-phase": "series", "series-split": "series",
    "series-detail": "series", "slice": "slice", "viewer": "participant",
    "series-volume": "series", "roi-volume": "roi",
    "delegation-log": "center", "delegate": "center", "training-record": "center", "delegation-end": "delegation",
    "lab-paste": "participant",
    "range": "range", "range-end": "range", "range-correct": "range",
    "center": "center", "gate-document": "center", "ethics-approval": "center", "consent-version": "center", "center-open": "center",
    "gate-file": "gate_document",
    "ethics-end": "approval", "consent-version-end": "version", "consent-history": "participant",
    "deviation": "deviation", "deviation-assess": "deviation", "deviation-close": "deviation", "deviation-reopen": "deviation",
    "withdrawal": "participant", "erasure-request": "participant", "erasure-decide": "erasure",
    "sign": "participant", "lock": "participant", "history": "course", "sign-center": "center", "center-lock": "center",
    "unlock": "unlock", "participant-trail": "participant", "participant-as-of": "participant", "participant-access": "participant",
    "outline-assign": "proposal", "outline-decline": "proposal",
    "draft-ask": "series", "draft-state": "series", "draft-take": "draft", "draft-drop": "draft", "draft-mask": "draft",
    "roi-upload": "series", "roi-state": "series", "roi-void": "roi", "roi-measure": "roi", "roi-dicom": "roi", "features-csv": "features",
}  # fmt: skip
"""Addresses of one object, with the kind of object they name."""
OF_REGISTRY = {"model", "model-statement"}
"""Addresses of a model: for everybody but its owner there is none (tests/predictions/test_model_pages.py)."""
OF_PERSON = {"key-remove"}
"""Addresses of what is a person's own: for everybody else there is none (tests/accounts/test_security_keys.py)."""
OF_STUDY = OF_REGISTRY | OF_PERSON | {
    "import", "import-execute", "import-drop", "import-undo", "import-refused", "import-undo-file",
    "api-import-detail", "api-import-cells", "api-import-execute", "api-import-undo",
    "case", "case-picture", "response", "response-picture", "response-void",
}  # fmt: skip
"""Addresses of an object of the whole study (an import, a case of the committee, a model): for everybody at a center there is none
(tests/studies/exchange, tests/followup/test_committee.py, tests/followup/test_response_cases.py)."""
EXPORTS = {"features-csv", "roi-dicom", "query-new", "participant-access", "response-ask"}
"""Of these, what is not a coordinator's to do, such as taking a file away; he is told so."""
OF_IMAGES = {"series-volume", "roi-volume"}
"""Of these, what is made of images, which nothing here has (tests/imaging/test_viewer_volumes.py)."""
MORE = {
    "form": {"form": "laboratory"}, "form-draft": {"form": "laboratory"},
    "case-picture": {"picture": uuid.UUID(int=0)}, "response-picture": {"picture": uuid.UUID(int=0)},
}  # fmt: skip
"""What else stands in an address beside its object."""
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
    return reverse(address.name, kwargs={address.argument: value, **MORE.get(address.name, {})})


def objects_at(site, center, participant, folder):
    """One object of each kind of `OBJECTS` at a center, by kind: a line of the screening log and what this participant has."""
    series, drawn = series_of(participant, folder)
    roi, features = measured_on(series, drawn.object)
    return {
        "screening": world.screened(site, center).uuid,
        "participant": participant.uuid,
        "center": participant.center.uuid,
        "approval": participant.center.ethics_approvals.first().uuid,
        "version": participant.center.consent_versions.first().uuid,
        "deviation": deviation_of(participant).uuid,
        "erasure": erasure_of(participant).uuid,
        "delegation": participant.center.delegations.first().uuid,
        **entries_of(participant),
        "entry": filled_in(site, participant).uuid,
        "query": asked_about(site, participant).uuid,
        "verification": Verification.objects.filter(participant=participant).first().uuid,
        "handover": handed_over(site, participant.center).uuid,
        "source_image": filed_for(site, participant).uuid,
        "gate_document": document_of(participant.center).uuid,
        "range": range_at(participant.center).uuid,
        "unlock": unlock_of(site, participant).uuid,
        "series": series.uuid,
        "slice": drawn.uuid,
        "roi": roi.uuid,
        "proposal": proposed_on(series, drawn.object).uuid,
        "draft": drafted_on(series, drawn.object).uuid,
        "features": features.uuid,
    }


def unlock_of(site, participant):
    """A request about a lock that is open for a while, so that it holds nothing."""
    now, by = timezone.now(), site.people[f"coordinator{participant.center.code}"]
    where = {"study": participant.study, "center": participant.center, "participant": participant}
    with audit.act(by=User.objects.system(), action="test"):
        lock = Lock.objects.create(**where, strength="lock", locked_at=now, locked_by=by, open_until=now + timedelta(days=900))
        asked = {"requested_at": now, "requested_by": by, "expires_at": now + timedelta(days=900)}
        return UnlockRequest.objects.create(lock=lock, center=participant.center, days=3, reason="wrong unit", **asked)


def filled_in(site, participant):
    """A form with one value, still a draft."""
    by = site.people[f"coordinator{participant.center.code}"]
    return answers.record_texts(participant=participant, texts={"approach": "open"}, by=by)[0]


def asked_about(site, participant):
    """A query about the date of surgery."""
    pointer = own.screening_pointer(participant, "surgery_date")
    return queries.ask(pointer=pointer, participant=participant, text="Day of surgery?", by=site.people["monitor"])


def handed_over(site, center):
    """The coordinator's list in the investigator's hands."""
    giver, taker = (site.people[f"{role}{center.code}"] for role in ("coordinator", "site_pi"))
    day = timezone.localdate()
    return handover.hand_over(center=center, giver=giver, taker=taker, since=day, until=day, note="away", by=giver)


def filed_for(site, participant):
    """A masked picture of the operation note."""
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), (participant.pk % 200, 90, 90)).save(drawn, format="PNG")
    by = site.people[f"coordinator{participant.center.code}"]
    given = {"title": "operation note", "data": drawn.getvalue(), "boxes": "", "nothing_shows": True}
    return source_images.file(participant=participant, by=by, **given)[0]


def document_of(center):
    """A document of the center's gate with its file."""
    if known := center.gate_documents.exclude(sha256="").first():
        return known
    paper = gate.Paper("registration", f"MR-{center.code}", center.opened_on, None, b"%PDF-1.4 " + center.code.encode(), no_patient=True)
    return gate.file_documents(center=center, papers=[paper], by=User.objects.system())[0]


def deviation_of(participant):
    """A deviation of the participant's center, as the monitor reported it."""
    day = participant.screening.surgery_date
    given = {"kind": "other", "description": "late", "occurred_on": day, "detected_on": day, "category": "minor", "rules_version": "1.0"}
    who = {"center": participant.center, "participant": participant, "raised_at": timezone.now(), "raised_by": User.objects.system()}
    with audit.act(by=User.objects.system(), action="test"):
        return Deviation.objects.filter(participant=participant, kind="other").first() or Deviation.objects.create(**given, **who)


def erasure_of(participant):
    """The request to erase the participant's data, as a colleague asked for it."""
    known = ErasureRequest.objects.filter(participant=participant).first()
    by, now = User.objects.system(), timezone.now()
    who = {"center": participant.center, "participant": participant, "requested_at": now, "requested_by": by}
    with audit.act(by=by, action="test"):
        return known or ErasureRequest.objects.create(legal_basis="PIPL 47", reason="asked for", **who)


def range_at(center):
    """A reference range of the center's laboratory."""
    site_pi = Membership.objects.get(center=center, role=Role.SITE_PI).user
    limits = {"low": Decimal(15), "high": Decimal(40), "unit": "U/L"}
    return ranges.record(center=center, item="ast", valid_from=center.opened_on, by=site_pi, **limits)


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


def proposed_on(series, mask):
    """An outline that came with the images, as ingest would have left it."""
    by = User.objects.system()
    with audit.act(by=by, action="test"):
        gateway = Gateway.objects.create(center=series.center, code=f"{series.pk:011d}", public_key="0" * 44, added_by=by)
        package = Package.objects.create(gateway=gateway, digest=f"{series.pk:064d}", size=1)
        return ProposedOutline.objects.create(
            center=series.center, participant=series.participant, sop_instance_uid=f"2.25.{series.pk}7", modality="SEG", object=mask,
            package=package, references={"series": [series.series_instance_uid], "images": []},
        )  # fmt: skip


def drafted_on(series, mask):
    """What a machine drafted in a box, as the worker would have left it."""
    by = User.objects.system()
    with audit.act(by=by, action="test"):
        return Draft.objects.create(
            series=series, revision=1, box=[0, 0, 0, 1, 1, 1], asked_by=by, state="drafted", object=mask, voxels=8, segmenter="test 1"
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


@pytest.fixture
def frame():
    """The frame of the page, which is not what is asked here, is drawn up once for each person."""
    with counted_once():
        yield


def test_every_address_is_listed():
    """An address that nobody thought about must not pass."""
    unlisted = {each.name for each in ADDRESSES} - OPEN - GATEWAY - PLAIN - OF_STUDY - set(OBJECTS)
    assert unlisted == set()


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_stranger_is_sent_to_sign_in(method):
    """Anonymous: sign-in page (API and gateways: 401) everywhere but a listed few."""
    wrong = []
    for address in ADDRESSES:
        value = "0" * 64 if address.name in GATEWAY else uuid.uuid4()
        response = getattr(Client(), method)(url(address, value), content_type="application/json")
        if not fits_a_stranger(address, response):
            wrong.append((address.name, response.status_code, response.headers.get("Location")))
    assert wrong == []


def fits_a_stranger(address, response):
    """Whether this is what somebody who has not signed in is told there."""
    if address.name in OPEN:
        return response.status_code in (200, 302, 400, 403, 405, 503)
    if address.name in GATEWAY or response.request["PATH_INFO"].startswith("/api/"):
        return response.status_code in (401, 405)
    return response.status_code == 302 and response["Location"].startswith(reverse("sign-in"))


def people_of_center(site, center):
    return [site.people[f"{role}{center}"] for role in CENTER_ROLES]


@pytest.mark.usefixtures("frame")
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
        expected = (403,) if address.name in EXPORTS else (404,) if address.name in OF_IMAGES else (200, 405)
        assert response.status_code in expected, (address.name, response.status_code)


@pytest.mark.usefixtures("frame")
def test_every_page_answers_every_role(two):
    """No role meets an error: a page shows, leads on, or says that this role may not."""
    site, objects = two
    for role, person in site.people.items():
        client = Client()
        client.force_login(person)
        for address in ADDRESSES:
            if address.name in GATEWAY:
                continue
            target = objects["01"][OBJECTS[address.name]] if address.name in OBJECTS else uuid.uuid4()
            response = client.get(url(address, target))
            assert response.status_code in (200, 302, 400, 403, 404, 405, 409, 503), (role, address.name, response.status_code)


@pytest.mark.usefixtures("frame")
def test_answer_for_anothers_object_equals_the_answer_for_none(two):
    """SE-04: same body for an object of another hospital and for one that never was."""
    site, objects = two
    client = Client()
    client.force_login(site.people["coordinator01"])
    for address in (each for each in ADDRESSES if each.name in OBJECTS):
        theirs, nobodys = objects["02"][OBJECTS[address.name]], uuid.uuid4()
        assert told(client, address, theirs) == told(client, address, nobodys), address.name


def told(client, address, target):
    """Status and body; the address asked for, the minute and the form token of the moment stand in every page and tell nothing."""
    response = client.get(url(address, target))
    body = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "MINUTE", response.content.decode().replace(str(target), "UUID"))
    return response.status_code, re.sub(r'(csrfmiddlewaretoken" value=")\w{64}', r"\1TOKEN", body)
