"""Who a child process is and with whom it dies: identity, session and the parent-death signal (Linux)."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
KILLED = signal.SIGKILL
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, signum: int = signal.SIGTERM) -> None:
    """Ask the kernel for `signum` when the parent process ends; leave at once when it has ended already.

    The kernel forgets the request when the process changes its user, so this comes last (prctl(2), PR_SET_PDEATHSIG).
    """
    if _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(128 + signum)


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: str | Path,
    output: int | IO[bytes],
    uid: int | None = None,
    groups: Sequence[int] = (),
    umask: int = 0o077,
    death: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, as `uid`, with exactly `env`, tied to this process's life.

    `uid` None keeps the present user; the group has the same number, `groups` come on top.
    Must be called from the main thread: the tie is to the calling thread.
    """
    identity: dict[str, Any] = {}
    if uid is not None:
        identity = {"user": uid, "group": uid, "extra_groups": list(groups)}
    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=umask,
        preexec_fn=_tied_to(os.getpid(), death),  # noqa: PLW1509  (the launcher has one thread)
        **identity,
    )


def _tied_to(parent: int, death: int) -> Callable[[], None]:
    def tie() -> None:
        die_with_parent(parent, death)

    return tie


def can_reach(path: Path, *, uid: int, execute: bool = False) -> bool:
    """Say whether the user `uid` (no groups) can read `path`, or run it."""
    test = "-x" if execute else "-r"
    asked = subprocess.run(["/usr/bin/test", test, str(path)], user=uid, group=uid, extra_groups=[], cwd="/", check=False)
    return asked.returncode == 0
