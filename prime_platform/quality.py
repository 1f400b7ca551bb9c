"""Joins what each room tells about its rows, so that queries, edit checks and verification serve them all."""

from followup import quality as followup_quality
from imaging import quality as imaging_quality
from studies.quality import forms_held, own, sources

SOURCES = (own.OWN, forms_held.SOURCE, imaging_quality.SOURCE, followup_quality.SOURCE)


def join() -> None:
    """Register the source of every room; called once when the platform starts."""
    for source in SOURCES:
        sources.register(source)
