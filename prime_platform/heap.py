"""The garbage of a long-lived process that answers people: what is loaded once is not searched for it again and again.

A full collection walks over every object of Django, the rooms and their libraries; it took a third of a second, in the middle of a page.
"""

import gc

from django.urls import get_resolver


def settle() -> None:
    """Load every address and view, then keep what is there out of further collections; called once, before the first page."""
    list(get_resolver().url_patterns)
    gc.collect()
    gc.freeze()
