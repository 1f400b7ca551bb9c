"""Pictures of the source: covered before they are stored, nothing but pixels kept, destroyed on wish (SE-06)."""

import io
import zlib
from collections.abc import Sequence

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from accounts.models import AccessRecord
from prime_platform import verification
from studies.models import SourceImage
from studies.quality import masking, source_images, store
from studies.quality.masking import Unusable
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_query_pages import page_as, post_as

NAME = "Zhang San 13812345678"


def picture(
    kind: str = "JPEG", *, size: tuple[int, int] = (200, 100), orientation: int = 1, colour: tuple[int, int, int] = (250, 250, 250)
) -> bytes:
    """A plain page with a name in its notes, lying as a telephone held it."""
    image = Image.new("RGB", size, colour)
    notes = image.getexif()
    notes[0x0112], notes[0x010E] = orientation, NAME
    written = io.BytesIO()
    image.save(written, format=kind, exif=notes)
    return written.getvalue()


def pdf(*pages: bytes, extra: bytes = b"", order: Sequence[int] = (), packed: bool = False) -> bytes:
    """The least that is a PDF of scanned pages; `order` says which picture each page shows, `packed` hides the tree in an object stream."""
    shown = order or range(len(pages))
    tree = {1: f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{place + 2}0 0 R' for place in shown)}] >>"}
    for place in shown:
        tree[int(f"{place + 2}0")] = f"<< /Type /Page /Parent 1 0 R /Resources << /XObject << /Im0 {place + 2} 0 R >> >> >>"
    parts = [
        b"%PDF-1.4\n",
        *([_object_stream(tree)] if packed else [f"{key} 0 obj\n{body}\nendobj\n".encode() for key, body in tree.items()]),
    ]
    for number, page in enumerate(pages, start=2):
        head = f"{number} 0 obj\n<< /Subtype /Image /Filter /DCTDecode /Length {len(page)} >>\nstream\n"
        parts += [head.encode(), page, b"\nendstream\nendobj\n"]
    return b"".join([*parts, extra, b"%%EOF\n"])


def _object_stream(objects: dict[int, str]) -> bytes:
    heads, bodies = [], ""
    for number, body in objects.items():
        heads.append(f"{number} {len(bodies)}")
        bodies += body + " "
    first = " ".join(heads) + " "
    data = zlib.compress((first + bodies).encode())
    return f"99 0 obj << /Type /ObjStm /N {len(objects)} /First {len(first)} >>\nstream\n".encode() + data + b"\nendstream\nendobj\n"


PACKED = b"9 0 obj << /Type /ObjStm >>\nstream\n" + zlib.compress(b"<< /Font 3 0 R >>") + b"\nendstream\n"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_box_is_painted_and_only_it():
    """10 % to 60 % of 200 px is 20 to 120, 20 % to 50 % of 100 px is 20 to 50."""
    [boxes] = masking.read_boxes("10 20 60 50").values()
    kept = opened(masking.covered(picture("PNG"), boxes).data)
    assert kept.getpixel((20, 20)) == kept.getpixel((119, 49)) == (0, 0, 0)
    assert kept.getpixel((19, 19)) == kept.getpixel((125, 55)) == (250, 250, 250)


def test_box_follows_the_picture_as_it_is_seen():
    """Orientation 6: stored lying, seen upright; the box is given in what is seen (100 wide, 200 high)."""
    [boxes] = masking.read_boxes("0 0 100 10").values()
    kept = masking.covered(picture("PNG", orientation=6), boxes)
    assert (kept.width, kept.height) == (100, 200)
    assert opened(kept.data).getpixel((50, 5)) == (0, 0, 0)
    assert opened(kept.data).getpixel((50, 40)) == (250, 250, 250)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_no_note_of_the_file_survives(kind):
    before = picture(kind, orientation=6)
    assert NAME.encode() in before
    kept = masking.covered(before, [])
    assert NAME.encode() not in kept.data
    assert not opened(kept.data).getexif()
    assert set(opened(kept.data).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert kept.media_type == f"image/{kind.lower()}"


def test_large_picture_is_made_smaller_and_still_covered():
    [boxes] = masking.read_boxes("0 0 50 50").values()
    kept = masking.covered(picture("PNG", size=(4000, 1000)), boxes)
    assert (kept.width, kept.height) == (3000, 750)
    assert opened(kept.data).getpixel((1499, 374)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GIF89a" + b"\0" * 50, "kind"),
        (b"<html>", "kind"),
        (b"\xff\xd8\xff" + b"\0" * 2**20 * 20, "size"),
        (pdf(picture(), extra=b"9 0 obj << /Type /Font >> endobj\n"), "text_pdf"),
        (
            pdf(picture(), extra=b"9 0 obj << /Type /ObjStm >>\nstream\n" + zlib.compress(b"<< /Font 3 0 R >>") + b"\nendstream\n"),
            "text_pdf",
        ),
        (pdf(picture(), extra=b"9 0 obj << /Type /Page >> endobj\n"), "pages_pdf"),
        (pdf(picture(), extra=b"trailer << /Encrypt 4 0 R >>\n"), "encrypted"),
        (pdf(*[picture(size=(8, 8))] * 21), "many_pages"),
        (b"%PDF-1.7\n%%EOF\n", "pages_pdf"),
    ],
)
def test_file_that_cannot_be_covered_safely_is_refused(data, code):
    with pytest.raises(Unusable) as refused:
        masking.pages(data)
    assert refused.value.code == code
    assert code in source_images.SENTENCES


@pytest.mark.parametrize("packed", [False, True])
def test_pages_are_counted_as_the_reader_of_the_file_sees_them(packed):
    """A box for page 2 covers page 2, in whatever order the pictures lie in the file."""
    drawn = [picture(size=(8 + place, 8)) for place in range(3)]

    def widths(**how: object) -> list[int]:
        return [opened(page).width for page in masking.pages(pdf(*drawn, packed=packed, **how))]  # type: ignore[arg-type]

    assert widths() == [8, 9, 10]
    assert widths(order=(2, 0, 1)) == [10, 8, 9]


def test_pdf_whose_order_cannot_be_told_is_refused():
    """A page without a picture of its own, or a tree that leads nowhere: photographed instead of guessed."""
    two = pdf(picture(), picture(size=(9, 9)))
    for broken in (two.replace(b"/Im0 3 0 R", b"/Im0 2 0 R"), two.replace(b"/Im0 3 0 R", b"/Im0 9 0 R"), two.replace(b"/Kids", b"/Lids")):
        with pytest.raises(Unusable) as refused:
            masking.pages(broken)
        assert refused.value.code == "pages_pdf"


def test_broken_picture_is_refused():
    with pytest.raises(Unusable) as refused:
        masking.covered(picture()[:400], [])
    assert refused.value.code == "broken"


@pytest.mark.parametrize("text", ["10 20 30", "10 20 5 30", "0 0 101 10", "a b c d", "-1 0 10 10", "10 20 30 40 50", "1 " * 4 + "\n" + "x"])
def test_box_that_cannot_be_is_refused(text):
    with pytest.raises(Unusable):
        masking.read_boxes(text)


def test_boxes_are_read_by_page():
    assert sorted(masking.read_boxes("10 5 60 12\n2: 0,0,50.5,20\n\n 2：1 1 2 2 ")) == [1, 2]


@pytest.fixture
def site(world, tmp_path, settings):
    settings.VAR = tmp_path
    return world, worlds.enrolled(world), tmp_path


def file(site, data, **changes):
    world, participant, _ = site
    given = {"title": "operation note", "boxes": "", "nothing_shows": True, "by": world.coordinator, **changes}
    return source_images.file(participant=participant, data=data, **given)


def test_scanned_pdf_becomes_its_pages_and_no_uncovered_byte_is_on_disk(site):
    pages = [picture(colour=(250, 250, 250)), picture(colour=(90, 200, 90))]
    first, second = file(site, pdf(*pages), boxes="2: 0 0 100 50")
    assert (first.page, first.boxes, second.page, second.boxes) == (1, 0, 2, 1)
    assert opened(store.read(second.sha256)).getpixel((100, 20)) == (0, 0, 0)
    stored = [path.read_bytes() for path in site[2].rglob("*") if path.is_file()]
    assert len(stored) == 2
    assert not any(page in kept or NAME.encode() in kept for page in pages for kept in stored)


def test_picture_needs_the_statement_a_title_and_the_permission(site):
    with pytest.raises(ValidationError):
        file(site, picture(), nothing_shows=False)
    with pytest.raises(ValidationError):
        file(site, picture(), title=" ")
    with pytest.raises(ValidationError):
        file(site, picture(), boxes="2: 0 0 10 10")
    with pytest.raises(PermissionDenied):
        file(site, picture(), by=site[0].people[Role.MONITOR])
    assert not SourceImage.objects.exists()


def test_page_files_shows_and_destroys(site, django_capture_on_commit_callbacks):
    """The monitor sees it beside the values and that is recorded; removed, its bytes are gone and its row says so."""
    world, participant, folder = site
    client = Client()
    client.force_login(world.coordinator)
    address = reverse("source-new", args=[participant.uuid])
    assert client.get(address).status_code == 200
    sent = {"title": "operation note", "boxes": "0 0 100 20"}
    upload = SimpleUploadedFile("IMG_0001.jpg", picture(), "image/jpeg")
    refused = client.post(address, {**sent, "file": upload})
    assert refused.status_code == 400
    assert "0 0 100 20" in refused.content.decode()
    upload.seek(0)
    assert client.post(address, {**sent, "file": upload, "nothing_shows": "on"}).status_code == 302
    image = SourceImage.objects.get()
    monitor = world.people[Role.MONITOR]
    assert reverse("source-image", args=[image.uuid]) in page_as(monitor, "verification", participant.uuid).content.decode()
    shown = page_as(monitor, "source-image", image.uuid)
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert shown["Content-Disposition"].startswith("attachment")
    assert opened(shown.content).getpixel((100, 10)) == (0, 0, 0)
    assert AccessRecord.objects.filter(kind="read", subject=f"source-image {image.uuid}", username=monitor.username).count() == 1
    assert list(store.verify()) == []
    assert post_as(monitor, "source-remove", image.uuid, reason="a name shows").status_code == 403
    with django_capture_on_commit_callbacks(execute=True):
        assert post_as(world.coordinator, "source-remove", image.uuid, reason="a name shows").status_code == 302
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert page_as(monitor, "source-image", image.uuid).status_code == 404
    image.refresh_from_db()
    assert image.removed_by == world.coordinator
    assert list(store.verify()) == []


def test_upload_over_the_cap_is_dropped_with_a_sentence(site, monkeypatch):
    world, participant, _ = site
    monkeypatch.setattr(masking, "LARGEST", 1000)
    client = Client()
    client.force_login(world.coordinator)
    sent = {"title": "note", "nothing_shows": "on", "file": SimpleUploadedFile("a.jpg", b"\xff\xd8\xff" + b"\0" * 200_000, "image/jpeg")}
    answer = client.post(reverse("source-new", args=[participant.uuid]), sent)
    assert answer.status_code == 400
    assert not SourceImage.objects.exists()


def test_form_without_its_token_is_refused(site):
    """The upload handler comes before the token is read; the token is checked all the same."""
    world, participant, _ = site
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.coordinator)
    sent = {"title": "note", "nothing_shows": "on", "file": SimpleUploadedFile("a.jpg", picture(), "image/jpeg")}
    assert client.post(reverse("source-new", args=[participant.uuid]), sent).status_code == 403


def test_altered_picture_is_found(site):
    [image] = file(site, picture())
    path = site[2] / "sources" / image.sha256[:2] / image.sha256
    path.write_bytes(path.read_bytes() + b"x")
    assert list(store.verify()) == [f"Source {image.sha256} was altered on disk."]
    assert verification.faults()["sources"] == list(store.verify())
