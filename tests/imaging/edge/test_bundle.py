"""The archive that installs an edge without internet: what is in it, that an altered one is refused, and a whole run without a route."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread

from imaging.edge import bundle, keys, package
from imaging.edge.bundle import BundleFault
from tests.imaging.edge.parts import LOCAL_ID, NUMBER, REPOSITORY, Platform, ct, pixel_hash, saved

RUN = f"""
set -eu
ip link set lo up
[ -z "$(ip route)" ] || exit 9
"$1/install.sh" "$2/opt"
edge="$2/opt/edge"
"$edge" init --center 01 --platform "$2/platform.json" --approval 2026-12
"$edge" peer add STORESCU
"$edge" link {NUMBER} {LOCAL_ID}
PRIME_DICOM_PORT=11119 PRIME_EDGE_PORT=18049 "$edge" run > "$2/log" 2>&1 &
pid=$!
for _ in $(seq 200); do grep -q dicom_port "$2/opt/var/edge/01/running.json" && break; sleep 0.1; done
storescu -aet STORESCU -aec PRIME +sd 127.0.0.1 11119 "$2/sent"
for _ in $(seq 300); do "$edge" status --json | grep -q '"sealed": 1' && break; sleep 0.2; done
"$edge" export-packages "$2/disk"
kill "$pid"
wait "$pid"
"""


def test_the_lock_of_the_edge_is_a_part_of_the_whole_one() -> None:
    names = bundle.closure(bundle.NEEDED)
    lock = bundle.locked(REPOSITORY / "requirements.lock", names)
    whole = (REPOSITORY / "requirements.lock").read_text()
    assert {"cryptography", "cffi", "werkzeug", "pydicom"} <= names
    assert {"numpy", "pylibjpeg-openjpeg"} <= names, "held images are drawn at the edge"
    assert not names & {"django", "celery", "psycopg", "scipy", "torch"}
    assert lock.count("==") == len(names)
    assert all(line in whole for line in lock.splitlines())
    with pytest.raises(BundleFault, match="does not list nothing-like-it"):
        bundle.locked(REPOSITORY / "requirements.lock", {"nothing-like-it"})


@pytest.mark.soak
def test_an_edge_is_installed_and_works_without_a_route_and_its_packages_walk(tmp_path: Path, platform: Platform) -> None:
    """From the archive to a package on a disk inside a network namespace that has no route; the platform opens it outside."""
    for program in ("unshare", "ip", "storescu"):
        assert shutil.which(program), f"needs {program}"
    bundle.make(tmp_path / "edge.tar.gz")
    subprocess.run(["tar", "xzf", "edge.tar.gz"], check=True, cwd=tmp_path)
    [top] = tmp_path.glob("prime-edge-*")
    for name in ("sent", "disk"):
        (tmp_path / name).mkdir()
    (tmp_path / "platform.json").write_bytes(platform.description())
    for number in range(3):
        saved(ct(number), tmp_path / "sent" / f"{number}.dcm")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    command = ["unshare", "-n", "sh", "-c", RUN, "sh", str(top), str(tmp_path)]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    [carried] = (tmp_path / "disk").glob("*.package")
    public = keys.from_text(json.loads((tmp_path / "opt/var/edge/01/gateway.json").read_bytes())["public_key"])
    opened = package.open_package(carried, platform.package_key, lambda _: public, tmp_path / "opened")
    assert {pixel_hash(dcmread(path)) for path in opened.objects.values()} == {pixel_hash(ct(number)) for number in range(3)}
    installed_again_and_altered(top, tmp_path, environment)


def installed_again_and_altered(top: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """An update keeps the keys; an archive of which one byte is another is refused before anything is touched."""
    install = ["unshare", "-n", str(top / "install.sh"), str(tmp_path / "opt")]
    key = (tmp_path / "opt/var/edge/01/keys/center.key").read_bytes()
    subprocess.run(install, check=True, env=environment, capture_output=True, timeout=120)
    assert (tmp_path / "opt/var/edge/01/keys/center.key").read_bytes() == key
    assert stat.S_IMODE((tmp_path / "opt/var/edge/01/keys/center.key").stat().st_mode) == 0o600
    changed = top / "source/imaging/edge/rules.py"
    changed.write_text(changed.read_text() + "\n")
    refused = subprocess.run(install, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert refused.returncode != 0
    assert "rules.py" in refused.stdout + refused.stderr
