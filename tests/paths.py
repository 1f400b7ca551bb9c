"""Where tests find what is never committed."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
