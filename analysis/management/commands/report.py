"""`manage.py report --study CODE --out DIR`: the full report of a published result, in both languages, as HTML and PDF."""

import subprocess
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts import audit, printing
from accounts.models import User
from analysis import report
from analysis.models import Publication

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = (
        "Write report-LANGUAGE.html and, where a Chromium is installed, report-LANGUAGE.pdf. "
        "Exit status: 0 done, 1 nothing published, 2 fault."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, help="code of the study")
        parser.add_argument("--out", type=Path, required=True, help="a directory for the files")

    def handle(self, *args: Any, **options: Any) -> None:
        publication = Publication.objects.select_related("study").filter(study__code=options["study"]).first()
        if publication is None:
            raise CommandError(_("Nothing is published of %(code)s.") % {"code": options["study"]}, returncode=NO)
        audit.record(kind="export", by=User.objects.system(), subject="report", detail={"study": publication.study.code})
        browser = printing.browser()
        if browser is None:
            self.stderr.write(_("No Chromium is installed: HTML only; print it from any browser."))
        options["out"].mkdir(parents=True, exist_ok=True)
        for language in report.LANGUAGES:
            self._write(publication, language, options["out"], browser)

    def _write(self, publication: Publication, language: str, out: Path, browser: str | None) -> None:
        document = report.html(publication, language=language)
        page = out / f"report-{language}.html"
        page.write_text(document, encoding="utf-8")
        self.stdout.write(str(page))
        if browser is None:
            return
        try:
            printed = printing.pdf(document, browser=browser)
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(_("the browser does not print: %(reason)s") % {"reason": error}, returncode=FAULT) from error
        page.with_suffix(".pdf").write_bytes(printed)
        self.stdout.write(str(page.with_suffix(".pdf")))
