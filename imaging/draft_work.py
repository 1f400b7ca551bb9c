"""What the worker does about a box: have the segmenter draft in a limited process, and keep what it marks. Found due by sweep.

Work is done under the lock of the draft's row; a killed worker lets go of it and the next sweep begins again.
"""

import logging
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction

from accounts import audit
from accounts.models import User
from accounts.transitions import advance
from imaging import archive, parsing, region_checks
from imaging.models import Draft, Series

log = logging.getLogger(__name__)
MOVED = {"code": "moved", "message": "The series changed after the box was drawn. Draw it again.", "params": {}}
UNREADABLE = {"code": "unreadable", "message": "The segmenter or the series cannot be read (%(code)s).", "params": {}}


def sweep() -> int:
    """Draft in every box that waits; returns how many were answered."""
    due = Draft.objects.filter(state=Draft.State.ASKED).order_by("asked_at", "pk").values_list("pk", flat=True)
    return sum(_attempt(draft_id) for draft_id in list(due))


def _attempt(draft_id: int) -> bool:
    try:
        return draft_once(draft_id=draft_id)
    except (OSError, archive.ArchiveFault, parsing.ParserStopped, OperationalError) as fault:
        log.error("draft %s is made later: %s", draft_id, fault)
        return False


@transaction.atomic
def draft_once(*, draft_id: int) -> bool:
    """Draft in one box; False when another worker has it or nothing is due."""
    due = Draft.objects.filter(pk=draft_id, state=Draft.State.ASKED)
    draft = due.select_for_update(of=("self",), skip_locked=True).select_related("series").first()
    if draft is None:
        return False
    with archive.workplace(f"draft-{draft.pk}") as directory:  # the row's lock is ours
        said = _ask(draft, directory)
        now = Series.objects.get(pk=draft.series_id)
        if now.revision != draft.revision:
            said = {"findings": [MOVED]}
        _write(draft, said, directory / region_checks.FILE)
    return True


def _ask(draft: Draft, directory: Path) -> dict[str, Any]:
    try:
        images = region_checks.images(draft.series)
        return parsing.draft(images, directory / region_checks.FILE, box=draft.box, segmenter=settings.PRIME_SEGMENTER)
    except parsing.Unparseable as error:
        return {"findings": [UNREADABLE | {"params": {"code": error.code}}]}


def _write(draft: Draft, said: dict[str, Any], file: Path) -> None:
    with audit.act(by=User.objects.system(), action="draft.made"):
        draft.findings = said["findings"]
        if draft.findings:
            draft.state = advance(draft, Draft.State.FAILED, field="state").state
        else:
            draft.object = region_checks.archived(file, region_checks.AS_NIFTI)
            draft.segmenter, draft.voxels, draft.outlines = said["segmenter"], said["voxels"], said["outlines"]
            draft.state = advance(draft, Draft.State.DRAFTED, field="state").state
        draft.save()
