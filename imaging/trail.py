"""The records of this room as people may ask about them. What machines find out about images is not signed and waits for no lock."""

from collections.abc import Iterable
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from imaging.models import Draft, FeatureSet, Gateway, ProposedOutline, Roi, Series
from imaging.series import VIEW
from studies.models import Participant
from studies.trail.kinds import Guard, Kind

_PICKED = frozenset({"phase"})

KINDS = (
    Kind(
        Series, _("Series"), VIEW, signed=True, signed_columns=_PICKED, hidden=frozenset({"facts", "findings"}),
        guard=Guard(on="UPDATE", when="OLD.phase IS DISTINCT FROM NEW.phase"),
        words={
            "phase": _("Phase"), "phase_proposed": _("Proposed phase"), "phase_picked_at": _("Picked at"),
            "phase_picked_by_id": _("Picked by"), "verdict": _("Geometry"),
            "part": _("Pass"),
        },
    ),
    Kind(
        Roi, _("Outline"), VIEW, way="series__participant", hidden=frozenset({"findings"}),
        guard=Guard(on="INSERT OR UPDATE", when="NEW.state IN ('received', 'voided')"),
        words={
            "reader": _("Reader"), "session": _("Drawn as"), "treatment_known": _("Treatment known to the reader"), "state": _("State"),
            "reason": _("Reason"), "file_format": _("Format of the file"), "segment": _("Number of the region"),
            "origin": _("How it was made"),
        },
    ),
    Kind(
        Draft, _("Machine draft of an outline"), VIEW, way="series__participant", hidden=frozenset({"findings"}),
        guard=Guard(on="INSERT OR UPDATE", when="NEW.state IN ('asked', 'taken', 'dropped')"),
        words={"box": _("Box"), "segmenter": _("Drafted by"), "state": _("State")},
    ),
    Kind(
        ProposedOutline, _("Outline that came with the images"), VIEW, hidden=frozenset({"references", "sop_instance_uid"}),
        guard=Guard(on="UPDATE", when="OLD.state IS DISTINCT FROM NEW.state"),
        words={"state": _("State"), "reason": _("Reason")},
    ),
    Kind(
        Gateway, _("Gateway"), "gateway.view", way="center", leads="center", guard=None,
        unguarded="a hospital's door is changed whether or not its data are locked",
    ),
)  # fmt: skip


def features_of(participant: Participant) -> Iterable[UUID]:
    """The public ids under which his measured features are exported."""
    return FeatureSet.objects.filter(roi__series__participant=participant).values_list("uuid", flat=True)
