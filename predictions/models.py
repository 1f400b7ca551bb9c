"""What is known of models and seals. No column holds a prediction; of these tables a login of the site reads what the page Models shows.

The artefact of a model is a file on the inference host; here stand its hash, its intended use and its state. A seal holds
ciphertext, wraps and the body of its ledger record. Relations from here to patients have no way back (`related_name="+"`).
"""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models import Participant, Study


class Tier(models.TextChoices):
    """Which inputs a model version declares (PR-04); tier 2 (+ slide) comes with the slide room."""

    CLINICAL = "0", "clinical"
    CLINICAL_CT = "1", "clinical + two CT phases"


@audit.tracked()
class ModelVersion(models.Model):
    """One registered model: immutable but for its state (MD-04, MD-05)."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        VALIDATED = "validated"
        LOCKED = "locked"
        RETIRED = "retired"

    TRANSITIONS = {
        Status.DRAFT: {Status.VALIDATED, Status.RETIRED},
        Status.VALIDATED: {Status.LOCKED, Status.RETIRED},
        Status.LOCKED: {Status.RETIRED},
        Status.RETIRED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    tier = models.CharField(max_length=1, choices=Tier)
    artefact_sha256 = models.CharField(max_length=64)
    data_sha256 = models.CharField(max_length=64)
    commit = models.CharField(max_length=40)
    intended_use = models.TextField()
    report_sha256 = models.CharField(max_length=64, blank=True, help_text="of the report it was validated by")
    signed_by = models.CharField(max_length=2, blank=True, help_text="letters of the two custodians who approved the lock")
    signatures = models.JSONField(default=dict, blank=True, help_text="letter → signature on the statement of `registry.to_sign`")
    card = models.JSONField(default=dict, blank=True, help_text="the public part of the report it was validated by (`card.public`)")
    status = models.CharField(max_length=20, choices=Status, default=Status.DRAFT)
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "artefact_sha256"], name="modelversion_artefact_once"),
            models.UniqueConstraint(fields=["study", "tier"], condition=Q(status="locked"), name="modelversion_one_locked_per_tier"),
            models.CheckConstraint(
                name="modelversion_locked_is_validated_and_signed_by_two",
                condition=~Q(status="locked") | Q(report_sha256__regex="^[0-9a-f]{64}$", signed_by__in=["AB", "AC", "BC"]),
                violation_error_message="A model is locked with a report and the signatures of two custodians.",
            ),
            models.CheckConstraint(
                name="modelversion_hashes",
                condition=Q(artefact_sha256__regex="^[0-9a-f]{64}$", data_sha256__regex="^[0-9a-f]{64}$", commit__regex="^[0-9a-f]{40}$"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (tier {self.tier})"


class TrainingRun(models.Model):
    """One training as it tells of itself while it runs: how far it is and how it ended; what was found stays with the model."""

    class Status(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"
        TRAINED = "trained"
        REFUSED = "refused"

    TRANSITIONS = {
        Status.RUNNING: {Status.STOPPED, Status.TRAINED, Status.REFUSED},
        Status.STOPPED: {Status.RUNNING},
        Status.TRAINED: set(),
        Status.REFUSED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=[("strategy", _("four strategies")), ("prime-r", "PRIME-R"), ("prime-s", "PRIME-S")])
    task_sha256 = models.CharField(max_length=64, help_text="of table, program and everything that was asked for: who asks again goes on")
    data_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    begun_at = models.DateTimeField()
    heard_at = models.DateTimeField()
    said = models.TextField(blank=True, help_text="why it was refused")
    model_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study", "task_sha256"], condition=Q(status__in=["running", "stopped"]), name="trainingrun_one_open_per_task"
            ),
            models.CheckConstraint(
                name="trainingrun_model_iff_trained",
                condition=Q(status="trained", model_sha256__regex="^[0-9a-f]{64}$") | (~Q(status="trained") & Q(model_sha256="")),
            ),
            models.CheckConstraint(name="trainingrun_done_within_total", condition=Q(done__lte=models.F("total"))),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {self.done} of {self.total}"


@audit.tracked()
class Custodian(models.Model):
    """The public key of one of a study's three custodians; the secret never comes near the platform."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    letter = models.CharField(max_length=1, choices=[("A", "A"), ("B", "B"), ("C", "C")])
    public_key = models.JSONField()
    fingerprint = models.CharField(max_length=71)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "letter"], name="custodian_once"),
            models.UniqueConstraint(fields=["study", "fingerprint"], name="custodian_holds_one_letter"),
            models.CheckConstraint(name="custodian_letter", condition=Q(letter__in=["A", "B", "C"])),
        ]

    def __str__(self) -> str:
        return f"custodian {self.letter} of {self.study}"


class Batch(models.Model):
    """One blind run over everybody due: its instant is the only time a seal has."""

    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["study", "at"], name="batch_once")]

    def __str__(self) -> str:
        return f"batch of {self.study} at {self.at:%Y-%m-%d %H:%M}"


class Snapshot(models.Model):
    """The exact inputs a prediction saw, as canonical bytes, known by their digest; replay starts from them."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    tier = models.CharField(max_length=1, choices=Tier)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["participant", "tier", "sha256"], name="snapshot_once")]

    def __str__(self) -> str:
        return self.sha256


class Seal(models.Model):
    """One sealed prediction. Every outcome of the model looks the same here (SL-05)."""

    class Purpose(models.TextChoices):
        CONFIRMATORY = "confirmatory"
        EXPLORATORY = "exploratory"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="seals")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    tier = models.CharField(max_length=1, choices=Tier)
    purpose = models.CharField(max_length=20, choices=Purpose, default=Purpose.CONFIRMATORY)
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="+")
    ciphertext = models.BinaryField()
    wrap_ab = models.BinaryField()
    wrap_ac = models.BinaryField()
    wrap_bc = models.BinaryField()
    body = models.JSONField(help_text="the body of the ledger record: associated data, suite, three hashes")
    ledger_index = models.PositiveBigIntegerField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(
                fields=["participant", "tier"], condition=Q(purpose="confirmatory"), name="seal_one_confirmatory_per_tier"
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.ledger_index}"


class Rewrap(models.Model):
    """New wraps of a seal's key, for the three custodians after one was replaced; the newest count (docs/custodian.md)."""

    seal = models.ForeignKey(Seal, models.PROTECT, related_name="rewraps")
    ledger_index = models.PositiveBigIntegerField(help_text="the activation record that lists H(wraps)")
    wrap_ab = models.BinaryField()
    wrap_ac = models.BinaryField()
    wrap_bc = models.BinaryField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["seal", "ledger_index"], name="rewrap_once")]

    def __str__(self) -> str:
        return f"wraps of {self.seal} since row {self.ledger_index}"
