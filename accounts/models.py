"""Who someone is, what was read or refused, how the platform is doing, and the chain of each study.

History of clinical values is not here: it is written by triggers into one event table per model (`accounts.audit`).
"""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Right

from accounts import audit

SYSTEM_USERNAME = "system"


class UserManager(BaseUserManager["User"]):
    """Reads users; people are made by `accounts.people.create_user`."""

    def system(self) -> "User":
        """The user that stands for the platform's own work (ingest, batches, sweeps)."""
        return self.get(username=SYSTEM_USERNAME)


@audit.tracked(exclude=["password"])
class User(AbstractBaseUser):
    """A person, or the platform itself; what he may do is told by memberships, never by this row."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.CharField(max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    display_name = models.CharField(max_length=150)
    language = models.CharField(max_length=10, choices=[("zh-hans", "简体中文"), ("en", "English")], default="zh-hans")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    last_login = None  # sign-ins are rows of AccessRecord

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["display_name"]
    objects = UserManager()

    def __str__(self) -> str:
        return self.display_name or self.username


@audit.tracked(exclude=["secret", "last_step", "paper", "challenge", "challenged_at"])
class SecondFactor(models.Model):
    """A person's device: its secret, encrypted, the last time step whose code served, and hashes of the codes on paper.

    `challenge` is what a security key was asked last, at `challenged_at` in seconds since 1970; empty once it was answered.
    """

    user = models.OneToOneField(User, models.PROTECT, related_name="+")
    secret = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0)
    paper = models.JSONField(default=list)
    challenge = models.CharField(max_length=100, blank=True, db_default="")
    challenged_at = models.BigIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"second factor of {self.user}"


@audit.tracked(exclude=["credential", "credential_id", "counter", "used_at"])
class SecurityKey(models.Model):
    """A key that answers in place of a code: its credential with the public key (WebAuthn §6.5.1), and how often it said it signed."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    credential = models.BinaryField()
    credential_id = models.BinaryField(unique=True)
    counter = models.BigIntegerField(db_default=0)
    added_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class AccessRecord(models.Model):
    """A read, sign-in, export or refusal (AU-01): text without foreign keys, so that it outlives its subject."""

    class Kind(models.TextChoices):
        SIGN_IN = "sign_in"
        SIGN_IN_FAILED = "sign_in_failed"
        SIGN_OUT = "sign_out"
        READ = "read"
        EXPORT = "export"
        REFUSAL = "refusal"

    at = models.DateTimeField(db_default=models.functions.Now())
    kind = models.CharField(max_length=20, choices=Kind)
    username = models.CharField(max_length=150, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        triggers = [audit.append_only()]
        indexes = [
            models.Index(fields=["at"]),
            models.Index(Right("subject", 36), name="accessrecord_named"),  # a subject ends with the public id that was asked for
            models.Index(fields=["username", "kind", "at"], name="accessrecord_of_whom"),
        ]
        constraints = [
            models.CheckConstraint(
                name="accessrecord_known_kind",
                condition=Q(kind__in=["sign_in", "sign_in_failed", "sign_out", "read", "export", "refusal"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} by {self.username or 'nobody'}"


class Heartbeat(models.Model):
    """The last sign of life of a part of the platform: `worker`, `edge:01`, `infer`. Counts only, no identity."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class Installation(models.Model):
    """The one row that tells this installation from every other, for as long as its database lives."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(name="installation_is_one", condition=Q(pk=1))]

    def __str__(self) -> str:
        return str(self.uuid)


class LedgerWriter(models.Model):
    """Which database login may append which kind of record; filled by the grants step, read by `ledger_append`."""

    login = models.CharField(max_length=63)
    kind = models.CharField(max_length=30)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["login", "kind"], name="ledgerwriter_once")]

    def __str__(self) -> str:
        return f"{self.login} may append {self.kind}"


class LedgerRow(models.Model):
    """One link of a study's chain (`docs/formats.md`, c). Only the function `ledger_append` writes it; nobody has INSERT."""

    study = models.CharField(max_length=40)
    index = models.PositiveBigIntegerField()
    at_us = models.BigIntegerField(help_text="microseconds since 1970-01-01T00:00:00Z")
    kind = models.CharField(max_length=30)
    body = models.BinaryField()
    nonce = models.BinaryField()
    commitment = models.BinaryField()
    h = models.BinaryField()
    login = models.CharField(max_length=63)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["study", "index"], name="ledger_linear"),
            models.CheckConstraint(
                name="ledger_genesis_first", condition=Q(index=0, kind="genesis") | (Q(index__gt=0) & ~Q(kind="genesis"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} #{self.index} {self.kind}"
