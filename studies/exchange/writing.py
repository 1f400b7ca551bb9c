"""Writing the values of one form that a file brings: what the write function takes goes in, what it refuses is told, value by value."""

from collections.abc import Mapping

from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies import entry
from studies.models import Participant
from studies.values import Value


def write(
    *, participant: Participant, form: str, values: Mapping[str, Value], by: User, occurrence: str = "", reason: str = ""
) -> dict[str, str]:
    """{item code: sentence} of every value that was refused; the others are written."""
    refused: dict[str, str] = {}
    while left := {code: value for code, value in values.items() if code not in refused}:
        try:
            entry.record(participant=participant, form=form, occurrence=occurrence, values=left, reason=reason, by=by)
            break
        except NotAllowedNow as error:
            refused |= dict.fromkeys(left, str(error))
        except ValidationError as error:
            told = {code: " ".join(messages) for code, messages in getattr(error, "message_dict", {}).items() if code in left}
            refused |= told or dict.fromkeys(left, " ".join(error.messages))
    return refused
