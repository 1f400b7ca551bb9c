"""Ethics periods, versions of the consent form, the re-consent list and the gate of a center (EN-03)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import audit
from accounts.models import AccessRecord, User
from accounts.transitions import NotAllowedNow
from prime_platform.demo import papers
from studies import consent, enrollment, setup
from studies.governance import ethics, gate, reconsent_lists
from studies.models import Center, Consent, ConsentVersion, Delegation, EthicsApproval, GateDocument, Participant, Training
from studies.quality import masking, store
from studies.vocabulary import MilestoneKind, Phase, Role, Task
from tests.studies import world as worlds
from tests.studies.quality.test_source_images import NAME, picture
from tests.studies.world import ENROLLED, SCREENED, World

JANUARY, JUNE, JULY, DECEMBER = date(2026, 1, 31), date(2026, 6, 30), date(2026, 7, 1), date(2026, 12, 31)


def approval_of(world: World) -> EthicsApproval:
    [approval] = EthicsApproval.objects.filter(center=world.own)
    return approval


def newer(world: World, code: str, valid_from: date, **how: object) -> ConsentVersion:
    return ethics.approve_version(center=world.own, code=code, approval=approval_of(world), valid_from=valid_from, by=world.system, **how)  # type: ignore[arg-type]


def test_version_is_chosen_from_the_approved_ones_of_that_day(world: World) -> None:
    """A version is data: unknown, not yet valid or retired ones are refused, naming those that could be signed."""
    newer(world, "3.0", SCREENED + timedelta(days=1))
    line = worlds.screened(world)
    for code in ("9.9", "3.0"):
        with pytest.raises(ValidationError, match=r"2\.1"):
            consent.record(screening=line, form_version=code, signed_on=SCREENED, by=world.coordinator)
    old = ConsentVersion.objects.get(center=world.own, code="2.1")
    ethics.retire_version(version=old, last_day=SCREENED - timedelta(days=1), reason="replaced", by=world.system)
    with pytest.raises(ValidationError):
        consent.record(screening=line, form_version="2.1", signed_on=SCREENED, by=world.coordinator)
    recorded = consent.record(screening=line, form_version=" 3.0 ", signed_on=SCREENED + timedelta(days=1), by=world.coordinator)
    assert (recorded.form_version, recorded.version.code) == ("3.0", "3.0")


def test_another_centers_version_is_none_of_ours(world: World) -> None:
    foreign = EthicsApproval.objects.get(center=world.other)
    with pytest.raises(ValidationError):
        ethics.approve_version(center=world.own, code="4.0", approval=foreign, valid_from=SCREENED, by=world.system)


@pytest.mark.parametrize(
    ("signed", "allowed"),
    [(JUNE, True), (date(2026, 7, 2), False), (date(2026, 7, 3), True)],
    ids=["last day", "in the gap", "first day after it"],
)
@pytest.mark.parametrize("kind", ["signed", "waived"])
def test_consent_and_enrolment_outside_every_period_are_refused(world: World, signed: date, allowed: bool, kind: str) -> None:
    """EN-03: several approvals add up; the gap between them takes neither a consent, nor a waiver, nor an enrolment."""
    ethics.end_approval(approval=approval_of(world), last_day=JUNE, reason="review late", by=world.system)
    ethics.file_approval(
        center=world.own, kind="continuing", number="EC-2026-2", valid_from=date(2026, 7, 3), valid_until=DECEMBER, by=world.system
    )
    line = worlds.screened(world)
    given = {"form_version": "2.1", "signed_on": signed} if kind == "signed" else {"waiver_number": "W-1", "waived_on": signed}
    if not allowed:
        with pytest.raises(ValidationError, match=signed.isoformat()):
            consent.record(screening=line, by=world.coordinator, **given)  # type: ignore[arg-type]
        consent.record(screening=line, form_version="2.1", signed_on=JUNE, by=world.coordinator)
        with pytest.raises(NotAllowedNow, match=signed.isoformat()):
            enrollment.enroll(screening=line, on=signed, by=world.coordinator)
    else:
        consent.record(screening=line, by=world.coordinator, **given)  # type: ignore[arg-type]
        assert enrollment.enroll(screening=line, on=signed, by=world.coordinator).pk


def test_gap_stands_on_the_page_and_the_end_is_announced(world: World) -> None:
    client = Client()
    client.force_login(world.people[Role.DATA_MANAGER])
    today = world.study.today()
    ethics.end_approval(approval=approval_of(world), last_day=today - timedelta(days=9), reason="expired", by=world.system)
    ethics.file_approval(
        center=world.own, kind="continuing", number="EC-2", valid_from=today - timedelta(days=1), valid_until=today + timedelta(days=59),
        by=world.system,
    )  # fmt: skip
    page = client.get(reverse("center", args=[world.own.uuid]))
    assert page.context["gaps"] == [(today - timedelta(days=8), today - timedelta(days=2))]
    assert page.context["ethics_state"] == "ethics_ends_soon"
    assert (today - timedelta(days=8)).isoformat() in page.content.decode()


def test_newer_signature_adds_a_row_and_keeps_the_first(world: World) -> None:
    """EN-03: consent history; what enrolment was decided on does not change."""
    person = worlds.enrolled(world)
    first = Consent.objects.get(screening=person.screening)
    newer(world, "3.0", date(2026, 5, 1))
    with pytest.raises(ValidationError):
        consent.renew(consent=first, form_version="3.0", signed_on=date(2026, 4, 30), by=world.coordinator)
    with pytest.raises(ValidationError):
        consent.renew(consent=first, form_version="2.1", signed_on=date(2026, 5, 2), by=world.coordinator)
    consent.renew(consent=first, form_version="3.0", signed_on=date(2026, 5, 2), by=world.coordinator)
    with pytest.raises(ValidationError):
        consent.renew(consent=first, form_version="3.0", signed_on=date(2026, 5, 3), by=world.coordinator)
    first.refresh_from_db()
    assert (first.form_version, first.signed_on) == ("2.1", SCREENED)
    assert [row.version.code for row in first.renewals.all()] == ["3.0"]
    client = Client()
    client.force_login(world.coordinator)
    covers = [row["cover"] for row in client.get(reverse("consent-history", args=[person.uuid])).context["signatures"]]
    assert [(cover.first, cover.last) for cover in covers] == [(None, date(2026, 5, 1)), (date(2026, 5, 2), None)]


def test_reconsent_list_names_who_signs_what_by_when(world: World) -> None:
    """Who signed, withdrew, was waived or signs only as a newcomer is not asked; the count is the length of the list."""
    people = [worlds.enrolled(world) for _ in range(4)]
    waived = worlds.screened(world)
    consent.record(screening=waived, waiver_number="W-1", waived_on=SCREENED, by=world.coordinator)
    enrollment.enroll(screening=waived, on=ENROLLED, by=world.coordinator)
    newer(world, "2.2", date(2026, 4, 1))
    assert reconsent_lists.count(world.coordinator) == 0
    newer(world, "3.0", date(2026, 5, 1), reconsent="all", reconsent_by=date(2026, 6, 1))
    enrollment.withdraw(participant=people[0], how_far="no_contact", on=date(2026, 6, 1), reason="moved", by=world.coordinator)
    signed = Consent.objects.get(screening=people[1].screening)
    consent.renew(consent=signed, form_version="3.0", signed_on=date(2026, 5, 20), by=world.coordinator)
    page = reconsent_lists.page(world.coordinator, "")
    assert {row.participant.pk for row in page["lines"]} == {people[2].pk, people[3].pk}
    assert {(row.held, row.due, row.by, row.late) for row in page["lines"]} == {("2.1", "3.0", date(2026, 6, 1), True)}
    assert page["total"] == reconsent_lists.count(world.coordinator) == 2
    client = Client()
    client.force_login(world.coordinator)
    assert people[2].study_number in client.get(reverse("worklist")).content.decode()
    given = {"form_version": "3.0", "signed_on": "2026-06-02"}
    assert client.post(reverse("consent-history", args=[people[2].uuid]), given).status_code == 302
    assert [row.participant for row in reconsent_lists.page(world.coordinator, "")["lines"]] == [people[3]]


def test_retired_version_is_asked_of_nobody_until_another_replaces_it(world: World) -> None:
    """EN-03: nobody is asked to sign what may not be signed; the version that replaces it is signed by the same day."""
    person = worlds.enrolled(world)
    retired = newer(world, "3.0", date(2026, 5, 1), reconsent="all", reconsent_by=date(2026, 6, 1))
    assert reconsent_lists.count(world.coordinator) == 1
    ethics.retire_version(version=retired, last_day=date(2026, 5, 31), reason="misprint", by=world.system)
    assert (reconsent_lists.count(world.coordinator), reconsent_lists.page(world.coordinator, "")["lines"]) == (0, [])
    newer(world, "3.1", date(2026, 5, 20))
    [line] = reconsent_lists.page(world.coordinator, "")["lines"]
    assert (line.participant, line.due, line.by) == (person, "3.1", date(2026, 6, 1))


def test_withdrawn_participant_is_asked_for_no_consent(world: World) -> None:
    person = worlds.enrolled(world)
    newer(world, "3.0", date(2026, 5, 1))
    enrollment.withdraw(participant=person, how_far="no_contact", on=date(2026, 6, 1), reason="moved", by=world.coordinator)
    with pytest.raises(NotAllowedNow):
        consent.renew(
            consent=Consent.objects.get(screening=person.screening), form_version="3.0", signed_on=date(2026, 6, 2), by=world.coordinator
        )


def test_queries_of_the_lists_do_not_grow(world: World) -> None:
    client = Client()
    client.force_login(world.coordinator)
    newer(world, "3.0", date(2026, 5, 1), reconsent="on_next_visit")
    asked = []
    for _ in range(2):
        worlds.enrolled(world)
        with CaptureQueriesContext(connection) as queries:
            for url in (reverse("reconsent"), reverse("center", args=[world.own.uuid])):
                assert client.get(url).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]


@pytest.fixture
def draft(world: World) -> Center:
    """A center of which nothing is filed and where nobody works."""
    return setup.add_center(study=world.study, code="07", name_zh="七", name_en="Seven", by=world.system)


def staff(world: World, center: Center) -> dict[Role, User]:
    people = {role: worlds.person(f"{role}-07") for role in (Role.SITE_PI, Role.COORDINATOR)}
    for role, user in people.items():
        worlds.join(world.study, user, role, center, world.system)
    return people


def test_center_with_nothing_names_everything_that_is_lacking(world: World, draft: Center) -> None:
    """The refusal lists every item of the gate, not the first one."""
    with pytest.raises(NotAllowedNow) as refused:
        setup.open_center(center=draft, on=JANUARY, by=world.system)
    assert [state.item.code for state in gate.lacking(draft, JANUARY)] == [state.item.code for state in gate.states(draft, JANUARY)]
    for state in gate.states(draft, JANUARY):
        assert state.name in str(refused.value)


@pytest.mark.parametrize("left_out", ["scientific_review", "hgr", "dicom_test", "ethics", "consent_version", "training", "delegation"])
def test_each_item_alone_keeps_the_center_closed(world: World, draft: Center, left_out: str) -> None:
    people = staff(world, draft)
    papers.file_all(draft, since=date(2026, 1, 1), until=DECEMBER, by=world.system)
    assert gate.lacking(draft, JANUARY) == []
    _take_away(draft, left_out, people)
    assert [state.item.code for state in gate.lacking(draft, JANUARY)] == [left_out]


def _take_away(center: Center, item: str, people: dict[Role, User]) -> None:
    """Take one thing out of a full gate, as if it had never been there, or not any more."""
    system, before = User.objects.system(), date(2026, 1, 15)
    with transaction.atomic(), audit.act(by=system, action="test"):
        if item == "ethics":
            EthicsApproval.objects.filter(center=center).update(valid_until=before)
        elif item == "consent_version":
            ConsentVersion.objects.filter(center=center).update(valid_until=before)
        elif item == "training":
            Training.objects.filter(user=people[Role.COORDINATOR], code="gcp").update(expires_on=before)
        elif item == "delegation":
            Delegation.objects.filter(center=center, task=Task.IMAGING).update(until=before)
        else:
            GateDocument.objects.filter(center=center, item=item).update(dated_on=DECEMBER, expires_on=None)


def test_document_counts_from_its_date_to_its_last_day(world: World, draft: Center) -> None:
    staff(world, draft)
    papers.file_all(draft, since=date(2026, 1, 10), until=JUNE, by=world.system)
    expected = {date(2026, 1, 9): False, date(2026, 1, 10): True, JUNE: True, JULY: False}
    assert {day: gate.lacking(draft, day) == [] for day in expected} == expected
    with pytest.raises(NotAllowedNow, match=JUNE.isoformat()):
        setup.open_center(center=draft, on=JULY, by=world.system)
    renewed = [gate.Paper(item, "NEW-1", JULY, DECEMBER) for item in ("hgr", "reference_ranges")]
    gate.file_documents(center=draft, papers=renewed, by=world.system)
    ethics.file_approval(center=draft, kind="continuing", number="EC-8", valid_from=JULY, valid_until=DECEMBER, by=world.system)
    assert setup.open_center(center=draft, on=JULY, by=world.system).opened_on == JULY
    kinds = list(draft.milestones.values_list("kind", flat=True))
    assert kinds.count(MilestoneKind.ACTIVATED) == 1 and kinds.count(MilestoneKind.GATE_DOCUMENT) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"item": "ethics"}, {"item": "lunch"}, {"dated_on": date(2099, 1, 1)}, {"expires_on": None}, {"number": " "}],
    ids=["a fact", "unknown", "ahead", "no last day", "no number"],
)
def test_document_that_cannot_be_is_refused(world: World, draft: Center, wrong: dict[str, object]) -> None:
    given = {"item": "hgr", "number": "HGR-1", "dated_on": JANUARY, "expires_on": DECEMBER} | wrong
    with pytest.raises(ValidationError):
        gate.file_documents(center=draft, papers=[gate.Paper(**given)], by=world.system)  # type: ignore[arg-type]
    assert not GateDocument.objects.filter(center=draft).exists()


def test_only_who_manages_centers_files_and_opens(world: World, draft: Center) -> None:
    for role in (Role.COORDINATOR, Role.SITE_PI, Role.MONITOR):
        user = world.people[role]
        with pytest.raises(PermissionDenied):
            gate.file_documents(center=world.own, papers=[gate.Paper("registration", "1", JANUARY)], by=user)
        with pytest.raises(PermissionDenied):
            ethics.file_approval(center=world.own, number="X", valid_from=JANUARY, valid_until=JUNE, by=user)
        with pytest.raises(PermissionDenied):
            setup.open_center(center=draft, on=JANUARY, by=user)


def test_center_page_opens_or_says_what_is_lacking(world: World, draft: Center) -> None:
    client = Client()
    client.force_login(world.people[Role.DATA_MANAGER])
    url = reverse("center-open", args=[draft.uuid])
    refused = client.post(url, {"on": "2026-01-31"})
    assert refused.status_code == 400
    assert "授权分工表" in refused.content.decode() and "DICOM" in refused.content.decode()
    staff(world, draft)
    papers.file_all(draft, since=date(2026, 1, 1), until=DECEMBER, by=world.system)
    assert client.post(url, {"on": "2026-01-31"}).status_code == 302
    draft.refresh_from_db()
    assert draft.opened_on == JANUARY
    given = {"item": "registration", "number": "MR-9", "dated_on": "2026-02-01", "expires_on": ""}
    assert client.post(reverse("gate-document", args=[draft.uuid]), given).status_code == 302
    assert "MR-9" in client.get(reverse("center", args=[draft.uuid])).content.decode()
    twice = client.post(reverse("gate-document", args=[draft.uuid]), given)
    assert twice.status_code == 400 and "该文件已登记" in twice.content.decode()


def test_file_of_a_document_is_kept_and_given_to_who_may_look(world: World, draft: Center) -> None:
    """SE-06: by its first bytes a PDF or a picture, encoded anew; without the statement that no patient is named nothing is kept."""
    manager, url = Client(), reverse("gate-document", args=[world.own.uuid])
    manager.force_login(world.people[Role.DATA_MANAGER])
    pdf = b"%PDF-1.4 approval %%EOF"
    given = {"item": "registration", "dated_on": "2026-02-01", "expires_on": "", "no_patient": "on"}

    def send(number: str, data: bytes, **changes: str) -> int:
        file = SimpleUploadedFile("a.pdf", data, "application/pdf")
        return manager.post(url, {**given, "number": number, "file": file, **changes}).status_code

    assert send("1", pdf, no_patient="") == 400
    for wrong in (b"MZ", pdf + b"/Encrypt", b"\xff\xd8\xffbroken", pdf + bytes(masking.LARGEST)):
        assert send("2", wrong) == 400
    assert not GateDocument.objects.filter(center=world.own, number__in=["1", "2"]).exists()
    assert send("3", pdf) == send("4", picture()) == 302
    filed = {row.number: row for row in GateDocument.objects.filter(center=world.own, number__in=["3", "4"])}
    assert store.read(filed["3"].sha256, store.PAPERS) == pdf
    assert NAME.encode() in picture() and NAME.encode() not in store.read(filed["4"].sha256, store.PAPERS)
    place, reader = reverse("gate-file", args=[filed["3"].uuid]), Client()
    reader.force_login(world.coordinator)
    assert reverse("gate-file", args=[filed["4"].uuid]) in reader.get(reverse("center", args=[world.own.uuid])).content.decode()
    answer = reader.get(place)
    assert (answer.content, answer["Content-Type"], answer["X-Content-Type-Options"]) == (pdf, "application/pdf", "nosniff")
    assert answer["Content-Disposition"] == 'attachment; filename="01-registration-2026-02-01.pdf"'
    assert AccessRecord.objects.filter(kind="read", subject__endswith=str(filed["3"].uuid)).count() == 1
    stranger = Client()
    stranger.force_login(staff(world, draft)[Role.COORDINATOR])
    assert stranger.get(place).status_code == 404
    assert list(store.verify_papers()) == []
    [kept] = (Path(settings.VAR) / "papers").rglob(filed["3"].sha256)
    kept.unlink()
    assert list(store.verify_papers()) == [f"Source {filed['3'].sha256} is not in the store."]


def test_real_study_waits_for_the_points_of_its_conduct_too(world: World) -> None:
    """An undecided point of protocol or conduct blocks activation of a real study, by name."""
    real = worlds.build("REAL", synthetic=False)
    with pytest.raises(NotAllowedNow, match=r"adjuvant_window.*hgr_required"):
        setup.advance_phase(study=real.study, to=Phase.ACCRUAL, by=real.system)


@pytest.mark.django_db(transaction=True)
def test_closure_and_enrolment_at_once_leave_nobody_in_after_the_end() -> None:
    """EN-03: accrual closure under concurrency: whoever comes second sees what the first one did."""
    world = worlds.build()
    lines = [worlds.consented(world) for _ in range(6)]

    def close() -> str:
        setup.close_accrual(study=world.study, last_day=SCREENED - timedelta(days=1), overrun_days=0, reason="target", by=world.system)
        return "closed"

    def enrol(place: int) -> str:
        try:
            enrollment.enroll(screening=lines[place], on=ENROLLED, by=world.coordinator)
        except NotAllowedNow:
            return "refused"
        return "enrolled"

    def apart(work: object, *args: int) -> str:
        try:
            return work(*args)  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(apart, enrol, place) for place in range(3)]
        jobs.append(pool.submit(apart, close))
        jobs += [pool.submit(apart, enrol, place) for place in range(3, 6)]
        told = [job.result() for job in jobs]
    closed_at = max(event.pgh_id for event in audit.history(world.study))
    assert closed_at and told.count("enrolled") == Participant.objects.count()
    with pytest.raises(NotAllowedNow):
        enrollment.enroll(screening=worlds.consented(world), on=ENROLLED, by=world.coordinator)
