"""Which code is running."""

import subprocess
from pathlib import Path

from django.conf import settings


def commit() -> str:
    """The commit that an image or a checkout says, or nothing."""
    stamp = Path(settings.BASE_DIR) / "COMMIT"
    if stamp.exists():
        return stamp.read_text(encoding="utf-8").strip()
    asked = ["git", "-C", str(settings.BASE_DIR), "rev-parse", "HEAD"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() if told.returncode == 0 else ""
