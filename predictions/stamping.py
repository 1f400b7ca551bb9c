"""Time stamps of a public authority on heads (RFC 3161): somebody whom the study cannot ask says when a head existed.

The query hashes the head file, so the authority learns neither head nor study. Query and answer are files, or go over HTTP where
PRIME_TSA_URL names an authority; the answer is verified against its certificates (PRIME_TSA_CA) by the `openssl` of this machine.
"""

import subprocess
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from accounts import anchors, chain, ledger
from accounts.canonical import canonical
from predictions import outside

HOLDER = "tsa"
SECONDS = 30
TYPE = "application/timestamp-query"


class StampRefused(Exception):
    """The answer is no time stamp on this head, or cannot be asked for; the text says why."""


def query(study: str) -> tuple[chain.Anchor, bytes]:
    """The newest anchored head and the query for a stamp on it."""
    known = anchors.read(study)
    if not known:
        raise StampRefused(f"no head of {study} was anchored yet")
    with tempfile.TemporaryDirectory() as folder:
        head, asked = Path(folder) / "head.json", Path(folder) / "head.tsq"
        head.write_bytes(outside.head_json(study, known[-1]))
        _openssl("-query", "-data", str(head), "-sha256", "-cert", "-out", str(asked))
        return known[-1], asked.read_bytes()


def post(url: str, asked: bytes) -> bytes:
    """The answer of an authority over HTTP. Raises StampRefused."""
    if not url.startswith(("https://", "http://")):
        raise StampRefused("PRIME_TSA_URL is no address of an authority")
    request = urllib.request.Request(url, data=asked, headers={"Content-Type": TYPE})  # noqa: S310 - the scheme was looked at
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            data: bytes = answer.read()
            return data
    except OSError as error:
        raise StampRefused(f"the authority does not answer: {error}") from None


def keep(*, study: str, anchor: chain.Anchor, answer: bytes, certificates: Path) -> chain.Anchor:
    """Verify an answer for a head, keep it beside the head as an outside anchor, and enter it on the ledger. Raises StampRefused."""
    stamped = chain.Anchor(anchor.index, anchor.head, verified(outside.head_json(study, anchor), answer, certificates))
    if faults := ledger.verify(study, [stamped]):
        raise StampRefused("; ".join(faults))
    try:
        path = anchors.keep(study=study, holder=HOLDER, anchor=stamped, receipt=canonical({"study": study, **_said(stamped)}))
    except FileExistsError:
        raise StampRefused("this head is stamped already") from None
    path.with_suffix(".tsr").write_bytes(answer)
    body = {"holder": HOLDER, **_said(stamped)}
    at = chain.instant(max(stamped.at, ledger.rows(study)[-1].at)) if ledger.said_last(study, "genesis", "synthetic") is True else None
    ledger.append(study=study, kind="anchor", body=body, at=at)
    return stamped


def verified(data: bytes, answer: bytes, certificates: Path) -> int:
    """The time (microseconds) at which an authority stamped `data`. Raises StampRefused for another hash, signature or authority."""
    with tempfile.TemporaryDirectory() as folder:
        head, reply = Path(folder) / "head", Path(folder) / "reply"
        head.write_bytes(data)
        reply.write_bytes(answer)
        _openssl("-verify", "-data", str(head), "-in", str(reply), "-CAfile", str(certificates))
        text = _openssl("-reply", "-in", str(reply), "-text")
    said = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Time stamp:")), "")
    return chain.microseconds(_instant(said))


def _instant(said: str) -> datetime:
    """The instant in openssl's words (Nov 29 09:00:00 2026 GMT); a fraction of a second is dropped."""
    month, day, clock, year = said.split()[:4]
    return datetime.strptime(f"{month} {day} {clock.partition('.')[0]} {year}", "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _said(anchor: chain.Anchor) -> dict[str, int | str]:
    return {"index": anchor.index, "h": anchor.head.hex(), "at": anchor.at}


def _openssl(*words: str) -> str:
    try:
        done = subprocess.run(["openssl", "ts", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise StampRefused("this machine has no openssl, which makes queries and verifies stamps") from None
    if done.returncode:
        raise StampRefused(f"no valid stamp: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout
