"""The records of how a study is conducted: approvals, consent versions, deviations, erasures, handovers. No lock holds them."""

from django.utils.translation import gettext_lazy as _

from studies.access import Permission
from studies.models import (
    Assignment,
    ConsentVersion,
    Deviation,
    ErasureRequest,
    EthicsApproval,
    GateDocument,
    Handover,
    ImportRun,
    PastedBlock,
    Reconsent,
)
from studies.trail.kinds import Kind

_AFTER = "how the study is conducted is recorded after its data are locked, too"

CONDUCT = (
    Kind(EthicsApproval, _("Ethics approval"), "center.view", way="center", leads="center", guard=None, unguarded=_AFTER),
    Kind(ConsentVersion, _("Consent version"), "center.view", way="center", leads="center", guard=None, unguarded=_AFTER),
    Kind(GateDocument, _("Opening document"), "center.view", way="center", leads="center", guard=None, unguarded=_AFTER),
    Kind(Reconsent, _("Consent"), Permission.SCREENING_VIEW, way="consent__screening", leads="screening", guard=None, unguarded=_AFTER),
    Kind(Deviation, _("Deviation"), "center.view", study_ways=("center__study",), guard=None, unguarded=_AFTER),
    Kind(
        ErasureRequest, _("Erasure"), Permission.PARTICIPANT_VIEW, guard=None,
        unguarded="what the law demands to be erased waits for no lock",
    ),
    Kind(Assignment, _("Handover"), Permission.PARTICIPANT_VIEW, guard=None, unguarded=_AFTER),
    Kind(Handover, _("Handover"), Permission.PARTICIPANT_VIEW, way="center", leads="center", guard=None, unguarded=_AFTER),
    Kind(
        ImportRun, _("Import"), Permission.STUDY_SETUP, way="study", leads="study", guard=None,
        hidden=frozenset({"content", "cells", "undo"}),
        unguarded="the run only tells of the rows it wrote, and those are held themselves",
    ),
    Kind(
        PastedBlock, _("Pasted report"), Permission.PARTICIPANT_VIEW, guard=None,
        unguarded="the text that was pasted is kept beside the values, which are held themselves",
    ),
)  # fmt: skip
