"""The platform's own keys: made once, readable by the edge's code, public parts published (formats d)."""

from pathlib import Path

import pytest

from imaging.edge import keys
from imaging.edge.home import read_platform
from prime_platform.embedded import keys as platform_keys
from prime_platform.embedded.state import Identities, lay_out, set_aside

NOBODY_ELSE = Identities(None)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    lay_out(tmp_path / "var", NOBODY_ELSE)
    return tmp_path / "var"


def test_edges_can_read_the_published_file_and_it_belongs_to_the_private_keys(var: Path) -> None:
    platform = read_platform(platform_keys.ensure(var, NOBODY_ELSE, study="DEMO", url="http://127.0.0.1:8000").read_bytes())
    assert platform.study == "DEMO"
    assert platform.receipt_stored == keys.signing_public(keys.read_key(var / "keys/web/receipt-stored.key"))
    assert platform.receipt_archived == keys.signing_public(keys.read_key(var / "keys/worker/receipt-archived.key"))
    assert platform.package == keys.package_public_bytes(keys.read_key(var / "keys/worker/package.key"))


def test_keys_are_made_once_and_the_address_may_move(var: Path) -> None:
    """An edge accepts another address of the same platform, never other keys."""
    first = read_platform(platform_keys.ensure(var, NOBODY_ELSE, study="DEMO", url="http://127.0.0.1:8000").read_bytes())
    second = read_platform(platform_keys.ensure(var, NOBODY_ELSE, study="DEMO", url="http://127.0.0.1:9000").read_bytes())
    assert second.url == "http://127.0.0.1:9000"
    assert (first.package, first.receipt_stored, first.receipt_archived) == (second.package, second.receipt_stored, second.receipt_archived)


def test_closed_directories_are_closed(var: Path) -> None:
    """SE-09: secrets and private keys open to their owner only, anchors not writable by others."""
    expected = {
        "secrets": 0o700,
        "keys/web": 0o700,
        "keys/worker": 0o700,
        "logs": 0o700,
        "infer": 0o700,
        "anchors": 0o755,
        "inbox": 0o2770,
        "archive": 0o2750,
    }
    assert {name: (var / name).stat().st_mode & 0o7777 for name in expected} == expected


def test_anchors_of_a_lost_database_are_kept_but_not_counted(var: Path) -> None:
    """A start that was killed while it made the demonstration, or a lost database, leaves anchors of a chain that is gone."""
    (var / "anchors" / "DEMO").mkdir()
    (var / "anchors" / "DEMO" / "00000004.json").write_text("{}")
    set_aside(var, NOBODY_ELSE)
    assert not list((var / "anchors").iterdir())
    assert [path.name for path in var.glob("anchors.of-a-lost-database-*/DEMO/*")] == ["00000004.json"]
