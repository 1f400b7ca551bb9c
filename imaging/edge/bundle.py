"""One archive that installs an edge on a machine without internet: our source, the wheels it needs with their hashes, an installer.

The wheels are exactly those of `requirements.lock`, for the Python and the machine this runs on, and pip checks every hash at the hospital.
"""

import hashlib
import importlib.metadata
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imaging.edge.home import SOFTWARE

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    "cryptography", "flask", "numpy", "openpyxl", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle",
    "pynetdicom", "waitress",
)  # fmt: skip
SOURCES = ("imaging/__init__.py", "imaging/edge", "accounts/__init__.py", "accounts/canonical.py", "docs/edge.md", "LICENSE")
STATIC = "prime_platform/static"
INSTALL = """#!/bin/sh
# Install the hospital edge into a directory, without internet: ./install.sh /opt/prime-edge
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=${1:?"Say where: ./install.sh /opt/prime-edge"}
(cd "$here" && sha256sum --quiet -c SHA256SUMS)
${PYTHON:-python3} -c 'import sys; sys.exit(sys.version_info[:2] != (@MAJOR@, @MINOR@))' \\
  || { echo "This archive needs Python @MAJOR@.@MINOR@ (set PYTHON to it)." >&2; exit 2; }
mkdir -p "$to"
rm -rf "$to/program.new"
cp -R "$here/source" "$to/program.new"
${PYTHON:-python3} -m venv "$to/venv"
"$to/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$here/wheels" \\
  --no-deps --require-hashes -r "$here/edge.lock"
rm -rf "$to/program.old"
[ ! -e "$to/program" ] || mv "$to/program" "$to/program.old"
mv "$to/program.new" "$to/program"
cat > "$to/edge" <<END
#!/bin/sh
PRIME_VAR=\\${PRIME_VAR:-$to/var}
PYTHONPATH=$to/program
export PRIME_VAR PYTHONPATH
exec $to/venv/bin/python -m imaging.edge "\\$@"
END
chmod 755 "$to/edge"
echo "Installed. Next: $to/edge init --center CC --platform platform.json"
"""


class BundleFault(Exception):
    """The archive cannot be made; the sentence says why."""


def make(out: Path) -> str:
    """Write the archive to `out` (a .tar.gz) and return its SHA-256. Needs the package index, through pip's own settings."""
    lock = locked(ROOT / "requirements.lock", closure(NEEDED))
    with tempfile.TemporaryDirectory() as work:
        wheels = Path(work) / "wheels"
        (Path(work) / "edge.lock").write_text(lock)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
        command += ["--only-binary", ":all:", "-r", str(Path(work) / "edge.lock"), "-d", str(wheels)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise BundleFault(f"pip could not fetch the wheels: {done.stderr.strip()[-500:]}")
        files = dict(_files(lock, wheels))
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    _write(out, files)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def closure(names: tuple[str, ...]) -> set[str]:
    """The packages and everything that they need here, by their normal names."""
    found: set[str] = set()
    todo = [_normal(name) for name in names]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            needed = [text for text in importlib.metadata.requires(name) or [] if "extra ==" not in text]
            todo += [_normal(re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]) for text in needed if _is_here(text)]
    return found


def locked(lock: Path, names: set[str]) -> str:
    """The entries of the lock for these packages, with every hash. Raises BundleFault when one has none."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.M)
    entries = {_normal(entry.split("==", 1)[0]): entry for entry in parts if "==" in entry}
    if missing := sorted(names - entries.keys()):
        raise BundleFault(f"requirements.lock does not list {', '.join(missing)}.")
    return "".join(entries[name].rstrip() + "\n" for name in sorted(names))


def _is_here(requirement: str) -> bool:
    """Whether a requirement is installed: one whose marker does not hold for this machine is not."""
    try:
        importlib.metadata.version(_normal(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]))
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _files(lock: str, wheels: Path) -> Iterator[tuple[str, bytes]]:
    yield "edge.lock", lock.encode()
    major, minor = sys.version_info[:2]
    yield "install.sh", INSTALL.replace("@MAJOR@", str(major)).replace("@MINOR@", str(minor)).encode()
    for wheel in wheels.iterdir():
        yield f"wheels/{wheel.name}", wheel.read_bytes()
    for source in (*SOURCES, STATIC):
        for path in [ROOT / source] if (ROOT / source).is_file() else (ROOT / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"source/{path.relative_to(ROOT)}", path.read_bytes()


def _write(out: Path, files: dict[str, bytes]) -> None:
    top = SOFTWARE.replace(" ", "-")
    with tarfile.open(out, "w:gz") as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode = len(data), 0o755 if name == "install.sh" else 0o644
            archive.addfile(info, io.BytesIO(data))
