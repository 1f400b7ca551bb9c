"""Security keys and passkeys (WebAuthn, W3C Recommendation level 2) in place of a typed code (SE-02).

A key is added to a second factor that is set up, so that there are codes on paper for the day on which it is gone. It answers a challenge
that serves once, within five minutes, and only at the address of the platform: an answer that was asked for at another address is none.
Kept are a public key and its counter; neither opens an account.
"""

import json
import time
from datetime import timedelta
from struct import error as StructError
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts import audit
from accounts.models import SecondFactor, SecurityKey, User

PATIENCE = timedelta(minutes=5)
PREFERRED, DISCOURAGED = UserVerificationRequirement.PREFERRED, ResidentKeyRequirement.DISCOURAGED
"""The password was the first factor: a key without a PIN is enough, and it need not remember whose it is."""
NOT_PROVED = (ValueError, LookupError, TypeError, AttributeError, StructError, InvalidSignature)
"""What the library raises of an answer in another form, for another challenge or address, or with another signature."""
Options = dict[str, Any]


def can_be_used() -> bool:
    """Whether browsers let a key be used at the platform's address: a name, and https unless it is this very machine."""
    address = urlsplit(settings.PRIME_PUBLIC_URL)
    host = address.hostname or ""
    return host == "localhost" or (address.scheme == "https" and any(letter.isalpha() for letter in host) and ":" not in host)


def of(user: User) -> QuerySet[SecurityKey]:
    """A person's keys, in the order in which they were added."""
    return SecurityKey.objects.filter(user=user, removed_at=None).order_by("pk")


def are_asked_for(user: User) -> bool:
    """Whether a key serves instead of a code: there is one, and browsers let it be used here."""
    return can_be_used() and of(user).exists()


@transaction.atomic
def begin_adding(user: User) -> Options:
    """What the browser is to ask a new key for. Raises ValidationError without a second factor that is set up."""
    found = _factor(user)
    entity = PublicKeyCredentialUserEntity(name=user.username, id=user.uuid.bytes, display_name=user.display_name)
    options, state = _platform().register_begin(
        entity, _credentials(user), resident_key_requirement=DISCOURAGED, user_verification=PREFERRED
    )
    _remember(found, state["challenge"])
    return dict(options)


@transaction.atomic
def add(user: User, *, name: str, answer: str) -> SecurityKey:
    """Keep a new key under a name, by what it answered. Raises ValidationError with a sentence."""
    found = _factor(user)
    try:
        said = _platform().register_complete(_asked(found), json.loads(answer))
    except NOT_PROVED as error:
        raise ValidationError(_("The key's answer does not hold. Begin anew: press the button and touch the key.")) from error
    told = said.credential_data
    row = SecurityKey(user=user, name=name.strip()[:60] or _("Security key"), counter=said.counter)
    row.credential, row.credential_id = bytes(told), told.credential_id
    with audit.act(by=user, action="security_key.added"):
        row.save()
    return row


@transaction.atomic
def remove(user: User, uuid: UUID) -> None:
    """Let one of a person's keys serve no more; that there was one stays on record. A key of somebody else is not found."""
    row = of(user).select_for_update().get(uuid=uuid)
    row.removed_at = timezone.now()
    with audit.act(by=user, action="security_key.removed"):
        row.save(update_fields=["removed_at"])


@transaction.atomic
def begin(user: User) -> Options:
    """What the browser is to ask the person's keys for. Raises ValidationError where there is none."""
    credentials = _credentials(user)
    if not credentials:
        raise ValidationError(_("You have no security key here. Type a code."))
    options, state = _platform().authenticate_begin(credentials, user_verification=PREFERRED)
    _remember(_factor(user), state["challenge"])
    return dict(options)


def is_answer(typed: str) -> bool:
    """Whether this is what a key answered, not a code that somebody typed."""
    return typed.startswith("{")


def proves(found: SecondFactor, answer: str) -> bool:
    """Whether one of the person's keys answered the challenge, as it has not done before. Call it with the row locked."""
    try:
        told = AuthenticationResponse.from_dict(json.loads(answer))
        _platform().authenticate_complete(_asked(found), _credentials(found.user), told)
    except NOT_PROVED:
        return False
    row = of(found.user).select_for_update().get(credential_id=told.raw_id)
    counter = told.response.authenticator_data.counter
    if counter <= row.counter and (counter or row.counter):  # a copy of the key (WebAuthn §7.2, step 21); 0 says that it does not count
        return False
    row.counter, row.used_at = counter, timezone.now()
    row.save(update_fields=["counter", "used_at"])
    return True


def _platform() -> Fido2Server:
    """The relying party at the platform's public address, and at no other."""
    address = urlsplit(settings.PRIME_PUBLIC_URL)
    origin = f"{address.scheme}://{address.netloc}"
    return Fido2Server(PublicKeyCredentialRpEntity(name="PRIME", id=address.hostname), verify_origin=lambda said: said == origin)


def _credentials(user: User) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(row.credential)) for row in of(user)]


def _factor(user: User) -> SecondFactor:
    found = SecondFactor.objects.select_for_update().exclude(confirmed_at=None).filter(user=user).first()
    if found is None:
        raise ValidationError(_("Set up your second factor first."))
    return found


def _remember(found: SecondFactor, challenge: str) -> None:
    found.challenge, found.challenged_at = challenge, int(time.time())
    found.save(update_fields=["challenge", "challenged_at"])


def _asked(found: SecondFactor) -> dict[str, Any]:
    """What the key was asked, which serves this once. Raises ValueError where nothing was, or too long ago."""
    challenge, age = found.challenge, time.time() - found.challenged_at
    _remember(found, "")
    if not challenge or age > PATIENCE.total_seconds():
        raise ValueError("no challenge")
    return {"challenge": challenge, "user_verification": PREFERRED}
