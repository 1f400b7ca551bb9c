"""`manage.py agreement --study CODE`: draw up the list of the features that readers measure alike, and say what it is."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import feature_list
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Draw up the list of features by ICC(2,1). Exit status 0: drawn up, or unchanged; 1: too few tumours outlined twice; 2: usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, help="code of the study")
        parser.add_argument("--threshold", type=float, default=feature_list.THRESHOLD, help="kept above it (default: %(default)s)")
        parser.add_argument("--out", type=Path, help="write the list here, as `train --feature-list` reads it")
        parser.add_argument("--json", action="store_true", help="print version, sha256, pairs and counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(_("There is no study %(code)s.") % {"code": options["study"]}, returncode=FAULT)
        try:
            made = feature_list.make(study=study, by=User.objects.system(), threshold=options["threshold"])
        except NotAllowedNow as refused:
            raise CommandError(str(refused), returncode=NO) from None
        if options["out"]:
            options["out"].write_text(json.dumps(made.document, indent=1), encoding="utf-8")
        kept, features, pairs = len(made.kept), len(made.content["features"]), made.content["pairs"]
        if options["json"]:
            said = {"version": made.version, "sha256": made.sha256, "kept": kept, "features": features, "pairs": pairs}
            self.stdout.write(json.dumps(said))
            return
        text = _("List %(version)d of %(study)s keeps %(kept)d of %(features)d features.")
        self.stdout.write(text % {"version": made.version, "study": study.code, "kept": kept, "features": features})
        self.stdout.write(f"sha256 {made.sha256}")
