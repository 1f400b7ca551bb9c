"""A second factor for people: a code of a device beside the password (SE-02), and codes on paper for the day on which the device is gone.

The secret lies encrypted under a key of the web process (`keys/web`), so that a dump of the database opens no account. No code serves
twice; after five wrong ones within a quarter of an hour nothing is tried. Whether everybody must have one says PRIME_SECOND_FACTOR.
Wherever a code is typed, a security key may answer instead (`accounts.security_keys`).
"""

import hashlib
import os
import secrets
import time
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, security_keys, totp
from accounts.models import AccessRecord, SecondFactor, User

KEY = "keys/web/second_factor.key"
PAPER_CODES = 8
ATTEMPTS, WINDOW = 5, timedelta(minutes=15)
SUBJECT = "second factor"


def has(user: User) -> bool:
    """Whether a person's second factor is set up."""
    return SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).exists()


def is_missing(user: User) -> bool:
    """Whether a person must still set one up."""
    return bool(settings.PRIME_SECOND_FACTOR) and not has(user)


@transaction.atomic
def begin(user: User) -> bytes:
    """The secret to be typed into the device: a new one, or the one that was begun. Raises ValidationError when there is a factor."""
    found = SecondFactor.objects.select_for_update().filter(user=user).first()
    if found is not None and found.confirmed_at is not None:
        raise ValidationError(_("There is a second factor already. Ask the operator to take it back if the device is gone."))
    if found is not None:
        return _opened(found)
    secret = secrets.token_bytes(totp.SECRET_SIZE)
    with audit.act(by=user, action="second_factor.begun"):
        SecondFactor.objects.create(user=user, secret=_closed(user, secret), last_step=0, paper=[])
    return secret


@transaction.atomic
def confirm(user: User, typed: str) -> list[str]:
    """Set it up with the first code of the device; the codes for paper, which are shown this once. Raises ValidationError."""
    found = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at=None).first()
    if found is None:
        raise ValidationError(_("Begin anew: open the page again."))
    step = totp.matching(_opened(found), typed, step=totp.step_at(time.time()), after=found.last_step)
    if step is None:
        raise ValidationError({"code": _wrong()})
    paper = [f"{secrets.randbelow(10**10):010d}" for _ in range(PAPER_CODES)]
    found.confirmed_at, found.last_step, found.paper = timezone.now(), step, [_hashed(user, each) for each in paper]
    with audit.act(by=user, action="second_factor.confirmed"):
        found.save()
    return paper


def check(user: User, typed: str) -> str:
    """Nothing where the code is right; else the sentence for the person. A failure is recorded; call it outside the write's transaction."""
    with transaction.atomic():
        found = SecondFactor.objects.select_for_update().exclude(confirmed_at=None).filter(user=user).first()
        if found is None:
            return _("Set up your second factor first.")
        recent = AccessRecord.objects.filter(username=user.username, subject=SUBJECT, at__gte=timezone.now() - WINDOW)
        if recent.filter(kind=AccessRecord.Kind.REFUSAL).count() >= ATTEMPTS:
            return _("Too many wrong codes. Wait a quarter of an hour.")
        by_key = security_keys.is_answer(typed)
        if not (security_keys.proves(found, typed) if by_key else _used(found, typed)):
            audit.record(kind=AccessRecord.Kind.REFUSAL, by=user, subject=SUBJECT)
            return _("The key's answer does not hold. Use the key again, or type a code.") if by_key else _wrong()
    return ""


@transaction.atomic
def take_back(*, user: User, by: User) -> None:
    """Let a person set up another device, after somebody who knows him has looked at him; who is signed in stays so until then."""
    with audit.act(by=by, action="second_factor.taken_back"):
        SecondFactor.objects.filter(user=user).delete()
        security_keys.of(user).update(removed_at=timezone.now())
    audit.record(kind=AccessRecord.Kind.SIGN_OUT, by=user, subject="second factor taken back")


def _used(found: SecondFactor, typed: str) -> bool:
    step = totp.matching(_opened(found), typed, step=totp.step_at(time.time()), after=found.last_step)
    hashed = _hashed(found.user, "".join(typed.split()))
    if step is None and hashed not in found.paper:
        return False
    found.last_step = step or found.last_step
    found.paper = [each for each in found.paper if each != hashed]
    with audit.act(by=found.user, action="second_factor.used"):
        found.save(update_fields=["last_step", "paper"])
    return True


def _wrong() -> str:
    return _("The code is not right. Type the six digits that your device shows now; each serves once.")


def _hashed(user: User, code: str) -> str:
    return hashlib.scrypt(code.encode(), salt=user.uuid.bytes, n=2**12, r=8, p=1, dklen=32).hex()


def _closed(user: User, secret: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(_key()).encrypt(nonce, secret, user.uuid.bytes)


def _opened(found: SecondFactor) -> bytes:
    data = bytes(found.secret)
    return AESGCM(_key()).decrypt(data[:12], data[12:], found.user.uuid.bytes)


def _key() -> bytes:
    """The web process's key for secrets at rest; made when there is none."""
    path = Path(settings.VAR) / KEY
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        except FileExistsError:  # somebody was first
            pass
    return path.read_bytes()
