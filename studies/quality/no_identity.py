"""Refusing a text that carries an identity where it is written once and nobody is asked to confirm: reasons, descriptions, sources."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from studies.quality.identity import Likeness, likenesses


def refuse(**texts: str) -> None:
    """Raise ValidationError, by the name of the text, where one contains a citizen identity or telephone number."""
    refused = {}
    for field, text in texts.items():
        found = likenesses(text)
        if Likeness.CITIZEN in found:
            refused[field] = _("This text contains a citizen identity number. Identities stay at the hospital: take it out.")
        elif Likeness.PHONE in found:
            refused[field] = _("This text contains a telephone number. Identities stay at the hospital: take it out.")
    if refused:
        raise ValidationError(refused)
