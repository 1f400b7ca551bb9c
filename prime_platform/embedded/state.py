"""The state directory of one installation: what lies where, and which process may read or write it.

As root every kind of process has its own numeric user (PRIME_UID_BASE and following) and its own closed directories. As an
ordinary user everything belongs to that user: the same directories, but nobody is kept from anybody; `/readyz` says so.
"""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from prime_platform.embedded import tether
from prime_platform.embedded.postgres import write_private
from prime_platform.embedded.refusal import Refused

PARTS = ("pg", "web", "worker", "beat", "edge", "infer")
SHARED = 9  # offset of the group that web and worker have in common


@dataclass(frozen=True)
class Identities:
    """Which user each part runs as. `base` None: everybody is the present user; `alone`: only PostgreSQL has a user of its own."""

    base: int | None
    alone: bool = False

    def uid(self, part: str) -> int | None:
        """The numeric user of a part, or None for the present user."""
        if self.base is None or (self.alone and part != "pg"):
            return None
        return self.base + PARTS.index(part)

    def groups(self, part: str) -> list[int]:
        """The further groups of a part: web and worker share inbox and archive."""
        return [self.shared] if self.shared is not None and part in ("web", "worker") else []

    @property
    def shared(self) -> int | None:
        return None if self.base is None or self.alone else self.base + SHARED

    @property
    def separate(self) -> bool:
        """Whether the parts are kept apart by the operating system."""
        return self.base is not None and not self.alone


def identities(checkout: Path, uid_base: int) -> Identities:
    """As root: one user per part, when such a user can run this interpreter and read this checkout; otherwise as few as it takes."""
    if os.geteuid() != 0:
        return Identities(None)
    someone = uid_base + PARTS.index("web")
    program = f"import django, sys; open({str(checkout / 'manage.py')!r}).close()"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", program], user=someone, group=someone, extra_groups=[], cwd="/", capture_output=True, check=False
        )
    except PermissionError:
        return Identities(uid_base, alone=True)
    return Identities(uid_base, alone=tried.returncode != 0)


def lay_out(var: Path, who: Identities) -> None:
    """Make every directory with its owner and mode; safe to repeat. Raises Refused when the parts' users cannot pass through."""
    try:
        var.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            f"The state directory {var} cannot be made: {error.strerror}. Set PRIME_VAR to a directory you may write.",
            f"无法创建状态目录 {var}。请将 PRIME_VAR 设为您可写的目录。",
        ) from None
    _own(var, None, None, 0o711)
    web_uid = who.uid("web")
    if web_uid is not None and not tether.can_reach(var / ".", uid=web_uid, execute=True):
        raise Refused(
            f"User id {web_uid} cannot reach {var}: a directory above it is closed to others. "
            "Set PRIME_VAR to a place others can pass through (mode 711 or 755), for example /var/lib/prime.",
            f"用户号 {web_uid} 无法进入 {var}：其上级目录对其他用户关闭。请将 PRIME_VAR 设为他人可通过的目录，例如 /var/lib/prime。",
        )
    for name, part, shared, mode in (
        ("secrets", None, False, 0o700),
        ("logs", None, False, 0o700),
        ("anchors", "infer", False, 0o755),
        ("outbox", "infer", False, 0o755),
        ("static", None, False, 0o755),
        ("keys", None, False, 0o711),
        ("keys/public", None, False, 0o755),
        ("keys/web", "web", False, 0o700),
        ("keys/worker", "worker", False, 0o700),
        ("inbox", "web", True, 0o2770),
        ("archive", "worker", True, 0o2750),
        ("sources", "web", False, 0o700),
        ("papers", "web", False, 0o700),
        ("edge", None, False, 0o711),
        ("infer", "infer", False, 0o700),
        ("home", None, False, 0o711),
        *((f"home/{part}", part, False, 0o700) for part in PARTS if part != "pg"),
    ):
        (var / name).mkdir(exist_ok=True)
        _own(var / name, who.uid(part) if part else None, who.shared if shared else None, mode)


def _own(path: Path, uid: int | None, gid: int | None, mode: int) -> None:
    if os.geteuid() == 0:
        owner = 0 if uid is None else uid
        os.chown(path, owner, owner if gid is None else gid)
    path.chmod(mode)


def give(path: Path, who: Identities, part: str) -> None:
    """Hand a file or a whole directory to a part's user."""
    uid = who.uid(part)
    if uid is None:
        return
    for each in [path, *path.rglob("*")]:
        os.chown(each, uid, uid, follow_symlinks=False)


def set_aside(var: Path, who: Identities) -> None:
    """Begin with no anchors in a database without a study: those that lie here vouch for a chain that is gone, and are kept as evidence."""
    anchors = var / "anchors"
    if any(anchors.iterdir()):
        anchors.rename(var / f"anchors.of-a-lost-database-{anchors.stat().st_mtime_ns}")
        lay_out(var, who)


def settle(var: Path, who: Identities) -> None:
    """Hand over what the operator's demonstration made: models and anchors belong to inference; anchors are for everybody to read."""
    for name in ("infer", "anchors", "outbox"):
        give(var / name, who, "infer")
    for path in (var / "anchors").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def secret_key(var: Path) -> str:
    """The key that signs sessions: made once per installation, given to the web process only."""
    file = var / "secrets" / "secret_key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(64))
    return file.read_text()


def posture(who: Identities, *, embedded: bool, own_logins: bool) -> list[str]:
    """Codes of what this way of running does not keep apart; `/readyz` shows them."""
    notes = ["one_machine"] if embedded else []
    if not who.separate:
        notes.append("shared_user")
    if os.geteuid() == 0 and not who.separate:
        notes.append("runs_as_root")
    if not own_logins:
        notes.append("shared_login")
    return notes
