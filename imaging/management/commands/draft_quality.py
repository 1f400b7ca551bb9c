"""`manage.py draft_quality`: draw the sample of drafts that people correct, and say whether the rest may stand. Without a database."""

from pathlib import Path
from typing import Any

import SimpleITK as sitk
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from imaging import draft_quality, overlap, volumes
from imaging.radiomics_refusal import Refused

ANSWERED_NO, FAULT = 1, 2
ENDINGS = (".nii.gz", ".nii", ".nrrd")


class Command(BaseCommand):
    help = (
        "Sampled quality control of drafted outlines. Without --corrected: print the names of the drafts that a person is to correct."
        " With it: compare them, and say whether the rest may stand."
        " Exit status: 0 drawn or may stand, 1 may not stand, 2 usage or unreadable files."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("drafts", type=Path, help="folder of drafts, named by study number (NIfTI or NRRD, label 1)")
        parser.add_argument("--corrected", type=Path, help="folder of the same names after correction")
        parser.add_argument("--share", type=float, default=0.1, help="share of each center's drafts to be checked (default 0.1)")
        parser.add_argument("--salt", default="prime", help="decides the draw; write it into the protocol beforehand")

    def handle(self, *args: Any, **options: Any) -> None:
        drafts = files(options["drafts"])
        if not drafts or not 0 < options["share"] <= 1:
            raise CommandError(_("Give a folder with drafts, and a share above 0 and up to 1."), returncode=FAULT)
        chosen = draft_quality.sample(drafts, share=options["share"], salt=options["salt"])
        if options["corrected"] is None:
            self.stdout.write("\n".join(chosen))
            return
        corrected = files(options["corrected"])
        if missing := [name for name in chosen if name not in corrected]:
            raise CommandError(_("Not corrected yet: %(names)s.") % {"names": ", ".join(missing)}, returncode=FAULT)
        found = [self._compared(name, drafts[name], corrected[name]) for name in chosen]
        judgement = draft_quality.judge(found)
        text = _("%(good)d of %(count)d drafts needed little correction: %(share).0f %% (95 %% interval %(low).0f to %(high).0f %%).")
        numbers = {"share": 100 * judgement.share, "low": 100 * judgement.low, "high": 100 * judgement.high}
        self.stdout.write(text % {"good": judgement.good, "count": judgement.count, **numbers})
        if not judgement.may_stand:
            raise CommandError(_("The other drafts may not stand: have all of them corrected."), returncode=ANSWERED_NO)
        self.stdout.write(_("The other drafts may stand."))

    def _compared(self, name: str, draft: Path, corrected: Path) -> float:
        try:
            one, other = volumes.read_mask(draft), volumes.read_mask(corrected)
            held = volumes.alignment(other, one)
        except Refused as refused:
            raise CommandError(f"{name}: {refused}", returncode=FAULT) from refused
        if held.mask is None:
            raise CommandError(f"{name}: {' '.join(map(str, held.findings))}", returncode=FAULT)
        a, b = (sitk.GetArrayFromImage(mask) == 1 for mask in (one, held.mask))
        found = overlap.compare(a, b, one.GetSpacing()[::-1])
        away = "" if found.hausdorff is None else f"{found.hausdorff:.1f} mm"
        self.stdout.write(f"{name}  Dice {found.dice:.3f}  Hausdorff {away}")
        return found.dice


def files(folder: Path) -> dict[str, Path]:
    """The masks of a folder by their names without ending."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        ending = next((end for end in ENDINGS if path.name.endswith(end)), None)
        if ending:
            found[path.name.removesuffix(ending)] = path
    return found
