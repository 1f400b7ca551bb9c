"""What the platform holds of images: how they came (transport), what they are (archive), and what is measured on them."""

from imaging.models.drafts import Draft
from imaging.models.images import ArchivedObject, ImagingStudy, Instance, InstanceConflict, KeySlice, PassMember, Series
from imaging.models.lists import FeatureList
from imaging.models.measures import Extraction, FeatureSet, Roi, RoiOutline
from imaging.models.proposals import ProposedOutline
from imaging.models.transport import Gateway, Package, PackageReceipt

__all__ = [
    "ArchivedObject",
    "Draft",
    "Extraction",
    "FeatureList",
    "FeatureSet",
    "Gateway",
    "ImagingStudy",
    "Instance",
    "InstanceConflict",
    "KeySlice",
    "Package",
    "PackageReceipt",
    "PassMember",
    "ProposedOutline",
    "Roi",
    "RoiOutline",
    "Series",
]
