"""`manage.py gateway` and `manage.py ingest`: what an operator types (NW-04)."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import gateways
from imaging.edge import keys
from imaging.models import Gateway
from studies.models import Participant
from studies.vocabulary import Role
from tests.imaging.world import World, ct_series, document, member

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def described(path: Path, **changes: object) -> str:
    path.write_text(json.dumps(document("01", keys.new_signing_key()) | changes))
    return str(path)


def test_gateway_file_registers_once(world: World, tmp_path: Path) -> None:
    """NW-04: the same file again is the same gateway."""
    file = described(tmp_path / "gateway.json")
    first, again = said("gateway", "add", file), said("gateway", "add", file)
    assert first == again
    assert (first[0]["center"], first[0]["study"]) == ("01", world.study.code)
    assert len(said("gateway", "list")) == 3


def test_gateway_file_that_does_not_fit_is_refused(world: World, tmp_path: Path) -> None:
    """NW-04: another center's id, no key, no center of this study, no JSON."""
    system = User.objects.system()
    own = document("01", keys.new_signing_key())
    for broken in ({"gateway": world.gateways["02"].code}, {"public_key": "AAAA"}, {"center": "09"}, {"software": "Größe"}):
        with pytest.raises(ValidationError):
            gateways.register(study=world.study, document=own | broken, by=system)
    (tmp_path / "junk").write_bytes(b"\x00")
    with pytest.raises(CommandError):
        call_command("gateway", "add", str(tmp_path / "junk"))
    with pytest.raises(SystemExit):
        call_command("gateway", "add", described(tmp_path / "g.json", center="09"), stderr=io.StringIO())


def test_revoked_gateway_stays_revoked(world: World) -> None:
    """NW-04: its file registers no more; the key must be a new one."""
    code = world.gateways["01"].code
    [row] = said("gateway", "revoke", code, "--reason", "stolen")
    assert row["revoked_at"]
    assert gateways.public_key(code) is None
    with pytest.raises(NotAllowedNow):
        gateways.register(study=world.study, document=document("01", world.seeds["01"]), by=User.objects.system())


def test_only_who_manages_gateways_may_register_one(world: World) -> None:
    """SE-03: the system administrator may, a coordinator may not."""
    new = document("01", keys.new_signing_key())
    with pytest.raises(PermissionDenied):
        gateways.register(study=world.study, document=new, by=world.coordinators["01"])
    admin = member(world.study, "admin", Role.SYSADMIN)
    assert gateways.register(study=world.study, document=new, by=admin).added_by == admin
    assert Gateway.objects.count() == 3


def test_packages_of_a_revoked_gateway_are_not_opened(world: World, participant: Participant) -> None:
    """NW-04: what was stored before and not yet opened is refused."""
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    gateways.revoke(gateway=world.gateways["01"], by=User.objects.system(), reason="stolen")
    assert said("ingest") == {"answered": 1, "assessed": 0, "left": 0}


def test_ingest_command_opens_and_assesses(world: World, participant: Participant) -> None:
    """The worker's sweeps by hand."""
    world.put(world.seal(participant.study_number, ct_series(participant.study_number)))
    assert said("ingest") == {"answered": 1, "assessed": 1, "left": 0}
