"""How long a name must wait at the door after wrong passwords; while it waits nothing is looked at (SE-02).

The wait depends on the name that was typed, whether or not somebody bears it, so that the answer tells nobody who is a user. What was
typed is kept only as a keyed digest: people type their password into the wrong field.
"""

from datetime import datetime, timedelta

from django.db.models.functions import Right
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import audit
from accounts.models import AccessRecord

FREE_ATTEMPTS = 5
LONGEST = timedelta(minutes=15)
WINDOW = timedelta(hours=24)
DIGITS = 36  # as many as a public id has: the index of the record is on those


def wait(name: str, *, at: datetime | None = None) -> int:
    """How many seconds this name must still wait: 1, 2, 4 … up to a quarter of an hour after the fifth failure in a row."""
    now = at or timezone.now()
    failed = AccessRecord.objects.annotate(whose=Right("subject", DIGITS)).filter(
        whose=_digest(name), kind=AccessRecord.Kind.SIGN_IN_FAILED, at__gte=now - WINDOW
    )
    signed_in = AccessRecord.objects.filter(username=name, kind=AccessRecord.Kind.SIGN_IN, at__gte=now - WINDOW).order_by("-pk").first()
    times = list(failed.filter(pk__gt=signed_in.pk) if signed_in else failed.order_by())
    if len(times) < FREE_ATTEMPTS:
        return 0
    pause = min(timedelta(seconds=2 ** min(len(times) - FREE_ATTEMPTS, 10)), LONGEST)
    left = max(row.at for row in times) + pause - now
    return max(0, -(-left // timedelta(seconds=1)))


def failed(name: str) -> None:
    """Note a failure under the digest of the name."""
    audit.record(kind=AccessRecord.Kind.SIGN_IN_FAILED, by=None, subject=f"sign-in {_digest(name)}")


def _digest(name: str) -> str:
    return salted_hmac("accounts.guessing", name, algorithm="sha256").hexdigest()[:DIGITS]
