"""A document that stands alone, printed as PDF by a Chromium where one is installed; a server has none by default."""

import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PRINT_SECONDS = 120


def browser() -> str | None:
    """The browser that prints, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def pdf(document: str, *, browser: str) -> bytes:
    """The document printed by a Chromium. Raises OSError or subprocess.SubprocessError where it does not print."""
    with tempfile.TemporaryDirectory() as folder:
        page, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(document, encoding="utf-8")
        words = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"]
        subprocess.run([*words, f"--print-to-pdf={printed}", page.as_uri()], check=True, capture_output=True, timeout=_PRINT_SECONDS)
        return printed.read_bytes()
