"""`manage.py train`: a model, its report, its card and its hashes from one training table. Needs no database but for `--study`.

Where one answers and holds a real study that is blinded, nothing is trained.
"""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from threadpoolctl import threadpool_limits

from accounts import printing
from predictions import runs
from predictions.models import TrainingRun
from predictions.training import away, feature_list, outcome, table, trainer
from predictions.training.foreign import mapping
from predictions.training.jobs import Bench
from predictions.training.policy import choice, value
from predictions.training.policy import fanout as centers
from predictions.training.prime import cohort, fanout, laboratory, preset
from studies import protocol
from studies.models import Study

MODELS = ("strategy", "prime-r", "prime-s")
TIERS = {"0": ("clinical",), "1": ("clinical", "arterial", "venous")}
ONE_MONTH = 30  # days: PRIME-S is asked after a month on treatment, and counts from there (PM-05)

UNHEARD = "No part was finished in the last half minute. If no worker runs: python -m celery --app predictions.workers worker"

ASKED = (
    "model", "mapping", "feature_list", "seed", "tier", "protocol", "replicates", "policy_replicates", "preset", "lesions", "landmark",
)  # fmt: skip
"""What makes two trainings of one table the same task."""


class Watch:
    """Tells the terminal, and with `--study` the page Models, how far a training is and how it ends."""

    def __init__(self, options: dict[str, Any], write: Callable[[str], object]) -> None:
        self.options, self.write = options, write
        self.run: TrainingRun | None = None

    def __enter__(self) -> Self:
        return self

    def begin(self, data_sha256: str) -> None:
        """The table is read. Raises ValidationError for a study that is not there, or where a real study is blinded."""
        runs.check_allowed_here()
        if not self.options["study"]:
            return
        study = Study.objects.filter(code=self.options["study"]).first()
        if study is None:
            raise ValidationError(f"there is no study {self.options['study']}")
        task = {name: str(self.options[name]) for name in ASKED} | outcome.program()
        self.run = runs.begin(study=study, kind=self.options["model"], data_sha256=data_sha256, task=task)

    def progress(self, done: int, of: int) -> None:
        """So many jobs are done; one more is the model itself."""
        self.write(f"{done} of {of} parts done")
        if self.run:
            runs.heard(self.run, done, of + 1)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self.run is None:
            return
        if error is None:
            runs.trained(self.run, model_sha256=outcome.sha256_of(self.options["out"]))
        elif isinstance(error, trainer.TrainingRefused | Warning):
            runs.refused(self.run, said=str(error))
        else:
            runs.stopped(self.run)


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
        parser.add_argument("--pdf", action="store_true", help="print the cards as PDF too, by an installed Chromium")
        parser.add_argument("--processes", type=int, default=1, help="how many processes share the held-out parts (default: %(default)s)")
        parser.add_argument("--workers", action="store_true", help="hand them to Celery workers: celery --app predictions.workers worker")
        parser.add_argument("--study", help="show the training on the page Models of this study; the only thing that needs a database")
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

    def handle(self, *args: Any, **options: Any) -> None:
        train = self.strategy if options["model"] == "strategy" else self.prime
        watch = Watch(options, self.stderr.write)
        try:
            with watch, warnings.catch_warnings():
                warnings.simplefilter("error")
                report = train(options, watch)
        except (table.TableRefused, preset.PresetRefused, away.WorkerRefused, OSError) as fault:
            raise CommandError(f"train: {fault}", returncode=2) from None
        except ValidationError as refusal:
            raise CommandError(f"train: {' '.join(refusal.messages)}", returncode=1) from None
        except trainer.TrainingRefused as refusal:
            self.refuse(refusal, as_json=options["json"])
        except Warning as said:
            raise CommandError(f"train: the numbers are not to be trusted, nothing is written: {said}", returncode=1) from None
        self.stdout.write(outcome.as_json(report) if options["json"] else outcome.in_words(report))
        if options["pdf"]:
            self.print_cards(options["out"])

    def refuse(self, refusal: trainer.TrainingRefused, *, as_json: bool) -> None:
        """Say why the data cannot answer, with the counts it rests on, and end with status 1."""
        self.stderr.write(f"train: {refusal}")
        if as_json:
            self.stdout.write(outcome.as_json({"refused": str(refusal), **refusal.counts}))
        elif refusal.counts:
            self.stdout.write(outcome.counts_in_words(refusal.counts))
        sys.exit(1)

    def strategy(self, options: dict[str, Any], watch: Watch) -> dict[str, Any]:
        protocol_ = protocol.load(options["protocol"])
        named = {"landmark": protocol_.landmark_days, "margin": float(protocol_.margin), "seed": options["seed"]}
        source = centers.Source(
            **paths(options, "data", "mapping", "feature_list"),
            modalities=TIERS[options["tier"]],
            replicates=options["policy_replicates"],
            **named,
        )
        data, said = centers.table_of(source)
        watch.begin(data.sha256)
        trainer.check(data)
        bench = self.bench(options, watch)
        chosen = choice.choose(data, source.rules, work=centers.workshop(source, bench))
        more = {"learn": choice.LEARNERS[chosen.learner], "by_center": chosen.by_center}
        trained = trainer.train(data, **named, tier=options["tier"], replicates=options["replicates"], **more)
        trained.report["held_out"] |= chosen.foretold
        trained.report["policy"] = chosen.report
        trained.report["warnings"] += said
        if options["feature_list"]:
            trained.report["feature_list_sha256"] = feature_list.read(options["feature_list"]).sha256
        bench.clear()
        return outcome.leave(options["out"], trained.artefact, {"model": "strategy", "data_sha256": data.sha256, **trained.report})

    def prime(self, options: dict[str, Any], watch: Watch) -> dict[str, Any]:
        landmark = options["landmark"] if options["model"] == "prime-s" else 0
        named = paths(options, "data", "mapping", "lesions", "feature_list", "preset")
        source = fanout.Source(options["model"], seed=options["seed"], landmark=landmark, **named)
        bench = self.bench(options, watch)
        with threadpool_limits(1):
            rows = fanout.cohort_of(source)
            watch.begin(rows.sha256)
            made = laboratory.train(rows, options["model"], source.task, work=fanout.workshop(source, bench))
            if options["show_optimism"]:
                made.report["optimism"] = laboratory.optimism(rows, options["model"], source.task)
        bench.clear()
        return outcome.leave(options["out"], made.artefact, made.report)

    def bench(self, options: dict[str, Any], watch: Watch) -> Bench:
        """Where the held-out parts are done: here, or by workers."""
        if not options["workers"]:
            return Bench(options["out"] / "parts", options["processes"], watch.progress)
        if not settings.CELERY_BROKER_URL:
            raise CommandError("train: --workers needs a broker that the workers share: set CELERY_BROKER_URL", returncode=2)
        from predictions import workers  # noqa: PLC0415  (Celery and a broker are needed for this alone)

        return workers.board(options["out"], watch.progress, unheard=lambda: self.stderr.write(UNHEARD))

    def print_cards(self, out: Path) -> None:
        """The cards as PDF beside the HTML; without a Chromium it says so."""
        browser = printing.browser()
        if browser is None:
            self.stderr.write("No Chromium is installed: HTML only; print it from any browser.")
            return
        for card in sorted(out.glob("card.*.html")):
            try:
                card.with_suffix(".pdf").write_bytes(printing.pdf(card.read_text(encoding="utf-8"), browser=browser))
            except (OSError, subprocess.SubprocessError) as error:
                raise CommandError(f"train: the browser does not print: {error}", returncode=2) from error


def paths(options: dict[str, Any], *names: str) -> dict[str, str | None]:
    """Some options as text, files by their whole path: a worker may stand elsewhere."""
    return {name: options[name] and text_of(options[name]) for name in names}


def text_of(option: str | Path) -> str:
    path = Path(option)
    return str(path.absolute() if isinstance(option, Path) or path.is_file() else option)
