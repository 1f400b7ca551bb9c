"""A whole small study for tests of the opening: ledger, anchors, seals of a real (tiny) model, cut and request."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from accounts import chain
from accounts.canonical import canonical, digest
from analysis import opening, opening_check
from predictions import payload, sealing
from predictions.decision import INTENSITY, STEPS
from predictions.sealing_envelope import Envelope, enclose
from predictions.sealing_keys import PrivateKey

STUDY = "PRIME-HCC"
KEYS = {letter: PrivateKey.generate() for letter in "ABC"}
PUBLIC = {letter: key.public for letter, key in KEYS.items()}
PERSONS = {"A": "custodian-one", "B": "custodian-two", "C": "custodian-three"}
ARTEFACT = canonical({"rate": {"SURG": "0.02", "TACE": "0.015", "SYS": "0.017", "TACE_SYS": "0.0165"}})
MODEL = sha256(ARTEFACT).hexdigest()
PLAN = "5" * 64
SURGERY = date(2026, 1, 1)
RULE = {"version": "1", "window_days": 90, "landmark_days": 90, "haic_is_tace": False}
COLUMNS = ("patient", "center", "surgery_date", "strategy", "site_reason", "known_on", "zone")


def at(day: int, hour: int = 2) -> int:
    return chain.microseconds(datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(day))


NOW = at(1200)


def predict(artefact: bytes, snapshot: bytes) -> payload.Payload:
    """An exponential model: S_k(t) = exp(−rate_k · burden · t)."""
    rates = {name: float(json.loads(artefact)["rate"][name]) for name in INTENSITY}
    said = json.loads(snapshot)
    burden = float(said["burden"])
    made = payload.Provenance(sha256(artefact).hexdigest(), sha256(snapshot).hexdigest(), "c" * 64, "d" * 40, "e" * 64, 7, ("clinical",))
    if burden < 0:
        return payload.fail(made, payload.Failure.OUT_OF_INTENDED_USE, margin=0.03)
    curves = {name: tuple(2.718281828459045 ** (-rate * burden * t) for t in payload.HORIZONS) for name, rate in rates.items()}
    estimates = tuple(
        payload.Estimate(curve, tuple(each * 0.99 for each in curve), tuple(1 - (1 - each) * 0.99 for each in curve), 0.25)
        for curve in curves.values()
    )
    gains = tuple(curves[more][-1] - curves[less][-1] - 0.001 for more, less in STEPS)
    return payload.conclude(made, estimates, gains, margin=0.03, distance=0.5, out_of_distribution=burden > 3)


def snapshot(burden: str, *, known: bool = False) -> bytes:
    inputs = [{"name": "burden", "on": "2025-12-20", "treatment_known": known}, {"name": "sex", "on": None, "treatment_known": False}]
    return canonical({"burden": burden, "inputs": inputs})


@dataclass
class Study:
    """Grows row by row; `bundle()` makes the file that the custodians receive."""

    rows: list[chain.Row] = field(default_factory=list)
    anchors: list[chain.Anchor] = field(default_factory=list)
    seals: dict[int, Envelope] = field(default_factory=dict)
    snapshots: dict[str, bytes] = field(default_factory=dict)
    artefacts: dict[str, Envelope] = field(default_factory=dict)
    cut: bytes = b""

    def append(self, kind: str, body: dict, day: int) -> chain.Row:
        before = self.rows[-1].head if self.rows else chain.NO_HEAD
        nonce = sha256(f"{len(self.rows)}".encode()).digest()
        row = chain.extend(before, nonce=nonce, index=len(self.rows), at=at(day), kind=kind, body=canonical(body))
        self.rows.append(row)
        return row

    def anchor(self, day: int) -> None:
        self.anchors.append(chain.Anchor(self.rows[-1].index, self.rows[-1].head, at(day, 3)))

    def seal(
        self, number: str, content: bytes, day: int, *, said: payload.Payload | None = None, tier: str = "1", purpose: str = "confirmatory"
    ) -> chain.Row:
        name = sha256(content).hexdigest()
        said = said or predict(ARTEFACT, content)
        model = said.provenance.model
        associated = {"study": STUDY, "study_number": number, "tier": tier, "model": model, "snapshot": name, "purpose": purpose}
        record = sealing.seal(said.encode(), associated, PUBLIC)
        row = self.append("seal", record.body, day)
        self.seals[row.index], self.snapshots[name] = record.envelope, content
        return row

    def freeze(self, lines: list[tuple[str, ...]], day: int = 1100) -> None:
        self.cut = "\n".join(",".join(line) for line in [COLUMNS, *lines]).encode() + b"\n"
        self.append("lock", {"cut": sha256(self.cut).hexdigest()}, day)
        self.anchor(day)

    def request(self, **change: object) -> dict:
        head = self.rows[-1]
        return {
            "v": 1,
            "study": STUDY,
            "requester": "statistician",
            "reason": "final analysis",
            "made_at": at(1150),
            "expires_at": at(1250),
            "pair": "AB",
            "seals": sorted(self.seals),
            "cut": sha256(self.cut).hexdigest(),
            "plan": PLAN,
            "head": {"index": head.index, "h": head.head.hex()},
            "rule": RULE,
            "recipients": {},
        } | change

    def bundle(self, request: dict | None = None, approvals: dict[str, bytes] | None = None, **change: object) -> bytes:
        """The bundle of a request that is entered on the ledger and approved by its pair, unless told otherwise."""
        asked = request or self.request()
        self.append("opening", {"request": digest(asked)}, 1151)
        cut = sha256(self.cut).hexdigest()
        given = {letter: opening.approve(digest(asked), KEYS[letter]) for letter in asked["pair"]}
        parts = {
            "request": asked,
            "approvals": given if approvals is None else approvals,
            "rows": self.rows,
            "anchors": self.anchors,
            "seals": self.seals,
            "snapshots": self.snapshots,
            "artefacts": self.artefacts,
            "cut": enclose(self.cut, opening_check.cut_associated(STUDY, cut), PUBLIC),
        }
        return opening.build_bundle(**(parts | change))


def study(artefact: bytes = ARTEFACT) -> Study:
    """Founded, activated, declared and planned: ready for the first seal."""
    model = sha256(artefact).hexdigest()
    made = Study(artefacts={model: enclose(artefact, opening_check.artefact_associated(STUDY, model), PUBLIC)})
    made.append("genesis", {"study": STUDY, "synthetic": True}, 0)
    named = {letter: {"person": PERSONS[letter], "key": PUBLIC[letter].as_json()} for letter in "ABC"}
    made.append("activation", {"custodians": named}, 1)
    made.append("plan", {"plan": PLAN}, 2)
    made.append("model_declared", {"model": model, "tier": "1"}, 3)
    return made


def line(number: str, strategy: str, known_day: int = 20, reason: str = "") -> tuple[str, ...]:
    return (number, number[:2], SURGERY.isoformat(), strategy, reason, (SURGERY + timedelta(known_day)).isoformat(), "Asia/Shanghai")


def sealed_study() -> Study:
    """Five participants sealed on day 10 and anchored on day 11, then locked."""
    made = study()
    for number, content in {
        "01-0001-01": snapshot("1.0"),
        "01-0002-02": snapshot("1.5"),
        "01-0003-03": snapshot("3.5"),
        "02-0001-04": snapshot("-1.0"),
        "02-0002-05": snapshot("1.2", known=True),
    }.items():
        made.seal(number, content, 10)
    made.anchor(11)
    made.freeze(
        [
            line("01-0001-01", "TACE"),
            line("01-0002-02", "SURG", 95),
            line("01-0003-03", "TACE"),
            line("02-0001-04", "TACE"),
            line("02-0002-05", "TACE"),
            line("02-0003-06", "SYS"),
            line("02-0004-07", "", 20, "OTHER_MODALITY"),
        ]
    )
    return made
