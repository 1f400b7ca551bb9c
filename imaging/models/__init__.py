"""What the platform holds of images: how they came (transport) and what they are (archive)."""

from imaging.models.images import ArchivedObject, ImagingStudy, Instance, InstanceConflict, KeySlice, Series
from imaging.models.transport import Gateway, Package, PackageReceipt

__all__ = [
    "ArchivedObject",
    "Gateway",
    "ImagingStudy",
    "Instance",
    "InstanceConflict",
    "KeySlice",
    "Package",
    "PackageReceipt",
    "Series",
]
