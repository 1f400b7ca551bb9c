"""Studies, phases, clocks, protocol versions and centers (EN-03, EL-01, blinding §7)."""

from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts import audit, ledger
from accounts.transitions import NotAllowedNow, advance
from prime_platform.demo import papers
from studies import protocol, setup
from studies.management.commands import states
from studies.models import Center, Participant, Screening, Study
from studies.vocabulary import MilestoneKind, Phase, Role
from tests.studies import world as worlds
from tests.studies.world import World

MACHINES: list[tuple[Any, str]] = [(Study, "phase"), (Screening, "status"), (Participant, "status")]


def test_new_study_begins_its_ledger_and_remembers_its_protocol(world: World) -> None:
    """formats.md c: genesis is the first record and says whether the study is synthetic."""
    (genesis,) = ledger.rows("DEMO")
    assert genesis.kind == "genesis"
    assert b'"synthetic":true' in genesis.body and world.study.protocol_digest.encode() in genesis.body
    assert world.study.protocol == protocol.load("hcc_adjuvant")


@pytest.mark.parametrize(("model", "field"), MACHINES, ids=["study", "screening", "participant"])
def test_every_transition_outside_the_table_is_refused(world: World, model: Any, field: str) -> None:
    """House rule: the full from × to matrix; every state has a row."""
    worlds.enrolled(world)
    record = model.objects.get()
    assert set(model.TRANSITIONS) == {value for value, _ in model._meta.get_field(field).choices}
    for start, end in product(model.TRANSITIONS, repeat=2):
        _place(record, field, start, by=world)
        if end in model.TRANSITIONS[start]:
            assert getattr(advance(record, end, field=field), field) == end
        else:
            with pytest.raises(NotAllowedNow):
                advance(record, end, field=field)


def _place(record: Any, field: str, state: str, by: World) -> None:
    fields: dict[str, object] = {field: state}
    if isinstance(record, Screening):
        fields["exclusion_reason"] = "duplicate" if state == "excluded" else ""
    if isinstance(record, Participant):
        fields |= (
            {"withdrawal": "no_contact", "withdrawn_on": date(2026, 6, 1)}
            if state == "withdrawn"
            else {"withdrawal": "", "withdrawn_on": None}
        )
    with audit.act(by=by.system, action="test"):
        type(record).objects.filter(pk=record.pk).update(**fields)


def test_real_study_stays_draft_while_its_protocol_is_undecided(world: World) -> None:
    """blinding §7: activation needs no open point in `protocol lint`; a synthetic study demonstrates all the same."""
    real = worlds.build("REAL", synthetic=False)
    with pytest.raises(NotAllowedNow, match="adjuvant_window"):
        setup.advance_phase(study=real.study, to=Phase.ACCRUAL, by=real.system)
    assert Study.objects.get(code="REAL").phase == Phase.DRAFT
    with pytest.raises(NotAllowedNow):
        worlds.screened(real)


def test_only_a_synthetic_clock_moves_and_never_backwards(world: World) -> None:
    """formats.md c: refused by the function and, for a real study, by the database."""
    before = world.study.today()
    moved = setup.advance_clock(study=world.study, days=30, by=world.system)
    assert (moved.today() - before).days == 30
    with pytest.raises(ValidationError):
        setup.advance_clock(study=world.study, days=0, by=world.system)
    real = worlds.build("REAL", synthetic=False)
    with pytest.raises(ValidationError):
        setup.advance_clock(study=real.study, days=1, by=real.system)
    with pytest.raises(IntegrityError, match="synthetic"), transaction.atomic(), audit.act(by=real.system, action="test"):
        Study.objects.filter(pk=real.study.pk).update(clock_days=1)


def test_study_follows_the_version_it_adopted_and_refuses_an_edited_file(world: World) -> None:
    """EL-01: another digest under the same version is an error, not a new rule."""
    with pytest.raises(protocol.ProtocolError):
        setup.adopt_protocol(study=world.study, version="99", reason="amendment", by=world.system)
    with audit.act(by=world.system, action="test"):
        Study.objects.update(protocol_digest="0" * 64)
    with pytest.raises(protocol.ProtocolError, match="changed after"):
        worlds.screened(world)
    adopted = setup.adopt_protocol(study=world.study, version=protocol.load("hcc_adjuvant").version, reason="checked", by=world.system)
    assert adopted.protocol.id == "hcc_adjuvant"


def test_amended_criterion_judges_who_comes_next_and_nobody_who_is_in(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EL-01: an edit is a new version; who is enrolled keeps verdict, version and criterion version."""
    original = (protocol.FOLDER / "hcc_adjuvant.yaml").read_text(encoding="utf-8")
    amended = original.replace('version: "1.1"', 'version: "1.10"').replace("high: 75", "high: 50")
    older = original.replace('version: "1.1"', 'version: "1.9"')
    for name, text in (("a.yaml", original), ("b.yaml", amended), ("c.yaml", older)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    participant = worlds.enrolled(world)
    monkeypatch.setattr(protocol, "FOLDER", tmp_path)
    assert protocol.load("hcc_adjuvant").version == "1.10"
    setup.adopt_protocol(study=world.study, version="1.10", reason="amendment 1", by=world.system)
    assert worlds.screened(world).eligibility["verdict"] == "fail"
    fresh = Participant.objects.get(pk=participant.pk)
    assert (fresh.eligibility["verdict"], fresh.eligibility["protocol"]["version"]) == ("pass", "1.1")
    assert fresh.screening.eligibility["protocol"]["version"] == "1.1"


def test_center_opens_once_and_closes_once(world: World) -> None:
    """EN-03: the gate's documents, the opening and the closing are on the center's timeline."""
    center = setup.add_center(study=world.study, code="07", name_zh="七", name_en="Seven", by=world.system)
    for role in (Role.SITE_PI, Role.COORDINATOR):
        worlds.join(world.study, worlds.person(f"{role}-07"), role, center, world.system)
    papers.file_all(center, since=date(2026, 1, 1), until=date(2026, 12, 31), by=world.system)
    setup.open_center(center=center, on=date(2026, 1, 31), by=world.system)
    with pytest.raises(NotAllowedNow):
        setup.open_center(center=center, on=date(2026, 1, 31), by=world.system)
    setup.close_center(center=center, on=date(2026, 3, 1), reason="leaves", by=world.system)
    with pytest.raises(NotAllowedNow):
        setup.close_center(center=center, on=date(2026, 3, 2), reason="again", by=world.system)
    kinds = list(center.milestones.order_by("pk").values_list("kind", flat=True))
    assert kinds == [MilestoneKind.GATE_DOCUMENT, MilestoneKind.GATE_DOCUMENT, MilestoneKind.ACTIVATED, MilestoneKind.CLOSED]


@pytest.mark.parametrize("fields", [{"code": "1"}, {"code": "A1"}, {"closed_on": date(2026, 1, 1)}])
def test_database_refuses_a_center_that_cannot_be(world: World, fields: dict[str, object]) -> None:
    row = Center(**{"study": world.study, "code": "08", "name_zh": "x", "name_en": "x", **fields})
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def test_committed_drawing_of_the_states_is_current() -> None:
    """docs/states.md is what the TRANSITIONS tables say."""
    text = states.document(list(apps.get_models()))
    assert states.TARGET.read_text(encoding="utf-8") == text
    assert "    accrual --> follow_up" in text and "    [*] --> draft" in text


def test_states_check_names_a_stale_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(states, "TARGET", tmp_path / "states.md")
    with pytest.raises(SystemExit) as left:
        call_command("states", "--check")
    assert left.value.code == 1
    call_command("states")
    call_command("states", "--check")
