"""Studies, centers, people's roles, the screening log, consent, participants, entries, reference ranges, milestones, queries, locks.

Every row is written by the functions of `setup`, `screening`, `consent`, `enrollment`, `entry`, `milestones`, `consecutive`, `quality` and
`locking`, and by nothing else. What must never be false is a constraint here, or, where Django has no word for it, in migration 0002.
"""

from studies.models.check_run import CheckRun
from studies.models.deviation import Deviation
from studies.models.entry import Draft, Entry
from studies.models.erasure import ErasureRequest
from studies.models.ethics import ConsentVersion, EthicsApproval, Reconsent
from studies.models.exchange import ImportRun
from studies.models.gate import GateDocument
from studies.models.handover import Assignment, Handover
from studies.models.locking import Lock, Meaning, Signature, Strength, UnlockRequest, UnlockStatus
from studies.models.milestone import Milestone
from studies.models.participant import Consent, Participant, Screening
from studies.models.pasted_block import PastedBlock
from studies.models.progress import Progress
from studies.models.query import Query, QueryMessage
from studies.models.reference_range import ReferenceRange
from studies.models.staff import Delegation, Training
from studies.models.study import Center, Membership, Study
from studies.models.surgery_count import SurgeryCount
from studies.models.verification import SourceImage, Verification

__all__ = [
    "Assignment",
    "Center",
    "CheckRun",
    "Consent",
    "ConsentVersion",
    "Delegation",
    "Deviation",
    "Draft",
    "Entry",
    "ErasureRequest",
    "EthicsApproval",
    "GateDocument",
    "Handover",
    "ImportRun",
    "Lock",
    "Meaning",
    "Membership",
    "Milestone",
    "Participant",
    "PastedBlock",
    "Progress",
    "Query",
    "QueryMessage",
    "Reconsent",
    "ReferenceRange",
    "Screening",
    "Signature",
    "SourceImage",
    "Strength",
    "Study",
    "SurgeryCount",
    "Training",
    "UnlockRequest",
    "UnlockStatus",
    "Verification",
]
