"""What leaves inside a compressed frame: its samples bit for bit, and nothing that was hidden beside them (DI-02)."""

from collections.abc import Callable

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1

from imaging.edge import frames
from tests.paths import SHARED

DATA = SHARED / "data"
CANARY = b"CANARY"


def test_comments_inside_compressed_frames_do_not_leave_and_the_image_stays() -> None:
    """A JPEG stream may carry APPn and COM segments before the image and any bytes after its end."""
    source = DATA / "04_dicom/pydicom/test_files/SC_rgb_jpeg_gdcm.dcm"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    image = dcmread(source)
    (frame,) = generate_frames(image.PixelData, number_of_frames=1)
    hidden = b"\xff\xe1\0\x08CANARY" + b"\xff\xfe\0\x08CANARY"
    dirty = frame[:2] + hidden + frame[2:] + CANARY
    cleaned = frames.encapsulated(image, encapsulate([dirty]), JPEGLosslessSV1)
    assert CANARY not in cleaned
    (left,) = generate_frames(cleaned, number_of_frames=1)
    assert left.rstrip(b"\0").endswith(b"\xff\xd9")
    before = image.pixel_array
    image.PixelData = cleaned
    assert (image.pixel_array == before).all()


def test_jpeg_2000_comment_does_not_leave() -> None:
    source = DATA / "04_dicom/pydicom/test_files/MR_small_jp2klossless.dcm"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    image = dcmread(source)
    (frame,) = generate_frames(image.PixelData, number_of_frames=1)
    siz = 2 + 2 + int.from_bytes(frame[4:6], "big")
    dirty = frame[:siz] + b"\xff\x64\0\x0a\0\1CANARY" + frame[siz:] + CANARY
    cleaned = frames.encapsulated(image, encapsulate([dirty]), JPEG2000Lossless)
    assert CANARY not in cleaned
    before = image.pixel_array
    image.PixelData = cleaned
    assert (image.pixel_array == before).all()


def hidden_in_jpeg(frame: bytes) -> bytes:
    """The stream with a comment behind the samples, then an end, text, and another end."""
    end = frame.rfind(b"\xff\xd9")
    return frame[:2] + b"\xff\xf1\0\x08CANARY" + frame[2:end] + b"\xff\xfe\0\x08CANARY" + b"\xff\xd9" + CANARY + b"\xff\xd9"


def hidden_in_jpeg_2000(frame: bytes) -> bytes:
    """The codestream with a comment in the header of its first tile-part, an unknown segment, text behind its end and another end."""
    sot = frame.index(b"\xff\x90\0\x0a")
    announced = int.from_bytes(frame[sot + 6 : sot + 10], "big")
    longer = (announced + 12 if announced else 0).to_bytes(4, "big")
    comment = b"\xff\x64\0\x0a\0\1CANARY"
    end = frame.rfind(b"\xff\xd9")
    dirty = frame[:sot] + b"\xff\x6f\0\x08CANARY" + frame[sot : sot + 6] + longer + frame[sot + 10 : sot + 12] + comment
    return dirty + frame[sot + 12 : end + 2] + CANARY + b"\xff\xd9"


def hidden_in_rle(frame: bytes) -> bytes:
    """The frame with text in its unused offsets, between its segments and at its end, and with codes that stand for nothing."""
    planes = int.from_bytes(frame[:4], "little")
    offsets = [int.from_bytes(frame[4 + 4 * i : 8 + 4 * i], "little") for i in range(planes)]
    parts = [frame[low:high] for low, high in zip(offsets, [*offsets[1:], len(frame)], strict=True)]
    dirty = [b"\x80\x80" + part + CANARY + CANARY[: len(part) % 2] for part in parts]
    starts = [64 + sum(map(len, dirty[:i])) for i in range(planes)]
    header = b"".join(number.to_bytes(4, "little") for number in [planes, *starts])
    return (header + CANARY * 11)[:64] + b"".join(dirty)


@pytest.mark.parametrize(("name", "hidden"), [
    ("MR_small_RLE.dcm", hidden_in_rle), ("SC_rgb_rle_16bit.dcm", hidden_in_rle),
    ("MR_small_jpeg_ls_lossless.dcm", hidden_in_jpeg), ("JPGExtended.dcm", hidden_in_jpeg), ("SC_rgb_jpeg_gdcm.dcm", hidden_in_jpeg),
    ("MR_small_jp2klossless.dcm", hidden_in_jpeg_2000), ("693_J2KI.dcm", hidden_in_jpeg_2000),
])  # fmt: skip
def test_nothing_beside_the_samples_of_a_frame_leaves(name: str, hidden: Callable[[bytes], bytes]) -> None:
    """DI-02: what stands between, before and behind the parts of a compressed frame goes; the samples stay bit for bit."""
    source = DATA / "04_dicom/pydicom/test_files" / name
    if not source.exists():
        pytest.skip(f"{source} is not here")
    image = dcmread(source)
    (frame,) = generate_frames(image.PixelData, number_of_frames=1)
    dirty = hidden(frame)
    assert dirty.count(b"CANARY") >= 3
    before = image.pixel_array
    image.PixelData = frames.encapsulated(image, encapsulate([dirty]), image.file_meta.TransferSyntaxUID)
    assert b"CANARY" not in image.PixelData
    assert (image.pixel_array == before).all()
