"""Which records of which room people may ask about, sign and lock; and the tracked models that are none, with the reason."""

from accounts.models import SecondFactor, SecurityKey, User
from followup import trail as followup_trail
from imaging import trail as imaging_trail
from studies.trail import conduct, kinds, own

KINDS = (*own.OWN, *conduct.CONDUCT, *imaging_trail.KINDS, *followup_trail.KINDS)

NOT_RECORDS: dict[str, str] = {
    SecurityKey._meta.label: "a person's security key; that it was added or removed is in its own history",
    SecondFactor._meta.label: "a person's device; that it was set up, used or taken back is in its own history",
    User._meta.label: "a person of the platform belongs to no study; the access review shows its changes",
}
"""Tracked models without a kind: label → why."""


def register() -> None:
    """Make the records of every room known to history, signatures and locks."""
    kinds.register(KINDS)
    kinds.BESIDE[:] = [imaging_trail.features_of]
