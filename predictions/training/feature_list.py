"""The features that readers measure alike, as the platform hands them out: what a training may choose from. Pure."""

import json
from dataclasses import dataclass
from pathlib import Path

from accounts.canonical import digest
from predictions.training.table import TableRefused

MEASURED = ("arterial", "venous")
"""The modalities that a list speaks of; the others are not drawn by readers."""


@dataclass(frozen=True)
class FeatureList:
    """A list by its digest: the kept features, named as in the training table."""

    sha256: str
    kept: frozenset[str]

    def allows(self, feature: str) -> bool:
        """Whether a training may use this column."""
        return feature.split("_", maxsplit=1)[0] not in MEASURED or feature in self.kept


def read(path: Path) -> FeatureList:
    """The list in a file that the platform wrote. Raises TableRefused where it is none, was changed, or keeps nothing."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        content, sha256 = document["content"], document["sha256"]
        kept = frozenset(row["name"] for row in content["features"] if row["kept"] is True)
        true = digest(content) == sha256
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise TableRefused(f"{path.name} is no list of features: {fault}") from None
    if not true:
        raise TableRefused(f"{path.name} was changed: its content does not have the SHA-256 that it states")
    if not kept:
        raise TableRefused(f"{path.name} keeps no feature: there is nothing to choose from")
    return FeatureList(sha256, kept)
