"""One instance on its way from the wire into the spool, and the status it is answered with (PS3.4 annex B, NW-05).

Fragments go straight to a file in `arriving/`. The contract: 0x0000 durable, 0x0117 malformed UID, 0xA700 no room, 0xA701 disk fault,
0xC211 anything unforeseen; whatever the answer, the rest of the dataset is read and nothing else depends on it.
"""

import logging

from imaging.edge import part10
from imaging.edge.dicom import commands
from imaging.edge.dicom.commands import UID, Command
from imaging.edge.dicom.negotiation import COMMITMENT, VERIFICATION, Context
from imaging.edge.spool import Incoming, Spool, SpoolBroken, SpoolFull

log = logging.getLogger(__name__)

SUCCESS, INVALID_INSTANCE, CLASS_NOT_SUPPORTED, OUT_OF_ROOM, DISK_FAULT, UNFORESEEN = 0x0000, 0x0117, 0x0122, 0xA700, 0xA701, 0xC211


class Reception:
    """A C-STORE's dataset: `take` its fragments, then `answer` once; or `drop` it when the connection ends first."""

    def __init__(self, spool: Spool, command: Command, context: Context, caller: str) -> None:
        self.status = SUCCESS
        self.file: Incoming | None = None
        sop_class, sop_instance = commands.uid(command, commands.AFFECTED_CLASS), commands.uid(command, commands.AFFECTED_INSTANCE)
        if not UID.fullmatch(sop_instance) or not UID.fullmatch(sop_class):
            self.status = INVALID_INSTANCE
        elif context.abstract_syntax in (VERIFICATION, COMMITMENT):
            self.status = CLASS_NOT_SUPPORTED
        elif commands.number(command, commands.DATASET_TYPE) == commands.NO_DATASET:
            self.status = UNFORESEEN
        else:
            head = part10.header(sop_class=sop_class, sop_instance=sop_instance, transfer_syntax=context.transfer_syntax, caller=caller)
            try:
                self.file = spool.begin()
                self.file.write(head)
            except Exception as error:
                self._turn_away(error)

    def take(self, fragment: memoryview) -> None:
        """Write the next fragment; after a fault fragments go nowhere."""
        if self.file is not None:
            try:
                self.file.write(fragment)
            except Exception as error:
                self._turn_away(error)

    def answer(self) -> int:
        """Make the instance durable and say so, or say why it is not here."""
        if self.file is not None:
            try:
                self.file.keep()
                self.file = None
            except Exception as error:
                self._turn_away(error)
        return self.status

    def drop(self) -> None:
        """Leave nothing behind."""
        if self.file is not None:
            self.file.drop()
            self.file = None

    def _turn_away(self, error: Exception) -> None:
        """Decide the status of a fault and leave nothing behind."""
        if isinstance(error, SpoolFull):
            log.warning("an instance was turned away: the disk is at its reserve")
            self.status = OUT_OF_ROOM
        elif isinstance(error, SpoolBroken):
            log.error("an instance was turned away: the disk failed; restart the edge after checking it")
            self.status = DISK_FAULT
        else:
            log.error("an instance was turned away by a fault of ours: %s", type(error).__name__)
            self.status = UNFORESEEN
        self.drop()
