"""The one way a record changes status: along its model's TRANSITIONS table."""

from typing import Any, TypeVar

from django.db import models
from django.utils.translation import gettext as _

R = TypeVar("R", bound=models.Model)


class NotAllowedNow(Exception):
    """The record's present status rules out what was asked; pages and the API answer 409 with this sentence."""


def advance(record: R, to: str, *, field: str = "status") -> R:
    """Return the record, freshly read under a row lock, with its new status set but not saved.

    The model's TRANSITIONS maps each status to the set of statuses it may become. Raises NotAllowedNow otherwise.
    """
    fresh: Any = type(record)._default_manager.select_for_update().get(pk=record.pk)
    now = getattr(fresh, field)
    if to not in fresh.TRANSITIONS[now]:
        raise NotAllowedNow(
            _("%(record)s is “%(now)s” and cannot become “%(to)s”. Reload the page to see its present state.")
            % {"record": fresh, "now": now, "to": to}
        )
    setattr(fresh, field, to)
    return fresh
