"""The edge's commands as a PACS administrator uses them: exit status, keys, what is printed (formats e, m; DI-07)."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from imaging.edge import keys
from imaging.edge.keys import KeyFault
from tests.imaging.edge.parts import NUMBER, REPOSITORY, Platform, ct, saved


def edge(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PRIME_VAR": str(tmp_path / "var")}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "imaging.edge", *words]
    return subprocess.run(command, check=False, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def described(tmp_path: Path, platform: Platform) -> Path:
    (tmp_path / "platform.json").write_bytes(platform.description())
    return tmp_path / "platform.json"


def test_init_makes_keys_for_their_owner_only_and_says_what_to_escrow(tmp_path: Path, described: Path) -> None:
    said = edge(tmp_path, "init", "--center", "01", "--platform", str(described), "--approval", "伦审 2026-12")
    assert said.returncode == 0, said.stderr
    home = tmp_path / "var/edge/01"
    for path in home.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    gateway = json.loads((home / "gateway.json").read_bytes())
    assert gateway.keys() == {"v", "center", "gateway", "public_key", "software"}
    assert gateway["gateway"] in said.stdout
    assert "center.key" in said.stdout
    assert "封存" in said.stdout
    private = (home / "keys/gateway.key").read_text().strip()
    assert keys.to_text(keys.signing_public(keys.from_text(private))) == gateway["public_key"]
    assert private not in said.stdout
    assert (home / "keys/center.key").read_text().strip() not in said.stdout


def test_init_never_overwrites_keys(tmp_path: Path, described: Path) -> None:
    edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    before = (tmp_path / "var/edge/01/keys/center.key").read_bytes()
    again = edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    assert (again.returncode, "never overwritten" in again.stderr) == (2, True)
    assert (tmp_path / "var/edge/01/keys/center.key").read_bytes() == before


@pytest.mark.parametrize("words", [
    ["status"],
    ["init", "--center", "1", "--platform", "PLATFORM"],
    ["init", "--platform", "PLATFORM"],
    ["init", "--center", "01", "--platform", "/nowhere"],
    ["init", "--center", "01", "--platform", __file__],
    ["nonsense"],
    [],
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_status_2(tmp_path: Path, described: Path, words: list[str]) -> None:
    said = edge(tmp_path, *(str(described) if word == "PLATFORM" else word for word in words))
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_peers_links_and_status_work_without_a_running_edge(tmp_path: Path, described: Path) -> None:
    edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    assert json.loads(edge(tmp_path, "peer", "add", "PACS1", "--ip", "10.1.2.3", "10.1.3.0/24", "--json").stdout) == {
        "PACS1": ["10.1.2.3/32", "10.1.3.0/24"]
    }
    assert edge(tmp_path, "peer", "add", "TOO\\BAD").returncode == 2
    assert edge(tmp_path, "peer", "add", "PACS1", "--ip", "nowhere").returncode == 2
    assert edge(tmp_path, "peer", "remove", "PACS2").returncode == 2
    assert json.loads(edge(tmp_path, "peer", "remove", "PACS1", "--json").stdout) == {}
    assert edge(tmp_path, "link", NUMBER, "0012345678", "--name", "张三").returncode == 0
    assert edge(tmp_path, "link", "01-0007-51", "1").returncode == 2
    (linked,) = json.loads(edge(tmp_path, "link", "list", "--json").stdout)
    assert (linked["study_number"], linked["local_id"], linked["name"], linked["issuer"]) == (NUMBER, "0012345678", "张三", "01")
    status = edge(tmp_path, "status", "--json")
    assert json.loads(status.stdout)["spool"] == 0
    assert "张三" not in status.stdout
    assert edge(tmp_path, "link", "unlink", "0012345678").returncode == 0
    assert json.loads(edge(tmp_path, "link", "list", "--json").stdout) == []


def test_operating_list_is_taken_in_once_and_prints_no_name(tmp_path: Path, described: Path) -> None:
    """EN-01: the list that a timer drops into a folder; again it adds none, a file without headings is one sentence."""
    edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    file = tmp_path / "list.csv"
    file.write_text(
        "住院号,手术日期,姓名,性别,年龄\n0012345,2026-03-02,张三,男,58\n0012346,2026-03-03,李四,女,\n,2026-03-03,王五,女,60\n", "utf-8"
    )
    said = edge(tmp_path, "list", str(file), "--json")
    assert json.loads(said.stdout) == {"new": 2, "faulty": 1}, said.stderr
    assert json.loads(edge(tmp_path, "list", str(file), "--json").stdout) == {"known": 2, "faulty": 1}
    assert json.loads(edge(tmp_path, "status", "--json").stdout)["operations"]["waiting"] == 2
    assert not any(name in said.stdout + said.stderr for name in ("张三", "0012345"))
    file.write_text("0012345,2026-03-02\n", "utf-8")
    assert edge(tmp_path, "list", str(file)).returncode == 2


def test_heartbeat_says_whether_the_platform_answers(tmp_path: Path, platform: Platform, described: Path) -> None:
    edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    gateway = json.loads((tmp_path / "var/edge/01/gateway.json").read_bytes())
    platform.gateways[gateway["gateway"]] = keys.from_text(gateway["public_key"])
    assert edge(tmp_path, "heartbeat").returncode == 0
    assert platform.heartbeats[0]["gateway"] == gateway["gateway"]
    platform.stop()
    assert edge(tmp_path, "heartbeat").returncode == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_owner_of_the_directory(described: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own directories are closed to other users
        place = Path(name)
        place.chmod(0o755)
        home = place / "var/edge/01"
        home.mkdir(parents=True)
        os.chown(home, 64999, 64999)
        assert edge(place, "init", "--center", "01", "--platform", str(described)).returncode == 0
        assert edge(place, "link", NUMBER, "1").returncode == 0
        assert {path.stat().st_uid for path in home.rglob("*")} == {64999}


def test_key_open_to_others_is_refused(tmp_path: Path) -> None:
    keys.write_key(tmp_path / "a.key", b"k" * 32)
    assert keys.read_key(tmp_path / "a.key") == b"k" * 32
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(KeyFault, match="chmod 600"):
        keys.read_key(tmp_path / "a.key")
    (tmp_path / "b.key").symlink_to(tmp_path / "a.key")
    with pytest.raises(KeyFault):
        keys.read_key(tmp_path / "b.key")
    with pytest.raises(FileExistsError):
        keys.write_key(tmp_path / "a.key", b"other")


def test_links_come_from_a_file_after_a_dry_run(tmp_path: Path, described: Path) -> None:
    edge(tmp_path, "init", "--center", "01", "--platform", str(described))
    table = tmp_path / "links.csv"
    table.write_text(f"研究编号,住院号,姓名\n{NUMBER},0012345678,张三\n02-0007-50,2,\n", encoding="gb18030")
    tried = edge(tmp_path, "link", "file", str(table), "--dry-run", "--json")
    assert (tried.returncode, json.loads(tried.stdout)["new"]) == (1, 1)
    assert json.loads(edge(tmp_path, "link", "list", "--json").stdout) == []
    said = edge(tmp_path, "link", "file", str(table))
    assert (said.returncode, "new 1, known 0, faulty 1" in said.stdout) == (1, True)
    [row] = json.loads(edge(tmp_path, "link", "list", "--json").stdout)
    assert (row["study_number"], row["local_id"], row["name"]) == (NUMBER, "0012345678", "张三")
    assert edge(tmp_path, "link", "file", str(tmp_path / "nothing")).returncode == 2


def deidentify(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PRIME_VAR": str(tmp_path / "var")}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, str(REPOSITORY / "manage.py"), "deidentify", *words]
    return subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)


def test_deidentify_works_on_a_folder_without_a_database(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        saved(ct(number), tmp_path / "in" / f"张三{number}.dcm")
    (tmp_path / "in/README.txt").write_text("not an image")
    keys.write_key(tmp_path / "center.key", bytes(range(32)))
    words = ["in", "out", "--center", "01", "--key", "center.key", "--report", "report.json"]
    said = deidentify(tmp_path, *words)
    assert said.returncode == 0, said.stderr
    written = list((tmp_path / "out").rglob("*.dcm"))
    assert len(written) == 3
    assert not [path for path in written if b"Zhang" in path.read_bytes()]
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["counts"] == {"done": 3, "discard": 1}
    assert "张三" not in (tmp_path / "report.json").read_text(encoding="utf-8")
    saved(ct(9, BurnedInAnnotation="YES"), tmp_path / "in/burned.dcm")
    again = deidentify(tmp_path, *words)
    assert (again.returncode, "burned-in" in again.stderr) == (1, True)


def test_deidentify_of_one_file_takes_a_study_number_and_tells_faults(tmp_path: Path) -> None:
    keys.write_key(tmp_path / "center.key", bytes(range(32)))
    saved(ct(1), tmp_path / "one.dcm")
    words = ["one.dcm", "clean.dcm", "--center", "01", "--key", "center.key", "--study-number"]
    assert deidentify(tmp_path, *words, NUMBER).returncode == 0
    assert NUMBER.encode() in (tmp_path / "clean.dcm").read_bytes()
    assert deidentify(tmp_path, *words, "01-0007-51").returncode == 2
    assert deidentify(tmp_path, "one.dcm", "c.dcm", "--center", "01").returncode == 2
    assert deidentify(tmp_path, "nothing.dcm", "c.dcm", "--center", "01", "--key", "center.key").returncode == 2
