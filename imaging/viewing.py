"""Which series a reader may page through: those that are measured, each slice kept by the worker as 16-bit grey levels. Found by sweep.

The web process then windows pictures that the worker drew; it decodes no DICOM.
"""

import logging

from django.db import OperationalError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import audit
from accounts.models import User
from imaging import archive, assessment, parsing, slices
from imaging.features import INPUTS
from imaging.models import KeySlice, Series
from imaging.windows import WHOLE

log = logging.getLogger(__name__)


def due() -> QuerySet[Series]:
    """The series of a measured phase, confirmed or proposed, whose present slices can be drawn and were not kept yet."""
    kept = KeySlice.objects.filter(series=OuterRef("pk"), revision=OuterRef("revision"), window=WHOLE)
    measured = Q(phase__in=INPUTS) | Q(phase="", phase_proposed__in=INPUTS)
    return Series.objects.filter(~Exists(kept), measured, assessed_revision=F("revision"), unreadable="").order_by("changed_at", "pk")


def sweep() -> int:
    """Keep the slices of every series that is due; returns how many series were kept."""
    return sum(_attempt(series_id) for series_id in list(due().values_list("pk", flat=True)))


def _attempt(series_id: int) -> bool:
    try:
        return keep_once(series_id=series_id)
    except (OSError, archive.ArchiveFault, parsing.ParserStopped, OperationalError) as fault:
        log.error("the slices of series %s are kept later: %s", series_id, fault)
        return False


@transaction.atomic
def keep_once(*, series_id: int) -> bool:
    """Keep every slice of one series, all or none; False when another worker has it, it changed, or it cannot be drawn."""
    series = due().filter(pk=series_id).first()
    if series is None or not assessment.claimed(series.imaging_study_id):
        return False
    instances = list(series.members.select_related("object").order_by("pk"))
    try:
        slices.draw_all(series, assessment.judge(instances), instances)
    except parsing.Unparseable as error:
        log.warning("the slices of series %s cannot be kept (%s)", series.uuid, error.code)
        with audit.act(by=User.objects.system(), action="series.assessed"):
            Series.objects.filter(pk=series.pk, revision=series.revision).update(unreadable=error.code)
        return False
    return True
