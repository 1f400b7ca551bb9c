"""What every page is written with: icons, the one status badge, dates as the protocol's people read them."""

import datetime as dt

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from prime_platform.vocabulary import STATES
from studies.protocol import Text

register = template.Library()


@register.simple_tag
def icon(name: str, tone: str = "") -> SafeString:
    """One symbol of the sprite; decoration only, so a word always stands beside it."""
    css = f"i tone-{tone}" if tone else "i"
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', css, static("icons.svg"), name)


@register.simple_tag
def badge(state: str, detail: object = "") -> SafeString:
    """Icon, word and ground of a state of the closed vocabulary; `detail` (an age, a date) follows the word."""
    shown = STATES[str(state)]
    words = format_html("{} {}", shown.word, detail) if detail not in ("", None) else shown.word
    return format_html('<span class="b {}">{}{}</span>', shown.tone, icon(shown.icon), words)


@register.filter
def say(text: Text) -> str:
    """A text of the protocol or the data dictionary in the reader's language."""
    return text.say(get_language())


@register.filter
def iso(day: dt.date | None) -> str:
    """A clinical date as it is stored: 2026-11-19."""
    return day.isoformat() if day else ""


@register.filter
def short(day: dt.date | None) -> str:
    """`11-19` within the present year, the full date otherwise."""
    if day is None:
        return ""
    return day.strftime("%m-%d") if day.year == timezone.localdate().year else day.isoformat()


@register.filter
def weekday(day: dt.date | None) -> str:
    """The weekday in words."""
    return date_format(day, "l") if day else ""


@register.filter
def day_number(days: int | None) -> str:
    """`day 47` after surgery; days before it carry a true minus."""
    if days is None:
        return ""
    return _("day %(number)s") % {"number": str(days).replace("-", "−")}


@register.filter
def moment(at: dt.datetime | None) -> str:
    """An instant in the reader's local time, to the minute."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M") if at else ""
