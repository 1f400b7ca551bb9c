#!/usr/bin/env python3
"""Check the ledger of a PRIME study without the platform: one file, Python 3.10 or newer, nothing to install.

    python3 prime_verify.py BUNDLE… [--heads DIR] [--gap DAYS] [--json]

BUNDLE is a file that the platform sent out (`*.public.tar`, `*.restricted.tar`); give as many as you kept, of one study. DIR holds
the heads you received yourself (`*.json`). The format is in docs/outside.md; this program was written from that page and shares no
code with the platform.

Exit status: 0 everything holds; 1 faults, each named in one sentence; 2 a file cannot be read.
用法：python3 prime_verify.py 包文件… [--heads 目录]。退出码：0 一切相符；1 发现问题，逐条列出；2 文件无法读取。
"""

import argparse
import base64
import hashlib
import io
import json
import sys
import tarfile
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - runs on Python 3.10, too
SECOND, HOUR, DAY = 10**6, 3600 * 10**6, 86400 * 10**6
PAIRS = ("AB", "AC", "BC")


class Unreadable(Exception):
    """A file is not what its name says."""


def main(arguments=None):
    """Run the program; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", type=Path)
    parser.add_argument("--heads", type=Path, help="a directory with the heads that you received yourself")
    parser.add_argument("--gap", type=int, default=3, help="name gaps of more days than this between heads (default 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(arguments)
    try:
        bundles = [read_bundle(path) for path in asked.bundles]
        heads = read_heads(asked.heads) if asked.heads else []
    except (Unreadable, OSError) as error:
        print(f"cannot be read · 无法读取: {error}", file=sys.stderr)
        return 2
    found = faults(bundles, heads, asked.gap)
    newest = max(bundles, key=lambda bundle: len(bundle["links"]))
    facts = {
        "study": newest["head"]["study"], "rows": len(newest["links"]), "heads": len(heads),
        "records": any(bundle["records"] for bundle in bundles), "seals": len(seals_of(bundles)), "faults": found,
    }  # fmt: skip
    print(json.dumps(facts, ensure_ascii=False) if asked.json else report(facts))
    return 1 if found else 0


def report(facts):
    """What a person reads."""
    counts = f"{facts['rows']} rows · 行, {facts['seals']} sealed contents · 封存内容, {facts['heads']} own heads · 自存链头"
    lines = [f"{facts['study']}: {counts}"]
    if not facts["records"]:
        lines.append("only the public part: times and contents of records were not checked · 仅公开部分：未核对记录的时间与内容")
    if not facts["heads"]:
        lines.append("no own heads: a cut tail, a rewritten chain and a rollback cannot be seen · 无自存链头：无法发现截尾、重写与回滚")
    lines += ["  " + fault for fault in facts["faults"]]
    lines.append("everything holds · 一切相符" if not facts["faults"] else f"{len(facts['faults'])} fault(s) · 处问题")
    return "\n".join(lines)


def read_bundle(path):
    """The members of a bundle: head, links [(index, C, h)], records by index, anchors, seals by index, snapshots by name."""
    try:
        members = {}
        with tarfile.open(fileobj=io.BytesIO(Path(path).read_bytes()), mode="r:") as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                if content is None or entry.name in members:
                    raise Unreadable(f"{path}: {entry.name} is no file or stands in it twice")
                members[entry.name] = content.read()
        return parsed(members)
    except (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path}: {error!r}") from None


def parsed(members):
    """A bundle from the bytes of its members."""
    links = [json.loads(line) for line in members["ledger.public"].splitlines()]
    records = [json.loads(line) for line in members.get("ledger.restricted", b"").splitlines()]
    return {
        "head": json.loads(members["head.json"]),
        "links": [(link["index"], bytes.fromhex(link["C"]), bytes.fromhex(link["h"])) for link in links],
        "records": {
            record["index"]: (record["at"], record["kind"], base64.b64decode(record["body"]), bytes.fromhex(record["nonce"]))
            for record in records
        },
        "anchors": [json.loads(content) for name, content in sorted(members.items()) if name.startswith("anchors/")],
        "seals": {int(name[6:-5]): json.loads(content) for name, content in members.items() if name.startswith("seals/")},
        "snapshots": {name[10:]: content for name, content in members.items() if name.startswith("snapshots/")},
    }


def read_heads(folder):
    """The heads in a directory: {h, at} with or without {index}, and {study} where it says so."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            head = json.loads(path.read_bytes())
            bytes.fromhex(head["h"])
            found.append({"h": head["h"], "at": int(head["at"]), "index": head.get("index"), "study": head.get("study")})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"{path}: {error!r}") from None
    return found


def faults(bundles, heads, gap=3):
    """Every fault of the bundles of one study, held against heads that came another way; a sentence each."""
    studies = sorted({str(bundle["head"]["study"]) for bundle in bundles})
    if len(studies) > 1:
        return ["the bundles are of several studies: " + ", ".join(studies)]
    newest = max(bundles, key=lambda bundle: len(bundle["links"]))
    anchors, found = resolved([head for head in heads if head["study"] in (None, studies[0])], newest["links"])
    anchors = [(anchor["index"], bytes.fromhex(anchor["h"]), anchor["at"]) for bundle in bundles for anchor in bundle["anchors"]] + anchors
    anchors = list(dict.fromkeys(anchors))
    found += fork_faults(bundles)
    found += link_faults(newest["links"])
    found += anchor_faults(newest["links"], anchors)
    records = {index: record for bundle in bundles for index, record in bundle["records"].items()}
    found += record_faults(newest["links"], records)
    found += missing_faults(bundles)
    found += clock_faults(records, anchors)
    found += seal_faults(records, bundles)
    found += gap_faults([anchor[2] for anchor in anchors], gap)
    if newest["links"] and newest["head"]["h"] != newest["links"][-1][2].hex():
        found.append("the bundle's head is not that of its last row")
    return found


def resolved(heads, links):
    """Heads as (index, h, at); one without an index is looked for, and named where no row has it."""
    places = {h: index for index, _, h in links}
    anchors, found = [], []
    for head in heads:
        h = bytes.fromhex(head["h"])
        index = head["index"] if head["index"] is not None else places.get(h)
        if index is None:
            found.append(f"the head received at {said(head['at'])} is that of no row: the chain was rewritten or its tail was cut")
        else:
            anchors.append((index, h, head["at"]))
    return anchors, found


def fork_faults(bundles):
    """Two bundles that say different things of one row: the chain has forked."""
    known, found = {}, []
    for bundle in bundles:
        for index, _, h in bundle["links"]:
            if known.setdefault(index, h) != h:
                found.append(f"row {index}: two bundles hold different heads: the chain was forked at or before this row")
                break
    return found


def link_faults(links):
    """h = H('prime/h/1\\0' ‖ h before ‖ C), indexes without a gap from 0."""
    found, before = [], bytes(32)
    for expected, (index, commitment, head) in enumerate(links):
        if index != expected:
            found.append(f"row {index}: stands where row {expected} belongs")
        if hashlib.sha256(b"prime/h/1\0" + before + commitment).digest() != head:
            found.append(f"row {index}: its head does not follow from the row before it")
        before = head
    return found


def anchor_faults(links, anchors):
    """Heads that the chain does not contain."""
    heads = {index: head for index, _, head in links}
    last, found = max(heads, default=-1), []
    for index, head, at in anchors:
        if index > last:
            found.append(f"row {index}: known to the outside anchor of {said(at)}, but the chain ends at row {last}: its tail was cut")
        elif heads.get(index) != head:
            found.append(f"row {index}: the outside anchor of {said(at)} holds another head: the chain was rewritten at or before this row")
    return found


def record_faults(links, records):
    """C = H('prime/C/1\\0' ‖ nonce ‖ u64 index ‖ i64 µs ‖ kind ‖ 0 ‖ body), and times that never run backwards."""
    found, before = [], None
    for index, commitment, _ in links:
        if index not in records:
            continue
        at, kind, body, nonce = records[index]
        try:
            fixed = nonce + index.to_bytes(8, "big") + at.to_bytes(8, "big", signed=True)
            given = hashlib.sha256(b"prime/C/1\0" + fixed + kind.encode("ascii") + b"\0" + body).digest()
        except (OverflowError, ValueError):
            given = b""
        if given != commitment or len(nonce) != 32:
            found.append(f"row {index}: its record does not give its commitment")
        if before is not None and at < before[1]:
            found.append(f"row {index}: its time {said(at)} is before that of row {before[0]}")
        before = (index, at)
    return found


def missing_faults(bundles):
    """A restricted bundle holds the records of its last rows without a gap."""
    return [
        f"row {index}: its record is missing"
        for bundle in bundles
        if bundle["records"]
        for index, _, _ in bundle["links"]
        if index > min(bundle["records"]) and index not in bundle["records"]
    ]


def clock_faults(records, anchors):
    """A row later than an anchor that knew it (over a second), or earlier than one that did not (over an hour)."""
    found = []
    for index, (at, _, _, _) in sorted(records.items()):
        knew = [stamp for place, _, stamp in anchors if place >= index]
        not_yet = [stamp for place, _, stamp in anchors if place < index]
        if knew and at > min(knew) + SECOND:
            found.append(f"row {index}: says {said(at)}, after the outside anchor that already knew it")
        if not_yet and at < max(not_yet) - HOUR:
            found.append(f"row {index}: says {said(at)}, but an outside anchor of later time did not know it")
    return found


def seals_of(bundles):
    """The sealed contents of all bundles, by row."""
    return {index: seal for bundle in bundles for index, seal in bundle["seals"].items()}


def opened_envelope(seal):
    """The bytes of what was sealed: ciphertext and the wrap of each pair."""
    wraps = {pair: base64.b64decode(seal["wraps"][pair]) for pair in PAIRS}
    return {"ciphertext": base64.b64decode(seal["ciphertext"]), **wraps}


def seal_faults(records, bundles):
    """H(ciphertext), H(wraps) and H(snapshot) as the record of each seal says; a seal whose content no bundle has."""
    seals = seals_of(bundles)
    snapshots = {name: content for bundle in bundles for name, content in bundle["snapshots"].items()}
    found, anew = [], {}
    for _, kind, body, _ in (record for _, record in sorted(records.items())):
        if kind == "activation":  # another custodian: the keys of the seals were wrapped anew
            anew |= json.loads(body).get("wraps", {})
    for index, (_, kind, body, _) in sorted(records.items()):
        if kind != "seal":
            continue
        record = json.loads(body)
        if index not in seals:
            found.append(f"row {index}: no bundle holds what was sealed")
            continue
        ciphertext = base64.b64decode(seals[index]["ciphertext"])
        wraps = b"".join(base64.b64decode(seals[index]["wraps"][pair]) for pair in PAIRS)
        if hashlib.sha256(ciphertext).hexdigest() != record["ciphertext"]:
            found.append(f"row {index}: its ciphertext is not the one on the ledger")
        if hashlib.sha256(wraps).hexdigest() not in (record["wraps"], anew.get(str(index))):
            found.append(f"row {index}: its wraps are not those on the ledger")
        if hashlib.sha256(snapshots.get(record["snapshot"], b"")).hexdigest() != record["snapshot"]:
            found.append(f"row {index}: its snapshot is missing or changed")
    return found


def gap_faults(times, gap):
    """More days than agreed between two heads."""
    times = sorted(set(times))
    return [
        f"no head left the house between {said(one)} and {said(other)}: more than {gap} days"
        for one, other in pairwise(times)
        if other - one > gap * DAY
    ]


def said(at):
    """An instant in words."""
    return (EPOCH + timedelta(microseconds=at)).isoformat()


if __name__ == "__main__":
    sys.exit(main())
