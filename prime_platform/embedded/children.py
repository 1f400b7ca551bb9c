"""The children named in the Procfile: their commands, and the few things each of them may know.

A child gets no variable it does not need: its own database login and nobody else's, the session key only where sessions are signed.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from prime_platform.embedded import tether
from prime_platform.embedded.state import Identities
from prime_platform.embedded.supervise import Child

# What everybody may know: where things are and how the platform is reached; and the machine's language and certificates.
PUBLIC = (
    "PRIME_VAR", "PRIME_HTTP_PORT", "PRIME_DICOM_PORT", "PRIME_DICOM_TLS_PORT", "PRIME_EDGE_PORT", "PRIME_DICOM_AET", "PRIME_BIND",
    "PRIME_PUBLIC_URL", "PRIME_DEMO", "PRIME_SECOND_FACTOR", "PRIME_BATCH_AT", "PRIME_WEB_PROCESSES", "PRIME_POSTURE", "PATH", "LANG",
    "LC_ALL", "TZ", "SSL_CERT_FILE", "TMPDIR",
)  # fmt: skip
# Secrets by part. A part that is not named here gets none; an empty value says "none" to the settings, which would look for a file.
SECRETS = {
    "owner": ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY"),
    "web": ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY"),
    "worker": ("DATABASE_URL", "CELERY_BROKER_URL"),
    "beat": ("CELERY_BROKER_URL",),
    "infer": ("DATABASE_URL",),
}
UMASKS = {"web": 0o027, "worker": 0o027}
STAGES = {"edge": 0, "web": 0, "beat": 0, "infer": 1, "worker": 1}


@dataclass(frozen=True)
class Surroundings:
    """What starting a child takes: the checkout, the state directory, the users, and every secret by part."""

    checkout: Path
    var: Path
    who: Identities
    public: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]

    def environment(self, part: str) -> dict[str, str]:
        """The whole environment of a part."""
        home = self.var / "home" / (part if part != "owner" else "")
        known = {name: os.environ[name] for name in PUBLIC if name in os.environ} | dict(self.public)
        hidden = {name: self.secrets.get(part, {}).get(name, "") for name in SECRETS.get(part, ())}
        withheld = {"DATABASE_URL": "", "CELERY_BROKER_URL": ""}
        plain = {
            "HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "prime_platform.settings",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "MPLCONFIGDIR": str(home),
            "NUMBA_CACHE_DIR": str(home),
            "PWD": str(self.checkout),
        }
        return withheld | known | plain | hidden

    def spawn(self, part: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Start `command` as the given part; `python` means this interpreter, `$NAME` a variable of the part's own environment."""
        environment = self.environment(part)
        words = [sys.executable if word == "python" else Template(word).substitute(environment) for word in command]
        return tether.spawn(
            words,
            env=environment,
            cwd=self.checkout,
            output=subprocess.PIPE,
            uid=self.who.uid(part) if part != "owner" else None,
            groups=self.who.groups(part) if part != "owner" else (),
            umask=UMASKS.get(part, 0o077),
            death=signal.SIGKILL,
        )


def from_procfile(text: str, surroundings: Surroundings) -> list[Child]:
    """The children of a Procfile (`name: command` a line), in its order."""
    children = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, command = line.partition(":")
            children.append(_child(name.strip(), shlex.split(command), surroundings))
    return children


def _child(name: str, command: list[str], surroundings: Surroundings) -> Child:
    def start() -> subprocess.Popen[bytes]:
        return surroundings.spawn(name, command)

    return Child(name, start, stage=STAGES.get(name, 0), patience=9.0)
