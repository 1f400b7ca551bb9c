"""Which contrast phase a series is: proposed by the platform, said by a person; and who may see which series."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging.models import Series
from imaging.phase import Phase
from studies import milestones
from studies.access import participants_for, require
from studies.models import Participant
from studies.quality import checking
from studies.vocabulary import MilestoneKind

VIEW, CONFIRM = "image.view", "phase.confirm"
SERIES_PAGE = "series"


def series_for(user: User) -> QuerySet[Series]:
    """The series a person may see, with participant, center and examination joined."""
    visible = Series.objects.filter(participant__in=participants_for(user, VIEW))
    return visible.select_related("participant__study", "center", "imaging_study", "phase_picked_by", "part_of")


@transaction.atomic
def pick_phase(*, series: Series, phase: str, by: User, reason: str = "") -> Series:
    """Say which contrast phase a series is. Picking another one later needs a reason; the same one again changes nothing.

    Raises NotAllowedNow while the series is still being assessed, ValidationError for a missing reason or an unknown phase.
    """
    require(by, CONFIRM, series.center)
    Participant.objects.select_for_update(no_key=True).get(pk=series.participant_id)  # two picks at once must see each other
    series = Series.objects.select_for_update(of=("self",)).select_related("participant__study").get(pk=series.pk)
    if phase not in set(Phase):
        raise ValidationError(_("Choose one of the contrast phases."))
    if not series.verdict:
        raise NotAllowedNow(_("This series is still being received. Wait until its slices are shown, then choose the phase."))
    if series.phase == phase:
        return series
    if series.phase and not reason.strip():
        raise ValidationError(_("Say why the phase is changed: the first choice stays in the history."))
    with audit.act(by=by, action="series.phase_picked", reason=reason.strip()):
        series.phase, series.phase_picked_at, series.phase_picked_by = phase, timezone.now(), by
        series.full_clean()
        series.save(update_fields=["phase", "phase_picked_at", "phase_picked_by"])
        _tell_timeline(series, by)
    checking.on_saved(series.participant)
    return series


def _tell_timeline(series: Series, by: User) -> None:
    """The milestone says that every phase the protocol asks for was confirmed; it goes again when a change takes one away."""
    participant = series.participant
    confirmed = set(Series.objects.filter(participant=participant).values_list("phase", flat=True))
    is_complete = confirmed.issuperset(participant.study.protocol.imaging.phases)
    standing = milestones.in_force().filter(participant=participant, kind=MilestoneKind.PHASE_CONFIRMED).first()
    if is_complete and standing is None:
        milestones.record(
            participant=participant,
            kind=MilestoneKind.PHASE_CONFIRMED,
            on=participant.study.today(),
            by=by,
            ref=series.uuid,
            url_name=SERIES_PAGE,
        )
    elif standing is not None and not is_complete:
        milestones.retract(milestone=standing, by=by)
