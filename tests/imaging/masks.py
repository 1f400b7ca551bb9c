"""Readers' masks and the other contrast phase for the series of these tests, written in code."""

import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
import SimpleITK as sitk
from django.core.files.uploadedfile import SimpleUploadedFile

from imaging.volumes import read_series
from tests.imaging.world import uid


def other_phase(files: Sequence[bytes], name: str = "other", description: str = "arterial axial", acquired: str = "101430") -> list[bytes]:
    """The same DICOM series once more under new UIDs, as the series of another contrast phase of the same examination."""
    copied = []
    for data in files:
        dataset = pydicom.dcmread(io.BytesIO(data))
        dataset.SeriesInstanceUID = uid(str(dataset.SeriesInstanceUID), name)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid(str(dataset.SOPInstanceUID), name)
        dataset.SeriesDescription, dataset.AcquisitionTime = description, acquired
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
        copied.append(out.getvalue())
    return copied


def ball(files: Sequence[bytes], center: tuple[int, int, int], radius_mm: float) -> sitk.Image:
    """A mask of label 1 on the grid of a series: what lies within `radius_mm` of the voxel `center` (x, y, slice from 0)."""
    image = read_series(list(files)).image
    z, y, x = np.indices(sitk.GetArrayViewFromImage(image).shape)
    sx, sy, sz = image.GetSpacing()
    away = ((x - center[0]) * sx) ** 2 + ((y - center[1]) * sy) ** 2 + ((z - center[2]) * sz) ** 2
    mask = sitk.GetImageFromArray((away <= radius_mm**2).astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def moved(mask: sitk.Image, mm: float) -> sitk.Image:
    """The same mask further towards the head."""
    elsewhere = sitk.Image(mask)
    x, y, z = mask.GetOrigin()
    elsewhere.SetOrigin((x, y, z + mm))
    return elsewhere


def written(mask: sitk.Image, name: str = "mask.nii.gz") -> SimpleUploadedFile:
    """The mask as a file of a form."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        sitk.WriteImage(mask, str(path))
        return SimpleUploadedFile(name, path.read_bytes())
