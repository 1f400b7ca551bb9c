"""The cut: the one place where treatment, outcome and what predictions saw are joined; frozen, hashed, reproducible.

Source: formats "Cuts", `docs/blinding.md` §2 and §6. A blinded cut holds no input of a model. An opening cut is encrypted to the
study's custodians before it is written. The same rows and the same day give the same bytes.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit, ledger, moment
from accounts.canonical import canonical, number
from accounts.models import LedgerRow, User
from analysis import adtte, cut_numbers, cut_parquet, cut_variants, dummy_tags, exposure, opening_check, r_script, strategy
from analysis.cut_inputs import Inputs
from analysis.histories import Followed, read, rule_of
from analysis.reading import last_window
from analysis.strategy import Rule
from followup import committee
from followup.outcomes import DAYS_PER_MONTH, ImpossibleHistory, Outcomes, Reason
from followup.schedule import windows
from predictions import registry, seal_check
from predictions.models import Seal
from predictions.sealing_envelope import Envelope, enclose, envelope_json
from studies import access
from studies.locking.holding import hold
from studies.models import Study

KINDS = ("blinded", "opening", "training")
MAKE = "cut.make"
CSV, PARQUET, ENCRYPTED, MANIFEST = "cut.csv", "cut.parquet", "cut.enc", "manifest.json"
VERIFIED = "the site's statement that the window is closed; source verification does not exist yet"
_CAUSES = {Reason.RECURRENCE: "1", Reason.DEATH: "2"}


class CutRefused(Exception):
    """The cut cannot be made; `reasons` says why, a sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Frozen:
    """A cut in memory: the plain table, its manifest, and what `write` puts on disk."""

    table: bytes
    manifest: dict[str, Any]
    files: dict[str, bytes]


def make(*, study: Study, kind: str, on: date, by: User, out: Path, commit: str = "") -> Frozen:
    """Freeze the study as of a day, enter the cut on the ledger and write its files into a new directory.

    `commit` names the code that made it. Raises CutRefused, PermissionDenied, FileExistsError.
    """
    access.require_operator(by, MAKE, study)
    frozen = freeze(study=study, kind=kind, on=on, commit=commit)
    with transaction.atomic():
        _enter(study, frozen, by)
        out.mkdir(mode=0o700, parents=True)
        for name, content in frozen.files.items():
            (out / name).write_bytes(content)
    return frozen


@transaction.atomic
def hand_out(*, study: Study, by: User, commit: str = "") -> Frozen:
    """Freeze the study as of its today into a blinded cut, and enter it on the ledger. Raises CutRefused, PermissionDenied.

    No write is under way while the rows are read, so that they are of one state.
    """
    access.require(by, MAKE, study)
    hold(study=study.pk)
    frozen = freeze(study=study, kind="blinded", on=study.today(), commit=commit)
    _enter(study, frozen, by)
    return frozen


def _enter(study: Study, frozen: Frozen, by: User) -> None:
    """The ledger, and who took it, name the cut from now on."""
    named = {"cut": frozen.manifest["cut"], **{name: frozen.manifest[name] for name in ("kind", "on", "rows")}}
    audit.record(kind="export", by=by, subject="cut", detail={"study": study.code, **named})
    for record in ("lock", "cut") if frozen.manifest["kind"] == "opening" else ("cut",):
        ledger.append(study=study.code, kind=record, body=named, at=study.ledger_time())


def freeze(*, study: Study, kind: str, on: date, commit: str = "") -> Frozen:
    """The cut without any trace of it. Raises CutRefused with every reason."""
    if on > study.today():
        raise CutRefused([_("%(on)s is in the future; today is %(today)s.") % {"on": on, "today": study.today()}])
    if kind == "training":
        _check_apart()
    with moment.one_moment(read_only=True):
        rule = rule_of(study)
        rows = list(_rows(study, kind, on, rule))
        custodians = registry.custodians(study) if kind == "opening" else {}
        head = LedgerRow.objects.filter(study=study.code).order_by("-index").values_list("index", "h").first()
    kept = [(row, exposed) for row, exposed in rows if row["strategy"]] if kind == "training" else rows
    table = _table([row for row, _exposed in kept])
    exposures = exposure.table((row["patient"], row["center"], exposed) for row, exposed in kept)
    digest = sha256(table).hexdigest()
    files = _readable(study, table, exposures) if kind != "opening" else {ENCRYPTED: _encrypted(study, table, custodians)}
    if kind == "blinded":
        files[dummy_tags.FILE] = dummy_tags.table(study.code, [row["patient"] for row, _exposed in kept])
    manifest = {
        "v": 1,
        "study": study.code,
        "synthetic": study.synthetic,
        "kind": kind,
        "on": on.isoformat(),
        "rows": len(kept),
        "without_strategy": len(rows) - len(kept),
        "cut": digest,
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "head": None if head is None else {"index": head[0], "h": bytes(head[1]).hex()},
        "protocol": {"id": study.protocol_id, "version": study.protocol_version, "digest": study.protocol_digest},
        "rule": asdict(rule),
        "verified": VERIFIED,
        "commit": commit,
        "dummy_tags": {"seed": study.code, "rule": dummy_tags.RULE} if kind == "blinded" else None,
    }
    return Frozen(table, manifest, files | {MANIFEST: canonical(manifest) + b"\n"})


def _readable(study: Study, table: bytes, exposures: bytes) -> dict[str, bytes]:
    """The table and the exposures over time with their dictionary, its pooled numbers and the R program that finds the same ones."""
    months, protocol, window = (12, 24, 36), study.protocol, last_window(study.protocol)
    days = sorted({*(round(month * DAYS_PER_MONTH) for month in months), protocol.horizon_read_day})
    found = {name: number(value) for name, value in cut_numbers.numbers(table, days, window).items()}
    columns = next(csv.reader(io.StringIO(table.decode())))
    return {
        CSV: table,
        PARQUET: cut_parquet.of_table(table),
        adtte.FILE: adtte.of_table(table, study.code),
        exposure.FILE: exposures,
        "dictionary.csv": cut_numbers.dictionary(columns, {exposure.FILE: exposure.MEANINGS}),
        "numbers.json": canonical(found) + b"\n",
        "analysis.R": r_script.for_cut(days, window),
    }


def sealed(study: Study) -> tuple[dict[int, Envelope], dict[str, bytes]]:
    """Every stored seal of a study by its ledger index, and the snapshots they name by SHA-256: what a bundle carries."""
    envelopes, snapshots = {}, {}
    seals = Seal.objects.filter(participant__study=study).select_related("snapshot").prefetch_related("rewraps").order_by("ledger_index")
    for row in seals.iterator(200):
        envelopes[row.ledger_index] = Envelope(bytes(row.ciphertext), seal_check.wraps_of(row))
        snapshots[row.snapshot.sha256] = bytes(row.snapshot.content)
    return envelopes, snapshots


def _check_apart() -> None:
    """A training table never comes from where a blinded study runs: model and inputs would meet (docs/blinding.md §2)."""
    if codes := registry.blinded_here():
        raise CutRefused(
            [_("%(codes)s is blinded here: a training table is cut in an installation of its own.") % {"codes": ", ".join(codes)}]
        )


def _rows(study: Study, kind: str, on: date, rule: Rule) -> Iterator[tuple[dict[str, str], list[exposure.Stretch]]]:
    """Each participant's row, and what he was exposed to over time."""
    inputs = None if kind == "blinded" else Inputs(study)
    central = committee.conclusions(study, on) if kind == "opening" else {}
    faults = []
    for followed in read(study, on):
        try:
            outcomes = followed.outcomes(on)
        except ImpossibleHistory as found:
            faults.append(f"{followed.participant}: {found}")
            continue
        row = common(followed, outcomes, rule)
        if kind == "training":
            row |= {"time": row["rfs_time"], "event": row["rfs_event"]}
        if inputs and kind == "opening":
            planned = windows(followed.history.surgery, study.protocol.visits)
            concluded = central.get(followed.participant.pk)
            row |= cut_variants.columns(followed, outcomes, rule, on=on, planned=planned, central=concluded)
            row |= inputs.confounders(followed.participant)
        begun = strategy.begun(surgery=followed.history.surgery, courses=followed.courses, rule=rule)
        exposed = list(exposure.stretches(begun, time=outcomes.rfs.time, event=outcomes.rfs.event))
        yield row | (inputs.features(followed.participant) if inputs else {}), exposed
    if faults:
        raise CutRefused([_("These histories contradict themselves; correct them first: %(faults)s") % {"faults": "; ".join(faults)}])


def common(followed: Followed, outcomes: Outcomes, rule: Rule) -> dict[str, str]:
    """The columns that every cut has. `recurrence_cause`: 0 censored, 1 recurrence, 2 death without recurrence (EP-05)."""
    actual = followed.actual(outcomes, rule)
    rfs, overall = outcomes.rfs, outcomes.os
    return {
        "patient": followed.participant.study_number,
        "center": followed.participant.center.code,
        "surgery_date": followed.history.surgery.isoformat(),
        "strategy": str(actual.strategy or ""),
        "strategy_rule": rule.version,
        "rfs_time": str(rfs.time),
        "rfs_event": str(int(rfs.event)),
        "rfs_reason": str(rfs.reason),
        "os_time": str(overall.time),
        "os_event": str(int(overall.event)),
        "recurrence_time": str(rfs.time),
        "recurrence_cause": _CAUSES.get(rfs.reason, "0"),
        "window_closed": followed.closed_on.isoformat() if followed.closed_on else "",
        "site_reason": str(actual.reason or ""),
        "known_on": actual.known_on.isoformat() if actual.known_on else "",
        "zone": settings.TIME_ZONE,
    }


def _table(rows: list[dict[str, str]]) -> bytes:
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]) if rows else ["patient"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue().encode()


def _encrypted(study: Study, table: bytes, custodians: dict[str, Any]) -> bytes:
    if not custodians:
        raise CutRefused([_("%(study)s has no custodians yet: an opening cut is encrypted to them.") % {"study": study.code}])
    associated = opening_check.cut_associated(study.code, sha256(table).hexdigest())
    return json.dumps(envelope_json(enclose(table, associated, custodians)), sort_keys=True).encode()
