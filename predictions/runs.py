"""Trainings as they tell of themselves while they run, for who watches them: begun or taken up again, heard of, ended.

Only `train --study` writes here, as the operator. Nothing of what a training finds is kept but the hash of its model.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError, ProgrammingError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import UndefinedTable

from accounts.canonical import canonical
from accounts.transitions import advance
from predictions import registry
from predictions.models import TrainingRun
from studies.models import Study

Status = TrainingRun.Status
SILENT = timedelta(minutes=30)
"""A run that was not heard of for so long has died, or is at a fold that takes very long: the page says since when."""


def check_allowed_here() -> None:
    """Nothing where no installation stands: no database answers, or one without tables.

    Raises ValidationError where a real study is blinded (docs/blinding.md §2), whoever asks and wherever the work is to be done.
    """
    try:
        codes = registry.blinded_here()
    except OperationalError:
        return
    except ProgrammingError as fault:
        if isinstance(fault.__cause__, UndefinedTable):
            return
        raise
    if codes:
        raise ValidationError(
            _("%(codes)s is blinded here: a model is trained in an installation of its own.") % {"codes": ", ".join(codes)}
        )


@transaction.atomic
def begin(*, study: Study, kind: str, data_sha256: str, task: Mapping[str, Any]) -> TrainingRun:
    """The run of a task: a new one, or the one that was stopped or killed before its end.

    Raises ValidationError where a real study is blinded on this installation (docs/blinding.md §2).
    """
    check_allowed_here()
    digest, now = hashlib.sha256(canonical({**task, "data": data_sha256})).hexdigest(), timezone.now()
    run = TrainingRun.objects.filter(study=study, task_sha256=digest, status__in=[Status.RUNNING, Status.STOPPED]).first()
    if run is None:
        given = {"kind": kind, "task_sha256": digest, "data_sha256": data_sha256, "begun_at": now, "heard_at": now}
        return TrainingRun.objects.create(study=study, **given)
    if run.status == Status.STOPPED:
        run = advance(run, Status.RUNNING)
    run.heard_at = now
    run.save()
    return run


def heard(run: TrainingRun, done: int, total: int) -> None:
    """It is alive and so far."""
    TrainingRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(done=done, total=total, heard_at=timezone.now())


def trained(run: TrainingRun, *, model_sha256: str) -> TrainingRun:
    """It is done, the model itself too."""
    return _ended(run, Status.TRAINED, model_sha256=model_sha256)


def refused(run: TrainingRun, *, said: str) -> TrainingRun:
    """The data cannot answer, or the numbers are not to be trusted; a sentence says why."""
    return _ended(run, Status.REFUSED, said=said)


def stopped(run: TrainingRun) -> TrainingRun:
    """It was interrupted or broke; who asks for the same again goes on."""
    return _ended(run, Status.STOPPED)


@transaction.atomic
def _ended(run: TrainingRun, status: str, *, said: str = "", model_sha256: str = "") -> TrainingRun:
    run = advance(run, status)
    run.said, run.model_sha256, run.heard_at = said, model_sha256, timezone.now()
    run.done = run.total if status == Status.TRAINED else run.done
    run.save()
    return run
