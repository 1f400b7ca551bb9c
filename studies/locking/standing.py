"""What is locked: asked by write functions that want to say so in a sentence before the trigger of `guards` refuses."""

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.transitions import NotAllowedNow
from studies.models import Lock, Participant, Study
from studies.vocabulary import Phase


def covering(participant: Participant) -> list[Lock]:
    """The locks and freezes over a participant as a whole, also those that are open for a while; the widest first."""
    over = Q(center=None) | Q(center=participant.center_id, participant=None) | Q(participant=participant.pk)
    rows = Lock.objects.filter(over, study=participant.study_id, record="", released_at=None)
    return sorted(rows.select_related("locked_by", "center", "participant", "study"), key=lambda row: (bool(row.center_id), row.pk))


def check_open(participant: Participant) -> None:
    """Raise NotAllowedNow while a lock is in force over the participant: the sentence before the trigger would refuse."""
    standing = covering(participant)
    if any(row.in_force() for row in standing):
        raise NotAllowedNow(_("This is locked. If a correction is needed, ask for an unlock with a reason."))
    check_study_open(participant.study, standing)


def check_study_open(study: Study, standing: list[Lock] | None = None) -> None:
    """The same for the phase of the study, unless its lock is open for a while."""
    if study.phase not in {Phase.LOCKED, Phase.PUBLISHED}:
        return
    rows = standing if standing is not None else list(Lock.objects.filter(study=study, center=None, released_at=None))
    if not any(row.center_id is None and not row.in_force() for row in rows):
        raise NotAllowedNow(_("The study is locked; a correction now needs the data manager."))
