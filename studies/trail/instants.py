"""An instant as a person types it: a day, or a day and a time of the clock on the wall. Pure."""

import re
from datetime import datetime, time, tzinfo

from studies import typed_dates

_WITH_TIME = re.compile(r"^(?P<day>.*?)[ T]+(?P<hour>\d{1,2})[:：](?P<minute>\d{2})(?:[:：](?P<second>\d{2}))?$")
_LAST = time(23, 59, 59, 999999)


def understand(text: str, zone: tzinfo) -> datetime:
    """The instant; a day alone is its end, a minute its last second. Raises ValueError for what is no date or time."""
    found = _WITH_TIME.match(text.strip())
    if not found:
        return datetime.combine(typed_dates.understand(text), _LAST, zone)
    second = int(found["second"]) if found["second"] else 59
    return datetime.combine(typed_dates.understand(found["day"]), time(int(found["hour"]), int(found["minute"]), second, 999999), zone)
