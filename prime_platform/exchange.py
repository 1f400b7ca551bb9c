"""Import and export composed of every room that has something to bring."""

import subprocess
from pathlib import Path

from django.conf import settings

from followup import exchange as followup_exchange
from followup import export_parts
from studies.exchange import parts
from studies.models import Study

KINDS = followup_exchange.KINDS
"""The kinds of event that a mapping file may name."""
TABLES = followup_exchange.TABLES
"""The tables above `studies` that an import writes and an undo takes rows from."""


def parts_of(study: Study) -> list[parts.Part]:
    """What an export of a study is made of."""
    return [*parts.own_parts(study.dictionary), *export_parts.parts()]


def software() -> str:
    """The version of the running code: the commit that an image or a checkout says, or nothing."""
    stamp = Path(settings.BASE_DIR) / "COMMIT"
    if stamp.exists():
        return stamp.read_text(encoding="utf-8").strip()
    asked = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() if told.returncode == 0 else ""
