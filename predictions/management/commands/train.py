"""`manage.py train strategy`: a model, its report and its hashes from one training table. Needs no database."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.training import feature_list, table, trainer
from studies import protocol

TIERS = {"0": ("clinical",), "1": ("clinical", "arterial", "venous")}


class Command(BaseCommand):
    help = "Train the four-strategy model. Exit status 0: trained; 1: the data cannot answer (the text says why); 2: bad input."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", choices=["strategy"], help="which model to train")
        parser.add_argument("--data", type=Path, required=True, help="training table, CSV or Parquet")
        parser.add_argument("--out", type=Path, required=True, help="directory for model.json and report.json; made when missing")
        parser.add_argument("--tier", choices=sorted(TIERS), default="1", help="0: clinical; 1: clinical + two CT phases (default)")
        parser.add_argument("--feature-list", type=Path, help="only what readers measure alike: the JSON file of the page Measurements")
        parser.add_argument("--protocol", default="hcc_adjuvant", help="whose landmark and margin hold (default: hcc_adjuvant)")
        parser.add_argument("--seed", type=int, default=20260101, help="seed of the bootstrap")
        parser.add_argument("--replicates", type=int, default=trainer.REPLICATES, help="bootstrap refits (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        rules = protocol.load(options["protocol"])
        try:
            listed = feature_list.read(options["feature_list"]) if options["feature_list"] else None
            allowed = {"allowed": listed.allows} if listed else {}
            data = table.read(options["data"], landmark=rules.landmark_days, modalities=TIERS[options["tier"]], **allowed)
        except (table.TableRefused, OSError) as fault:
            raise CommandError(f"train: {fault}", returncode=2) from None
        try:
            trained = trainer.train(
                data,
                tier=options["tier"],
                landmark=rules.landmark_days,
                margin=float(rules.margin),
                seed=options["seed"],
                replicates=options["replicates"],
            )
        except trainer.TrainingRefused as refusal:
            self.stderr.write(f"train: {refusal}")
            sys.exit(1)
        if listed:
            trained.report["feature_list_sha256"] = listed.sha256
        self.write(options["out"], trained, data.sha256, as_json=options["json"])

    def write(self, out: Path, trained: trainer.Trained, data_sha256: str, *, as_json: bool) -> None:
        """Leave model.json and report.json, and say what they are."""
        model_sha256 = hashlib.sha256(trained.artefact).hexdigest()
        report = {"model_sha256": model_sha256, "data_sha256": data_sha256, **trained.report}
        out.mkdir(parents=True, exist_ok=True)
        (out / "model.json").write_bytes(trained.artefact)
        (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
        if as_json:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
            return
        held_out = report["held_out"]["c_index"]
        self.stdout.write(f"model {model_sha256[:16]} from {report['n']} patients with {report['events']} events")
        self.stdout.write(f"C at held-out centers {held_out['estimate']:.3f} ({held_out['lower']:.3f} to {held_out['upper']:.3f})")
        self.stdout.write(
            f"features kept: {len(report['selected_features'])}; rows dropped before the landmark: {report['dropped_before_landmark']}"
        )
