"""What every act of the custodian's program needs: reading keys and heads, writing new files, and stopping with a sentence."""

import getpass
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accounts import chain, heads
from analysis.custody.words import _
from predictions import sealing_keys
from predictions.sealing_keys import KeyRefused, PrivateKey

NO, FAULT = 1, 2
Options = dict[str, Any]
Say = Callable[[str], object]


class Stopped(Exception):
    """The program ends with this sentence and exit status (1: the answer is no, 2: usage or fault)."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


def now() -> int:
    """The machine's clock, in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def key_of(options: Options) -> PrivateKey:
    """The custodian's own key, its passphrase asked for where it has one."""
    data = options["key"].read_bytes()
    return sealing_keys.read_private(data, passphrase(options, ask=sealing_keys.needs_passphrase(data)))


def passphrase(options: Options, *, ask: bool, twice: bool = False) -> str:
    """From the first line of a file, or typed without being shown."""
    if options["passphrase_file"]:
        lines = options["passphrase_file"].read_text("utf-8").splitlines()
        return str(lines[0]) if lines else ""
    if not ask:
        return ""
    said = getpass.getpass(_("Passphrase of the key file: "))
    if twice and said != getpass.getpass(_("Once more: ")):
        raise KeyRefused(_("the two passphrases differ"))
    return said


def heads_of(options: Options, rows: tuple[chain.Row, ...]) -> tuple[chain.Anchor, ...]:
    """The heads that this custodian received directly, as anchors of the chain that is shown. Raises Stopped."""
    if options["heads"] is None:
        return ()
    try:
        anchors, strangers = heads.resolve(heads.read(options["heads"]), [row.link for row in rows])
    except ValueError as error:
        raise Stopped(str(error), FAULT) from None
    if strangers:
        raise Stopped(refusal(strangers), NO)
    return tuple(anchors)


def refusal(reasons: list[str]) -> str:
    """Every reason of a refusal, one on each line."""
    return _("Refused:") + "".join(f"\n  - {reason}" for reason in reasons)


def write_all(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a result into a directory of the custodian's own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        write(folder / name, content, 0o600)


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; an existing one is never replaced."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
