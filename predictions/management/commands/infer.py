"""`manage.py infer`: the inference process. It takes no patient, tells nothing but that it lives, and seals what it finds due."""

import hashlib
import os
import subprocess
import time
from datetime import datetime, timedelta
from datetime import time as clock
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections, connection
from django.utils import timezone

from accounts import anchors
from accounts.models import Heartbeat
from predictions import batch, outside, restoring
from predictions.registry import ArtefactMissing
from predictions.replay import Software
from studies.models import Study

HEARTBEAT_SECONDS = 10
DEMO_EVERY = timedelta(minutes=10)


class Command(BaseCommand):
    help = "Predict and seal everybody due, at fixed times (PRIME_BATCH_AT, local; the demonstration every 10 minutes), and anchor."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="run one batch for each study now without waiting for its fixed end, anchor, and stop"
        )
        parser.add_argument("--study", help="only this study")

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o022)  # anchors are for everybody to read
        software = running_software()
        if options["once"]:
            if not self.run_all(software, options["study"], hold=False):
                raise CommandError(
                    "infer: a model's artefact is missing or changed, or the ledger is behind a head; nothing of that study was sealed",
                    returncode=1,
                )
            return
        self.loop(software, options["study"])

    def loop(self, software: Software, only: str | None) -> None:
        """Beat, and run at the fixed times; a study that cannot be run does not keep the others waiting."""
        due = next_time(timezone.now())
        while True:
            close_old_connections()
            Heartbeat.objects.update_or_create(
                name="infer", defaults={"at": timezone.now(), "detail": {"login": connection.settings_dict["USER"]}}
            )
            if timezone.now() >= due:
                self.run_all(software, only, hold=True)
                due = next_time(timezone.now())
            time.sleep(HEARTBEAT_SECONDS)

    def run_all(self, software: Software, only: str | None, *, hold: bool) -> bool:
        """One batch and one anchor for each study; says only whether every study could be run."""
        complete = True
        for study in Study.objects.filter(code=only) if only else Study.objects.all():
            if faults := restoring.behind(study.code):  # a restored database: what was sealed since must not be sealed again
                anchors.mark_behind(study.code, faults)
                complete = False
                continue
            anchors.clear(study.code)
            try:
                batch.run(study=study, at=study.now(), software=software, seconds=settings.PRIME_BATCH_SECONDS, hold=hold)
            except ArtefactMissing:
                complete = False
            anchors.write(study=study.code, at=study.now())
            outside.write(study=study.code)
        return complete


def next_time(now: datetime) -> datetime:
    """When the next batch falls: every ten minutes in the demonstration, otherwise daily at PRIME_BATCH_AT."""
    if settings.PRIME_DEMO:
        return now + DEMO_EVERY
    hour, minute = map(int, settings.PRIME_BATCH_AT.split(":"))
    today = timezone.make_aware(datetime.combine(timezone.localdate(now), clock(hour, minute)))
    return today if today > now else today + timedelta(days=1)


def running_software() -> Software:
    """Commit and environment of this process: the checkout's HEAD or what an image was built from, and the digest of the lock."""
    stamp = settings.BASE_DIR / "COMMIT"
    commit = stamp.read_text().strip() if stamp.exists() else _head() or "0" * 40
    lock = (settings.BASE_DIR / "requirements.lock").read_bytes()
    return Software(commit=commit, container=hashlib.sha256(lock).hexdigest())


def _head() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    return found.stdout.strip()
