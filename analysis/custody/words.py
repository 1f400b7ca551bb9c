"""The words of the custodian's program in the person's language, from the platform's catalogue, without Django."""

import gettext as catalogues
import os
from pathlib import Path

CATALOGUES = Path(__file__).resolve().parents[2] / "prime_platform" / "locale"
FOLDERS = {"zh": "zh_Hans", "en": "en"}

_state: dict[str, catalogues.NullTranslations] = {"spoken": catalogues.NullTranslations()}


def speak(language: str) -> None:
    """Choose "zh" or "en"; anything else is English."""
    folder = FOLDERS.get(language, "en")
    _state["spoken"] = catalogues.translation("django", str(CATALOGUES), languages=[folder], fallback=True)


def of_this_machine() -> str:
    """The language that the machine is set to."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if said.startswith("zh") else "en"


def _(text: str) -> str:
    return _state["spoken"].gettext(text)
