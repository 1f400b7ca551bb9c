"""Rows of a hospital's operating list that its gateway sends: each becomes a line of the center's screening log, once.

A row is a keyed token, the date of surgery, age and sex; who it is stays at the edge (EN-05). The lines are written in the name of the
gateway's own user, who cannot sign in.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.models import User
from imaging.models import Gateway
from studies import screening
from studies.vocabulary import Sex

MOST_ROWS = 200
MOST_AGE = 120
_TOKEN = re.compile(r"[0-9a-f]{64}")


class NoRows(ValueError):
    """What a gateway sent is no list of rows; the sentence says what is missing."""


@dataclass(frozen=True)
class Row:
    """One row as it crossed."""

    token: str
    surgery_date: date
    age: int | None
    sex: str


@dataclass(frozen=True)
class Answered:
    """What is said of one row: its line of the log, or the code of a refusal."""

    token: str
    number: int | None = None
    screening: str = ""
    refused: str = ""

    def as_json(self) -> dict[str, Any]:
        """The answer as the edge reads it."""
        if self.refused:
            return {"token": self.token, "refused": self.refused}
        return {"token": self.token, "number": self.number, "screening": self.screening}


def read(said: Any) -> list[Row]:
    """The rows of a request. Raises NoRows: a gateway that writes anything else is faulty, and nothing of it is kept."""
    rows = said.get("rows") if isinstance(said, dict) and said.get("v") == 1 else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
        raise NoRows(f'Send {{"v": 1, "rows": […]}} with 1 to {MOST_ROWS} rows.')
    found = [_row(each) for each in rows]
    if len({row.token for row in found}) != len(found):
        raise NoRows("A row stands twice in one request.")
    return found


@transaction.atomic
def take(*, gateway: Gateway, rows: Sequence[Row]) -> list[Answered]:
    """Give every row its screening number, in their order, or the number it has; refused rows leave no trace.

    All rows of a request are settled together, under the lock of the center. Raises NotAllowedNow when the center takes none.
    """
    screening.lock(gateway.center)
    by = gateway_user(gateway)
    return [_take(gateway, row, by) for row in rows]


@transaction.atomic
def gateway_user(gateway: Gateway) -> User:
    """The user in whose name a gateway writes, made when first needed: never active, so that nobody signs in as it."""
    username = f"edge-{gateway.code}"
    if known := User.objects.filter(username=username).first():
        return known
    user = User(username=username, display_name=f"Edge {gateway.code}", is_active=False)
    user.set_unusable_password()
    user.full_clean()
    with audit.act(by=User.objects.system(), action="user.created"):
        user.save()
    return user


def _take(gateway: Gateway, row: Row, by: User) -> Answered:
    facts = {"surgery_date": row.surgery_date, "age_at_surgery": row.age, "sex": row.sex}
    try:
        with transaction.atomic():
            line = screening.screen_from_edge(center=gateway.center, row_token=row.token, by=by, **facts)
    except ValidationError as error:
        return Answered(row.token, refused=_code(error))
    return Answered(row.token, number=line.number, screening=str(line))


def _code(error: ValidationError) -> str:
    if getattr(error, "code", None) == "row_differs":
        return "differs"
    return "future" if "surgery_date" in getattr(error, "error_dict", {}) else "invalid"


def _row(said: Any) -> Row:
    try:
        token, day, age, sex = (said[name] for name in ("token", "surgery_date", "age", "sex"))
        if len(said) != 4 or not _TOKEN.fullmatch(token) or sex not in Sex.values or not _is_age(age):  # a fifth value might be a name
            raise ValueError
        return Row(token, date.fromisoformat(day), age, sex)
    except (KeyError, TypeError, ValueError):
        raise NoRows("A row is token, surgery_date, age and sex, and nothing else.") from None


def _is_age(age: Any) -> bool:
    return age is None or (type(age) is int and 0 <= age <= MOST_AGE)
