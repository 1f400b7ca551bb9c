"""What leaves the house each day: the head of a study's chain, and the bundles by which anybody outside can hold us to it.

Source: docs/outside.md, blinding §5. The public bundle holds indexes, commitments, heads and anchors. The restricted one adds, for the
rows that no earlier one holds, records with nonces, and ciphertexts, wraps and inputs of seals. Heads for hospitals name no row, since its
number would count other hospitals' seals. Written by the inference process after each batch; nothing here is a prediction.
"""

import base64
import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts import anchors, chain, ledger
from accounts.canonical import canonical
from predictions.models import Seal
from predictions.seal_check import wraps_of
from predictions.sealing_envelope import Envelope, envelope_json
from predictions.sealing_keys import PublicKey, confirms

PUBLIC, RESTRICTED = ".public.tar", ".restricted.tar"


class ReceiptRefused(Exception):
    """A holder's receipt does not count; the text says why."""


Sealed = dict[int, tuple[Envelope, str, bytes]]
"""Ledger index → what was sealed, the name of its snapshot and the snapshot."""


def folder(study: str) -> Path:
    """Where the bundles of a study wait to be taken out of the house."""
    return Path(settings.VAR) / "outbox" / study


def write(*, study: str) -> list[Path]:
    """Write head and bundles of a study's newest anchor; nothing where they were written before or nothing is anchored."""
    known = anchors.read(study)
    if not known:
        return []
    newest, where = known[-1], folder(study)
    name = f"{newest.index:08d}"
    if (where / "heads" / f"{name}.json").exists():
        return []
    rows = [row for row in ledger.rows(study) if row.index <= newest.index]
    since = _carried(where / "restricted")
    sealed = stored(study, after=since, until=newest.index)
    day = chain.instant(newest.at).date().isoformat()
    return [
        _put(where / "public" / f"{name}{PUBLIC}", pack(study, rows, known), 0o644),
        _put(where / "restricted" / f"{name}{RESTRICTED}", pack(study, rows, known, sealed, since=since), 0o600),
        _put(where / "centers" / f"{day}-{newest.head.hex()[:8]}.json", head_json(study, newest, numbered=False), 0o644),
        _put(where / "heads" / f"{name}.json", head_json(study, newest), 0o644),  # last: it says that the others are there
    ]


def export(*, study: str, out: Path) -> list[Path]:
    """Write a whole restricted and a public bundle and the newest head into a directory, for a holder who has none yet."""
    rows, known = ledger.rows(study), anchors.read(study)
    if not rows:
        raise ValueError(f"there is no ledger of {study}")
    name, last = f"{study}-{rows[-1].index:08d}", chain.Anchor(rows[-1].index, rows[-1].head, rows[-1].at)
    return [
        _put(out / f"{name}{PUBLIC}", pack(study, rows, known), 0o644),
        _put(out / f"{name}{RESTRICTED}", pack(study, rows, known, stored(study)), 0o600),
        _put(out / f"{name}.head.json", head_json(study, last), 0o644),
    ]


def receive(*, study: str, holder: str, public: PublicKey, receipt: bytes) -> Path:
    """Keep a holder's receipt as an outside anchor and enter it on the ledger. Raises ReceiptRefused."""
    try:
        said = json.loads(receipt)
        signed, anchor = confirms(said, public), chain.Anchor.decode(receipt)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReceiptRefused(f"This is no receipt: {error!r}") from None
    if not holder.isidentifier() or not signed or said["study"] != study:
        raise ReceiptRefused("The receipt is not signed by this holder for a head of this study.")
    if faults := ledger.verify(study, [anchor]):
        raise ReceiptRefused("; ".join(faults))
    genesis = ledger.said_last(study, "genesis", "synthetic")
    at = chain.instant(max(anchor.at, ledger.rows(study)[-1].at)) if genesis is True else None
    try:
        path = anchors.keep(study=study, holder=holder, anchor=anchor, receipt=receipt)
    except FileExistsError:
        raise ReceiptRefused("This holder has confirmed this head already.") from None
    body = {"holder": holder, "key": public.as_json(), "index": anchor.index, "h": anchor.head.hex(), "at": anchor.at}
    ledger.append(study=study, kind="anchor", body=body, at=at)
    return path


def head_json(study: str, anchor: chain.Anchor, *, numbered: bool = True) -> bytes:
    """A head as a file: {v, study, h, at}, and {index} where its reader may count rows."""
    said: dict[str, Any] = {"v": 1, "study": study, "h": anchor.head.hex(), "at": anchor.at}
    return canonical(said | ({"index": anchor.index} if numbered else {})) + b"\n"


def stored(study: str, *, after: int = -1, until: int | None = None) -> Sealed:
    """What is sealed in a study, by ledger index, between two rows."""
    seals = Seal.objects.filter(participant__study__code=study, ledger_index__gt=after).select_related("snapshot").order_by("ledger_index")
    if until is not None:
        seals = seals.filter(ledger_index__lte=until)
    return {
        seal.ledger_index: (Envelope(bytes(seal.ciphertext), wraps_of(seal)), seal.snapshot.sha256, bytes(seal.snapshot.content))
        for seal in seals.prefetch_related("rewraps").iterator(200)
    }


def pack(study: str, rows: list[chain.Row], known: Iterable[chain.Anchor], sealed: Sealed | None = None, *, since: int = -1) -> bytes:
    """The tar of a bundle; public without `sealed`, restricted with it: the records after `since`. Equal content gives equal bytes."""
    last = chain.Anchor(rows[-1].index, rows[-1].head, rows[-1].at)
    members = {
        "format.txt": b"prime outside bundle 1\n",
        "head.json": head_json(study, last),
        "ledger.public": _lines({"index": row.index, "C": row.commitment.hex(), "h": row.head.hex()} for row in rows),
        **{f"anchors/{place:06}.json": anchor.encode() for place, anchor in enumerate(known)},
    }
    if sealed is not None:
        members["ledger.restricted"] = _lines(_record(row) for row in rows if row.index > since)
        members |= {f"seals/{index}.json": canonical(envelope_json(each)) for index, (each, _, _) in sealed.items()}
        members |= {f"snapshots/{name}": content for _, name, content in sealed.values()}
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _carried(restricted: Path) -> int:
    """The last row that a restricted bundle has covered."""
    return max((int(path.name.split(".")[0]) for path in restricted.glob(f"*{RESTRICTED}")), default=-1)


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def _record(row: chain.Row) -> dict[str, Any]:
    return {"index": row.index, "at": row.at, "kind": row.kind, "body": base64.b64encode(row.body).decode(), "nonce": row.nonce.hex()}


def _put(path: Path, content: bytes, mode: int) -> Path:
    """Write a file that nobody sees half; its directory is closed where the file is."""
    path.parent.mkdir(mode=0o755 if mode & 0o004 else 0o700, parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return path
