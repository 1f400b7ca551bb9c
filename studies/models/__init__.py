"""Studies, centers, people's roles, the screening log, consent, participants and their milestones.

Every row is written by the functions of `setup`, `screening`, `consent`, `enrollment` and `milestones`, and by nothing
else. What must never be false is a constraint here, or, where Django has no word for it, in migration 0002.
"""

from studies.models.baseline import Baseline
from studies.models.milestone import Milestone
from studies.models.participant import Consent, Participant, Screening
from studies.models.study import Center, Membership, Study

__all__ = ["Baseline", "Center", "Consent", "Membership", "Milestone", "Participant", "Screening", "Study"]
