"""Custodians and models of the demonstration: keys made at install and kept apart, models trained on synthetic tables.

Demo keys lie on this machine in one place, which is what a real study must never do; every page of the study says so.
"""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from accounts.models import User
from predictions import approval, registry
from predictions.replay import Software
from predictions.sealing_keys import PrivateKey, read_private, write_private
from predictions.training import outcome, synthetic, table, trainer
from studies.models import Study

SOFTWARE = Software(commit="0" * 40, container="0" * 64)
TIERS = {"0": ("clinical",), "1": ("clinical", "arterial", "venous")}
TRUTH = synthetic.Truth(effect=(0.0, 0.3, 0.2, 0.2), interaction=(0.0, -1.3, -0.3, -0.8))
ROWS, REPLICATES, SEED = 700, 25, 20260101
PLAN = {"primary": "RFS, consistent against inconsistent, naive and adjusted together", "landmark": 90, "margin": "0.03"}


def folder() -> Path:
    """Where the demonstration's custodian keys are, readable for the operator alone."""
    return Path(settings.VAR) / "demo-custodians"


def keys() -> dict[str, PrivateKey]:
    """The three keys, made when there are none."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    found = {}
    for letter in "ABC":
        path = folder() / f"{letter}.key"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(write_private(PrivateKey.generate()))
        found[letter] = read_private(path.read_bytes())
    return found


def prepare(study: Study, *, by: User) -> None:
    """Activate the custodians, declare the plan, register and lock one model per tier, and put the artefacts on the inference host."""
    registry.activate(study=study, keys={letter: (f"demo custodian {letter}", key.public) for letter, key in keys().items()}, by=by)
    registry.declare_plan(study=study, plan=PLAN, by=by)
    for tier in TIERS:
        data, data_sha256, report = model(tier)
        version = registry.register(
            study=study,
            name=f"demo tier {tier}",
            data=data,
            data_sha256=data_sha256,
            commit=SOFTWARE.commit,
            intended_use="SYNTHETIC: resected HCC (R0), before adjuvant therapy is known",
            by=by,
        )
        registry.place(version, data)
        version = registry.validate(version=version, report=report, by=by)
        said = registry.to_sign(version)
        registry.lock(version=version, signatures={letter: approval.sign(said, keys()[letter]) for letter in "AB"}, by=by)


@cache
def model(tier: str) -> tuple[bytes, str, bytes]:
    """The artefact of a tier, the hash of its table, and its report: honest training on data in which TACE helps the high-risk only."""
    frame = synthetic.table(ROWS, seed=SEED, truth=TRUTH, images=tier == "1")
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.csv"
        frame.to_csv(path, index=False)
        rows = table.read(path, landmark=90, modalities=TIERS[tier])
    trained = trainer.train(rows, tier=tier, landmark=90, margin=0.03, seed=SEED, replicates=REPLICATES)
    report = {"model": "strategy", "data_sha256": rows.sha256, **trained.report}
    return trained.artefact, rows.sha256, outcome.as_json(outcome.whole(trained.artefact, report)).encode()
