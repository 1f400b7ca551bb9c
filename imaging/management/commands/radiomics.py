"""`manage.py radiomics`: measure one region of one image, without a database."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from imaging import radiomics, radiomics_profile, volumes
from imaging.radiomics_refusal import Refused, Sentence

REFUSED, FAULT = 1, 2


class Command(BaseCommand):
    help = (
        "Measure the radiomics features of a region. Exit status: 0 measured, 1 refused with a sentence, 2 usage or unreadable parameters."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--image", required=True, type=Path, help="NIfTI or NRRD file, or a folder that holds one DICOM series")
        parser.add_argument("--mask", required=True, type=Path, help="NIfTI or NRRD file on the image's grid")
        parser.add_argument("--params", type=Path, help="pyradiomics parameter file, or bare settings that change the profile")
        parser.add_argument("--profile", choices=radiomics_profile.NAMES, help="prime unless --params stands alone")
        parser.add_argument("--label", type=int, help="value of the region in the mask (default 1)")
        shape = parser.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="print values, hashes, software, diagnostics and warnings as JSON")
        shape.add_argument("--csv", action="store_true", help="print feature,value rows")

    def handle(self, *args: Any, **options: Any) -> None:
        for role in ("image", "mask", "params"):
            if options[role] is not None and not options[role].exists():
                raise CommandError(_("There is no %(path)s.") % {"path": options[role]}, returncode=FAULT)
        try:
            profile = _profile(options["params"], options["profile"])
        except Refused as refused:
            raise CommandError(_spoken(*refused.sentences), returncode=FAULT) from refused
        try:
            measured = radiomics.measure(_image(options["image"]), volumes.read_mask(options["mask"]), profile, options["label"])
        except Refused as refused:
            raise CommandError(_spoken(*refused.sentences), returncode=REFUSED) from refused
        if options["csv"]:
            self._csv(measured)
        elif options["json"]:
            self.stdout.write(json.dumps(_document(measured), indent=1, ensure_ascii=False))
        else:
            self._summary(measured)

    def _csv(self, measured: radiomics.Measurement) -> None:
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(["feature", "value"])
        writer.writerows([name, repr(value) if math.isfinite(value) else ""] for name, value in measured.values.items())

    def _summary(self, measured: radiomics.Measurement) -> None:
        region = measured.diagnostics["measured"]
        text = _("%(count)d features of %(voxels)d voxels by profile %(profile)s.")
        self.stdout.write(text % {"count": len(measured.values), "voxels": region["voxels"], "profile": measured.profile})
        self.stdout.write(_("Measurement %(hash)s") % {"hash": measured.sha256})
        for warning in measured.warnings:
            self.stdout.write(_("Warning: %(sentence)s") % {"sentence": _spoken(warning)})
        width = max(len(name) for name in measured.values)
        for name, value in measured.values.items():
            self.stdout.write(f"{name:{width}}  {value!r}")


def _profile(params: Path | None, base: str | None) -> radiomics_profile.Profile:
    return radiomics_profile.named(base or "prime") if params is None else radiomics_profile.read(params, base)


def _image(path: Path) -> sitk.Image:
    return volumes.read_folder(path).image if path.is_dir() else volumes.read_image(path)


def _spoken(*sentences: Sentence) -> str:
    return " ".join(_(sentence.message) % sentence.params for sentence in sentences)


def _document(measured: radiomics.Measurement) -> dict[str, Any]:
    return {
        "values": {name: value if math.isfinite(value) else None for name, value in measured.values.items()},
        "sha256": measured.sha256,
        "image_sha256": measured.image_sha256,
        "mask_sha256": measured.mask_sha256,
        "label": measured.label,
        "profile": measured.profile,
        "profile_sha256": measured.profile_sha256,
        "software": dict(measured.software),
        "diagnostics": dict(measured.diagnostics),
        "warnings": [{"code": warning.code, "sentence": _spoken(warning)} for warning in measured.warnings],
    }
