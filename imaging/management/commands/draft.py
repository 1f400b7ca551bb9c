"""`manage.py draft`: a first outline from a box, without a database, for a person to correct."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from imaging import drafting, segmentation_writing, volumes
from imaging.radiomics_refusal import Refused

REFUSED, FAULT = 1, 2


class Command(BaseCommand):
    help = (
        "Draft an outline of what a box is around, as NIfTI, or as DICOM segmentation of a DICOM series. It is in force nowhere: a person"
        " corrects it and hands it in. Exit status: 0 drafted, 1 refused with a sentence, 2 usage or files that cannot be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--image", required=True, type=Path, help="folder that holds one DICOM series, or a NIfTI or NRRD file")
        parser.add_argument(
            "--box", required=True, type=int, nargs=6, metavar=("Z0", "Y0", "X0", "Z1", "Y1", "X1"),
            help="first and last slice, row and column, from 0, slices from the feet up",
        )  # fmt: skip
        parser.add_argument("--out", required=True, type=Path, help="file to write: .nii.gz, or .dcm for a DICOM series")
        parser.add_argument("--segmenter", default="classical", help="classical, or package.module:factory of an installed one")

    def handle(self, *args: Any, **options: Any) -> None:
        folder, out = options["image"], options["out"]
        if not folder.exists():
            raise CommandError(_("There is no %(path)s.") % {"path": folder}, returncode=FAULT)
        if not out.name.endswith((".nii.gz", ".nii")) and not (out.suffix == ".dcm" and folder.is_dir()):
            raise CommandError(_("Write to .nii.gz, or for a DICOM series to .dcm."), returncode=FAULT)
        try:
            volume = volumes.read_folder(folder) if folder.is_dir() else None
            image = volume.image if volume else volumes.read_image(folder)
            segmenter = drafting.named(options["segmenter"])
            marked = self._marked(image, drafting.Box(tuple(options["box"][:3]), tuple(options["box"][3:])), segmenter)
        except Refused as refused:
            raise CommandError(" ".join(_(one.message) % one.params for one in refused.sentences), returncode=REFUSED) from refused
        if volume and out.suffix == ".dcm":
            first = pydicom.dcmread(next(path for path in sorted(folder.rglob("*")) if path.is_file()), stop_before_pixels=True)
            out.write_bytes(segmentation_writing.write(marked, volume, first, segmentation_writing.Said("draft", segmenter.name)))
        else:
            sitk.WriteImage(marked, str(out))
        count = int(np.count_nonzero(sitk.GetArrayViewFromImage(marked)))
        millilitres = count * float(np.prod(image.GetSpacing())) / 1000
        text = _("%(voxels)d voxels, %(ml).1f mL, by %(name)s: a draft, to be corrected by a person.")
        self.stdout.write(text % {"voxels": count, "ml": millilitres, "name": segmenter.name})

    def _marked(self, image: sitk.Image, box: drafting.Box, segmenter: drafting.Segmenter) -> sitk.Image:
        across, down, between = image.GetSpacing()
        voxels = sitk.GetArrayFromImage(image).astype(np.float64)
        marked = sitk.GetImageFromArray(drafting.draft(voxels, box, (between, down, across), segmenter).astype(np.uint8))
        marked.CopyInformation(image)
        return marked
