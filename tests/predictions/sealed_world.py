"""A study that can be sealed: custodians, a small honest clinical model on this host, participants with baseline values."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from accounts.models import User
from predictions import approval, registry
from predictions.models import ModelVersion
from predictions.replay import Software
from predictions.sealing_keys import PrivateKey
from predictions.training import synthetic, table, trainer
from studies import entry
from studies.models import Participant
from tests import world

SOFTWARE = Software(commit="1" * 40, container="2" * 64)
VALUES = {
    "afp": "320",
    "tumour_diameter_cm": "5.2",
    "tumour_number": "1",
    "mvi": "M1",
    "cirrhosis": "yes",
    "albumin": "41",
    "bilirubin": "14",
}
PLAN = {"primary": "RFS, landmark 90"}
KEYS = {letter: PrivateKey.generate() for letter in "ABC"}


@cache
def artefact(effect: float = 0.0) -> bytes:
    """A tier-0 model; with a strongly negative `effect` of TACE it recommends TACE, otherwise surgery alone."""
    truth = synthetic.Truth(effect=(0.0, effect, 0.0, 0.0), confounding=0.3)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        synthetic.table(700, seed=3, images=False, truth=truth).to_csv(path, index=False)
        data = table.read(path, landmark=90, modalities=("clinical",))
    return trainer.train(data, tier="0", landmark=90, margin=0.03, seed=1, replicates=20).artefact


def report(sha256: str) -> bytes:
    """The report of a training as far as a card needs it; what it says of the rule differs between models."""
    said = {
        "model": "strategy",
        "model_sha256": sha256,
        "data_sha256": "0" * 64,
        "n": 700,
        "events": 300,
        "landmark": 90,
        "held_out": {"c_index": {"estimate": 0.64, "lower": 0.6, "upper": 0.68}},
        "apparent": {"c_index": {"estimate": 0.66, "lower": None, "upper": None}},
        "by_center": {"R01": {"n": 90, "events": 40, "c_index": 0.63}},
        "selected_features": [f"clinical_{sha256}"],
        "policy": {"learner": "S", "compared": {"S": {"recommended": {"SURG": int(sha256[:3], 16)}}}},
        "warnings": [f"what only {sha256} says"],
    }
    return json.dumps(said).encode()


def prepare(site: world.World, data: bytes | None = None) -> None:
    """Name custodians, declare the plan, register and lock the model, and put its file on this host."""
    data = artefact() if data is None else data
    system = User.objects.system()
    keys = {letter: (f"custodian {letter}", key.public) for letter, key in KEYS.items()}
    registry.activate(study=site.study, keys=keys, by=system)
    registry.declare_plan(study=site.study, plan=PLAN, by=system)
    version = registry.register(
        study=site.study, name="clinical", data=data, data_sha256="0" * 64, commit="0" * 40, intended_use="after R0 resection", by=system
    )
    lock(version)
    place(data)


def lock(version: ModelVersion) -> ModelVersion:
    """A draft validated, approved by custodians A and C, and locked."""
    system = User.objects.system()
    version = registry.validate(version=version, report=report(version.artefact_sha256), by=system)
    said = registry.to_sign(version)
    return registry.lock(version=version, signatures={letter: approval.sign(said, KEYS[letter]) for letter in "AC"}, by=system)


def place(data: bytes) -> Path:
    """The artefact where the inference host looks for it."""
    registry.folder().mkdir(parents=True, exist_ok=True)
    path = registry.folder() / f"{hashlib.sha256(data).hexdigest()}.json"
    path.write_bytes(data)
    return path


def complete(site: world.World, center: str = "01", **values: str) -> Participant:
    """A participant whose clinical inputs are complete."""
    participant = world.enrolled(site, center)
    entry.record_texts(participant=participant, texts=VALUES | values, submit=True, by=site.people[f"coordinator{center}"])
    return participant
