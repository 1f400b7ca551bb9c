"""The bundle that two custodians open: one tar file with everything needed, nothing in it readable without their keys.

Source: formats "Opening bundle". Members: `request.json`, `approvals/<letter>.sig`, `ledger.public` (index, C, h),
`ledger.restricted` (records and nonces), `anchors/`, `seals/<index>.json`, `snapshots/<sha256>`, `artefact.enc`, `cut/cut.enc`;
after the first custodian also `half.json`. Pure: bytes in, bytes out.
"""

import base64
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any

from accounts.canonical import canonical, digest
from accounts.chain import Anchor, Row
from predictions.sealing_envelope import Envelope, envelope_json, read_envelope


class BundleRefused(ValueError):
    """The bundle, a key or a half may not be used; `reasons` lists why, a sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Bundle:
    """An opening request with all it refers to. `seals` by ledger index, `snapshots` and `artefacts` by SHA-256.

    `half` is empty until the first custodian has peeled.
    """

    request: dict[str, Any]
    approvals: dict[str, bytes]
    rows: tuple[Row, ...]
    anchors: tuple[Anchor, ...]
    seals: dict[int, Envelope]
    snapshots: dict[str, bytes]
    artefacts: dict[str, Envelope]
    cut: Envelope
    half: dict[str, Any] = field(default_factory=dict)

    @property
    def request_digest(self) -> str:
        """What custodians sign and the ledger's opening record names."""
        return digest(self.request)

    def body(self, index: int) -> dict[str, Any]:
        """The body of the ledger record `index`. Raises ValueError where it is no JSON object."""
        value = json.loads(self.rows[index].body)
        if not isinstance(value, dict):
            raise ValueError(f"row {index}: its record is no object")
        return value


def pack(bundle: Bundle) -> bytes:
    """The tar file of a bundle; equal bundles give equal bytes."""
    members = {
        "request.json": canonical(bundle.request),
        "ledger.public": _lines([{"index": row.index, "C": row.commitment.hex(), "h": row.head.hex()} for row in bundle.rows]),
        "ledger.restricted": _lines([_record(row) for row in bundle.rows]),
        "artefact.enc": canonical({name: envelope_json(each) for name, each in bundle.artefacts.items()}),
        "cut/cut.enc": canonical(envelope_json(bundle.cut)),
        **{f"approvals/{letter}.sig": signature for letter, signature in bundle.approvals.items()},
        **{f"anchors/{place:06}.json": anchor.encode() for place, anchor in enumerate(bundle.anchors)},
        **{f"seals/{index}.json": canonical(envelope_json(envelope)) for index, envelope in bundle.seals.items()},
        **{f"snapshots/{name}": content for name, content in bundle.snapshots.items()},
        **({"half.json": canonical(bundle.half)} if bundle.half else {}),
    }
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def unpack(data: bytes) -> Bundle:
    """The bundle in a tar file. Raises BundleRefused for any byte that `pack` would not write; what it says is not yet checked."""
    try:
        bundle = _read(_members(data))
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleRefused([f"this is no opening bundle: {error!r}"]) from None
    if pack(bundle) != data:
        raise BundleRefused(["this is no opening bundle as the platform writes it: a byte was changed or added"])
    return bundle


def _read(members: dict[str, bytes]) -> Bundle:
    half = json.loads(members.get("half.json", b"{}"))
    if not isinstance(half, dict):
        raise ValueError("half.json is no object")
    return Bundle(
        json.loads(members["request.json"]),
        dict(_folder(members, "approvals", ".sig")),
        _rows(members["ledger.public"], members["ledger.restricted"]),
        tuple(Anchor.decode(content) for _, content in _folder(members, "anchors", ".json")),
        {int(name): read_envelope(json.loads(content)) for name, content in _folder(members, "seals", ".json")},
        dict(_folder(members, "snapshots", "")),
        {name: read_envelope(each) for name, each in json.loads(members["artefact.enc"]).items()},
        read_envelope(json.loads(members["cut/cut.enc"])),
        half,
    )


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        found = {}
        for entry in tar:
            content = tar.extractfile(entry)
            if content is None or entry.name in found:
                raise ValueError(f"{entry.name} is no file or stands in the bundle twice")
            found[entry.name] = content.read()
        return found


def _folder(members: dict[str, bytes], folder: str, ending: str) -> list[tuple[str, bytes]]:
    prefix = folder + "/"
    named = [(name, content) for name, content in sorted(members.items()) if name.startswith(prefix) and name.endswith(ending)]
    return [(name.removeprefix(prefix).removesuffix(ending), content) for name, content in named]


def _lines(values: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def _record(row: Row) -> dict[str, Any]:
    return {"index": row.index, "at": row.at, "kind": row.kind, "body": _b64(row.body), "nonce": row.nonce.hex()}


def _rows(public: bytes, restricted: bytes) -> tuple[Row, ...]:
    links = [json.loads(line) for line in public.splitlines()]
    records = [json.loads(line) for line in restricted.splitlines()]
    if [link["index"] for link in links] != [record["index"] for record in records]:
        raise ValueError("the public and the restricted ledger list different rows")
    return tuple(
        Row(
            record["index"],
            record["at"],
            record["kind"],
            base64.b64decode(record["body"]),
            bytes.fromhex(record["nonce"]),
            bytes.fromhex(link["C"]),
            bytes.fromhex(link["h"]),
        )
        for link, record in zip(links, records, strict=True)
    )


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
