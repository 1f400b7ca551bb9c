"""Who may see the edge's page: one passcode per edge, a signed cookie, and a wait that grows with every wrong attempt.

The passcode is made by `edge init` and lies beside the keys, readable by the edge's own user alone.
"""

import hmac
import re
import secrets
import threading
from pathlib import Path

from imaging.edge import keys
from imaging.edge.home import Home

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no character looks like another
GROUPS, LENGTH = 3, 4
FREE_ATTEMPTS, LONGEST_WAIT = 3, 300.0
MOST_ADDRESSES = 1000
INITIALS = re.compile(r"[\w.\- ]{1,20}")


def make(directory: Path) -> str:
    """Write a new passcode and a new cookie key into the edge's keys, mode 0600; return the passcode. What was there is replaced."""
    passcode = "-".join("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(GROUPS))
    for name, value in (("page.key", secrets.token_bytes(32)), ("page.passcode", passcode.encode())):
        path = directory / "keys" / name
        path.unlink(missing_ok=True)
        keys.write_key(path, value)
    return passcode


def passcode_of(home: Home) -> str:
    """The passcode of this edge; one is made for an edge that is older than its page."""
    path = home.directory / "keys" / "page.passcode"
    return keys.read_key(path).decode() if path.exists() else make(home.directory)


def cookie_key(home: Home) -> bytes:
    """What signs the cookies: it changes with the passcode, so that a new passcode signs everybody out."""
    passcode = passcode_of(home)
    return hmac.digest(keys.read_key(home.directory / "keys" / "page.key"), passcode.encode(), "sha256")


class Door:
    """Compares passcodes, and makes an address that was wrong wait: 1, 2, 4 … 300 seconds after the third time."""

    def __init__(self, passcode: str) -> None:
        self._passcode = passcode.encode()
        self._wrong: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str, now: float) -> float:
        """How many seconds this address must still wait."""
        with self._lock:
            _, until = self._wrong.get(address, (0, 0.0))
        return max(0.0, until - now)

    def opens(self, address: str, passcode: str, now: float) -> bool:
        """Whether the passcode is right; asked while the address must wait, it is not looked at."""
        if self.wait(address, now):
            return False
        right = hmac.compare_digest("".join(passcode.lower().split()).encode(), self._passcode)
        with self._lock:
            if right:
                self._wrong.pop(address, None)
            else:
                times = self._wrong.get(address, (0, 0.0))[0] + 1
                pause = min(2.0 ** (times - FREE_ATTEMPTS), LONGEST_WAIT) if times >= FREE_ATTEMPTS else 0.0
                if len(self._wrong) >= MOST_ADDRESSES:
                    self._wrong.pop(next(iter(self._wrong)))
                self._wrong[address] = (times, now + pause)
        return right
