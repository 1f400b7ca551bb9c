"""Masked pictures of the hospital's record: filed by who enters, looked at by who verifies, destroyed when they show too much."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from studies.access import participants_for, require
from studies.models import Participant, SourceImage
from studies.quality import masking, queries, store
from studies.quality.masking import Unusable

UPLOAD = "source.upload"
SENTENCES: dict[str, Promise] = {
    "boxes": gettext_lazy(
        "One box a line: left, top, right and bottom in per cent, such as 10 5 60 12; “2: 10 5 60 12” covers part of page 2."
    ),
    "size": gettext_lazy("The file is larger than 20 MiB. Take the picture in a lower resolution."),
    "kind": gettext_lazy("Choose a picture (JPEG or PNG) or a scanned PDF."),
    "pixels": gettext_lazy("The picture has more than 50 million pixels. Take it in a lower resolution."),
    "broken": gettext_lazy("The file cannot be read. Take the picture again."),
    "encrypted": gettext_lazy("The PDF is encrypted. Photograph the page instead."),
    "text_pdf": gettext_lazy("The PDF holds text, which cannot be covered safely. Photograph the page, or scan it as a picture."),
    "pages_pdf": gettext_lazy("Not every page of the PDF is one JPEG picture. Photograph the pages instead."),
    "many_pages": gettext_lazy("At most 20 pages at a time."),
}


def images_for(user: User) -> QuerySet[SourceImage]:
    """The pictures of the participants a person may see that were not removed."""
    rows = SourceImage.objects.filter(participant__in=participants_for(user), removed_at=None)
    return rows.select_related("participant__study", "center", "uploaded_by").order_by("pk")


@transaction.atomic
def file(*, participant: Participant, title: str, data: bytes, boxes: str, nothing_shows: bool, by: User) -> list[SourceImage]:
    """File a picture or a scanned PDF of a source, each page covered where `boxes` say; the file as it came is never stored.

    `nothing_shows` is the person's statement that no name, number or face remains visible. Raises ValidationError.
    """
    require(by, UPLOAD, participant.center)
    title = queries.check_text(title, "title")
    if not nothing_shows:
        raise ValidationError({"nothing_shows": _("Cover every name, number and face, then confirm that none remains visible.")})
    try:
        covering, found = masking.read_boxes(boxes), masking.pages(data)
    except Unusable as fault:
        raise ValidationError({"boxes" if fault.code == "boxes" else "file": str(SENTENCES[fault.code])}) from None
    if beyond := [page for page in covering if not 1 <= page <= len(found)]:
        raise ValidationError({"boxes": _("The file has no page %(page)s.") % {"page": beyond[0]}})
    with audit.act(by=by, action="source.filed"):
        pictures = [_covered(page, covering.get(place, [])) for place, page in enumerate(found, start=1)]
        boxes_of = [len(covering.get(place, [])) for place in range(1, len(found) + 1)]
        rows = [SourceImage(title=title, page=place, boxes=count) for place, count in enumerate(boxes_of, start=1)]
        return [_keep(row, picture, participant, by) for row, picture in zip(rows, pictures, strict=True)]


@transaction.atomic
def remove(*, image: SourceImage, reason: str, by: User) -> SourceImage:
    """Destroy a picture that shows too much or belongs elsewhere, saying why. Raises NotAllowedNow when it is gone already."""
    require(by, UPLOAD, image.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why the picture is removed; the reason stays in the history.")})
    image = SourceImage.objects.select_for_update(of=("self",)).get(pk=image.pk)
    if image.removed_at is not None:
        raise NotAllowedNow(_("This picture was removed already."))
    image.removed_at, image.removed_by = timezone.now(), by
    with audit.act(by=by, action="source.removed", reason=reason.strip()):
        image.save(update_fields=["removed_at", "removed_by"])
    if not SourceImage.objects.filter(sha256=image.sha256, removed_at=None).exists():
        transaction.on_commit(lambda: store.destroy(image.sha256))
    return image


def _covered(page: bytes, boxes: list[masking.Box]) -> masking.Picture:
    try:
        return masking.covered(page, boxes)
    except Unusable as fault:
        raise ValidationError({"file": str(SENTENCES[fault.code])}) from None


def _keep(image: SourceImage, picture: masking.Picture, participant: Participant, by: User) -> SourceImage:
    image.center, image.participant, image.uploaded_at, image.uploaded_by = participant.center, participant, timezone.now(), by
    image.media_type, image.size, image.width, image.height = picture.media_type, len(picture.data), picture.width, picture.height
    image.sha256 = store.put(picture.data)
    save_checked(image)
    return image
