"""Outlines that came from the hospital with the images: paired with their series, and handed in once a person says who drew them.

A segmentation or structure set does not say whether its author knew the treatment, nor who he is after de-identification. It therefore
counts nowhere until somebody answers both; then it goes the way of every uploaded outline, with the same checks.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow, advance
from imaging import archive, regions
from imaging.models import Package, ProposedOutline, Roi, Series
from imaging.parsing import Header
from imaging.refusals import Refused
from imaging.series import series_for
from studies.access import require
from studies.models import Participant


def proposals_for(user: User) -> QuerySet[ProposedOutline]:
    """The proposed outlines of the participants whose images a person may see."""
    participants = series_for(user).values("participant")
    return ProposedOutline.objects.filter(participant__in=participants).select_related("participant__study", "center", "object", "roi")


def of_series(series: Series) -> list[ProposedOutline]:
    """What waits for a decision and names this series, or images in it, the oldest first."""
    rows = ProposedOutline.objects.filter(participant=series.participant_id).exclude(state=ProposedOutline.State.DECLINED)
    waiting = [one for one in rows.select_related("roi", "object").order_by("arrived_at", "pk") if is_open(one)]
    return [one for one in waiting if _names(one, series)]


def is_open(proposal: ProposedOutline) -> bool:
    """Whether a person may still decide: nobody did, or what he handed in was refused."""
    refused = proposal.roi is not None and proposal.roi.state == Roi.State.REFUSED
    return proposal.state == ProposedOutline.State.PROPOSED or refused


def _names(proposal: ProposedOutline, series: Series) -> bool:
    if series.part_of is None and series.series_instance_uid in proposal.references.get("series", []):
        return True
    return series.members.filter(sop_instance_uid__in=proposal.references.get("images", [])).exists()


def check_owner(participant: Participant, headers: Sequence[Header]) -> None:
    """Raise Refused when an outline came before as another participant's."""
    known = ProposedOutline.objects.filter(center=participant.center_id, sop_instance_uid__in=[one.sop_instance_uid for one in headers])
    if known.exclude(participant=participant).exists():
        raise Refused("other_participant")


def register(*, package: Package, participant: Participant, headers: Mapping[str, Header], objects: Mapping[str, int]) -> None:
    """Write down the outlines of a package (`headers` and `objects` by SHA-256), once; must stand within `audit.act`."""
    for sha256, header in headers.items():
        ProposedOutline.objects.get_or_create(
            center=participant.center, sop_instance_uid=header.sop_instance_uid, object_id=objects[sha256],
            defaults={"participant": participant, "modality": header.modality, "package": package, "references": header.references},
        )  # fmt: skip


@transaction.atomic
def assign(*, proposal: ProposedOutline, series: Series, by: User, **said: Any) -> Roi:
    """Hand a proposed outline in as `reader`'s, as `regions.upload` does; `said` are its other arguments. Raises what that raises."""
    require(by, regions.UPLOAD, proposal.center)
    assigned = _decided(proposal, ProposedOutline.State.ASSIGNED, by)
    if series.participant_id != proposal.participant_id:
        raise ValidationError(_("The outline is of another participant."))
    roi = regions.upload(series=series, file=_Kept(archive.read(assigned.object.sha256)), by=by, **said)
    with audit.act(by=by, action="outline.assigned"):
        assigned.roi = roi
        assigned.full_clean()
        assigned.save(update_fields=["state", "roi", "decided_at", "decided_by"])
    return roi


@transaction.atomic
def decline(*, proposal: ProposedOutline, reason: str, by: User) -> ProposedOutline:
    """Say that a proposed outline is not wanted; it stays in the archive. Raises ValidationError without a reason."""
    require(by, regions.UPLOAD, proposal.center)
    if not reason.strip():
        raise ValidationError(_("Say why the outline is not wanted."))
    declined = _decided(proposal, ProposedOutline.State.DECLINED, by)
    declined.reason = reason.strip()
    with audit.act(by=by, action="outline.declined", reason=declined.reason):
        declined.full_clean()
        declined.save(update_fields=["state", "reason", "decided_at", "decided_by"])
    return declined


def _decided(proposal: ProposedOutline, to: str, by: User) -> ProposedOutline:
    """The proposal under lock with its decision set but not saved. Raises NotAllowedNow when somebody decided before."""
    decided = advance(proposal, to, field="state")
    if decided.roi is not None and decided.roi.state != Roi.State.REFUSED:
        raise NotAllowedNow(_("This outline was handed in meanwhile. Reload the page."))
    decided.decided_at, decided.decided_by = timezone.now(), by
    return decided


class _Kept(io.BytesIO):
    """Bytes of the archive as a file of a form."""

    @property
    def size(self) -> int:
        return len(self.getbuffer())
