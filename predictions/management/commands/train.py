"""`manage.py train`: a model, its report, its card and its hashes from one training table. Needs no database."""

import sys
import warnings
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from threadpoolctl import threadpool_limits

from predictions.training import feature_list, outcome, table, trainer
from predictions.training.foreign import mapping
from predictions.training.policy import choice, value
from predictions.training.prime import cohort, fanout, laboratory, preset
from studies import protocol

MODELS = ("strategy", "prime-r", "prime-s")
TIERS = {"0": ("clinical",), "1": ("clinical", "arterial", "venous")}
ONE_MONTH = 30  # days: PRIME-S is asked after a month on treatment, and counts from there (PM-05)


class Command(BaseCommand):
    help = "Train a model. Exit status 0: trained; 1: the data cannot answer (the text says why); 2: bad input."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", choices=MODELS, help="which model to train")
        parser.add_argument("--data", type=Path, required=True, help="training table, CSV or Parquet")
        parser.add_argument("--out", type=Path, required=True, help="directory for the model, its report and its card; made when missing")
        parser.add_argument("--mapping", help=f"read a published table by a mapping: {', '.join(mapping.NAMES)}, or a file")
        parser.add_argument("--feature-list", type=Path, help="only what readers measure alike: the JSON file of the page Measurements")
        parser.add_argument("--seed", type=int, default=20260101, help="seed of folds, learners and bootstrap (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        strategy = parser.add_argument_group("strategy")
        strategy.add_argument("--tier", choices=sorted(TIERS), default="1", help="0: clinical; 1: clinical + two CT phases (default)")
        strategy.add_argument("--protocol", default="hcc_adjuvant", help="whose landmark and margin hold (default: %(default)s)")
        strategy.add_argument("--replicates", type=int, default=trainer.REPLICATES, help="bootstrap refits (default: %(default)s)")
        strategy.add_argument("--policy-replicates", type=int, default=value.REPLICATES, help="the same for each held-out center")
        prime = parser.add_argument_group("prime-r and prime-s")
        prime.add_argument("--preset", default="prime-robust", help=f"{', '.join(preset.NAMES)}, or a file (default: %(default)s)")
        prime.add_argument("--lesions", choices=cohort.LESIONS, help="what stands for a patient with several lesions")
        prime.add_argument("--landmark", type=int, default=ONE_MONTH, help="days from which PRIME-S counts (default: %(default)s)")
        prime.add_argument("--show-optimism", action="store_true", help="what each shortcut of the published code would have added")
        prime.add_argument("--processes", type=int, default=1, help="how many processes share the folds (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        train = self.strategy if options["model"] == "strategy" else self.prime
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                report = train(options)
        except (table.TableRefused, preset.PresetRefused, OSError) as fault:
            raise CommandError(f"train: {fault}", returncode=2) from None
        except trainer.TrainingRefused as refusal:
            self.refuse(refusal, as_json=options["json"])
        except Warning as said:
            raise CommandError(f"train: the numbers are not to be trusted, nothing is written: {said}", returncode=1) from None
        self.stdout.write(outcome.as_json(report) if options["json"] else outcome.in_words(report))

    def refuse(self, refusal: trainer.TrainingRefused, *, as_json: bool) -> None:
        """Say why the data cannot answer, with the counts it rests on, and end with status 1."""
        self.stderr.write(f"train: {refusal}")
        if as_json:
            self.stdout.write(outcome.as_json({"refused": str(refusal), **refusal.counts}))
        elif refusal.counts:
            self.stdout.write(outcome.counts_in_words(refusal.counts))
        sys.exit(1)

    def strategy(self, options: dict[str, Any]) -> dict[str, Any]:
        rules = protocol.load(options["protocol"])
        listed = feature_list.read(options["feature_list"]) if options["feature_list"] else None
        named: dict[str, Any] = {"landmark": rules.landmark_days, "modalities": TIERS[options["tier"]]}
        named |= {"allowed": listed.allows} if listed else {}
        if options["mapping"]:
            frame, sha256, said = mapping.read(options["data"], options["mapping"])
            data = table.of_frame(frame, sha256=sha256, **named)
        else:
            data, said = table.read(options["data"], **named), []
        settings = {"landmark": rules.landmark_days, "margin": float(rules.margin), "seed": options["seed"]}
        trainer.check(data)
        learner, policy = choice.choose(data, **settings, replicates=options["policy_replicates"])
        trained = trainer.train(data, **settings, tier=options["tier"], replicates=options["replicates"], learn=choice.LEARNERS[learner])
        trained.report["policy"] = policy
        trained.report["warnings"] += said
        if listed:
            trained.report["feature_list_sha256"] = listed.sha256
        return outcome.leave(options["out"], trained.artefact, {"model": "strategy", "data_sha256": data.sha256, **trained.report})

    def prime(self, options: dict[str, Any]) -> dict[str, Any]:
        paths = {name: options[name] and str(options[name]) for name in ("data", "mapping", "lesions", "feature_list", "preset")}
        landmark = options["landmark"] if options["model"] == "prime-s" else 0
        source = fanout.Source(options["model"], seed=options["seed"], landmark=landmark, **paths)
        parts = options["out"] / "parts"
        work = fanout.workshop(source, parts, processes=options["processes"], progress=self.progress)
        with threadpool_limits(1):
            rows = fanout.cohort_of(source)
            made = laboratory.train(rows, options["model"], source.task, work=work)
            if options["show_optimism"]:
                made.report["optimism"] = laboratory.optimism(rows, options["model"], source.task)
        fanout.clear(parts)
        return outcome.leave(options["out"], made.artefact, made.report)

    def progress(self, done: int, of: int) -> None:
        self.stderr.write(f"{done} of {of} folds done")
