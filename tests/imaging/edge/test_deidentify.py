"""What leaves the hospital: nothing that was not listed, the same pseudonyms everywhere, dates as they were (DI-01…DI-05)."""

import copy
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import dictionary_keyword, dictionary_VR, keyword_dict, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.edge import deidentify, objections, pseudonyms, rules, vocabulary
from imaging.edge.examination import examine
from tests.imaging.edge.parts import NUMBER, ct, saved
from tests.paths import SHARED

DATA = SHARED / "data"
KEY = bytes(range(32))
CANARY = b"CANARY"
VALUES: dict[str, Any] = {
    **dict.fromkeys(["AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"], "CANARY"),
    **dict.fromkeys(["OB", "OW", "UN", "OD", "OF", "OL", "OV"], CANARY + b"CANARY\0\0\0\0"),
    "UI": "1.2.67.65.78.65.82.89",
}
RAW_TEXT = ["AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"]


def clean(image: Dataset, **changed: Any) -> deidentify.Cleaned:
    given = {"key": KEY, "subject": NUMBER, "software": "prime-edge 0.1.0"} | changed
    return deidentify.deidentify(dcmread(BytesIO(bytes_of(image))), **given)


def bytes_of(image: Dataset) -> bytes:
    out = BytesIO()
    image.save_as(out, enforce_file_format=True)
    return out.getvalue()


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    if vr in (b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT"):
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def poisoned(base: Dataset, *, levels: int = 3, without: frozenset[str] = frozenset()) -> bytes:
    """A file with a canary in every standard text attribute by its own VR, in private tags of every VR, three sequences deep, in the
    preamble, the file meta, an overlay, a curve, behind the pixels, in the trailing padding and behind the end."""
    image = copy.deepcopy(base)
    kept = {
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PixelData",
        "TransferSyntaxUID",
        "Modality",
        "ImageType",
    }
    parts: dict[int, bytes] = {}
    for keyword in sorted(keyword_dict):
        tag = tag_for_keyword(keyword) or 0
        vr = dictionary_VR(tag).split(" ")[0]
        if (
            tag >> 16 > 2
            and keyword not in kept | without | {"BurnedInAnnotation", "ModalityLUTSequence"}
            and vr in RAW_TEXT
            and tag & 0xFFFF
        ):
            parts[tag] = element(tag >> 16, tag & 0xFFFF, vr.encode(), CANARY)
    inner = b"".join(parts[tag] for tag in sorted(parts))
    for number, vr in enumerate([*RAW_TEXT, "OB", "OW", "UN"]):
        parts[0x00091000 + number] = element(0x0009, 0x1000 + number, vr.encode(), CANARY)
    parts[0x00090010] = element(0x0009, 0x0010, b"LO", CANARY)
    for _ in range(levels):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
        for keyword in (
            "ReferencedImageSequence",
            "SharedFunctionalGroupsSequence",
            "OtherPatientIDsSequence",
            "RequestAttributesSequence",
        ):
            tag = tag_for_keyword(keyword) or 0
            parts[tag] = element(tag >> 16, tag & 0xFFFF, b"SQ", item)
        inner = b"".join(parts[tag] for tag in sorted(parts))
        if len(inner) > 2**20:
            break
    parts[0x50003000] = element(0x5000, 0x3000, b"OW", CANARY * 4)
    parts[0x60003000] = element(0x6000, 0x3000, b"OW", CANARY * 4)
    parts[0xFFFCFFFC] = element(0xFFFC, 0xFFFC, b"OB", CANARY * 4)
    for one in image:
        if one.keyword != "PixelData" and (one.tag not in parts or dictionary_VR(one.tag) not in RAW_TEXT):
            lone = Dataset()
            lone.add(one)
            out = BytesIO()
            lone.save_as(out, implicit_vr=False, little_endian=True)
            parts[int(one.tag)] = out.getvalue()
    parts[0x7FE00010] = element(0x7FE0, 0x0010, b"OW", image.PixelData + CANARY)
    meta = element(2, 2, b"UI", str(image.SOPClassUID).encode()) + element(2, 3, b"UI", str(image.SOPInstanceUID).encode())
    meta += element(2, 0x10, b"UI", ExplicitVRLittleEndian.encode()) + element(2, 0x16, b"AE", CANARY) + element(2, 0x100, b"UI", b"1.2.3")
    meta += element(2, 0x102, b"OB", CANARY)
    preamble = (CANARY * 22)[:128]
    body = b"".join(parts[tag] for tag in sorted(parts))
    return preamble + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


def read_quietly(data: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(BytesIO(data))


def test_no_canary_of_any_kind_at_any_depth_leaves() -> None:
    """DI-02: every text attribute DICOM knows, private tags of every VR, sequences in sequences, every hiding place of a file."""
    data = poisoned(ct(1))
    assert data.count(CANARY) > 5000
    source = read_quietly(data)
    out = deidentify.deidentify(source, key=KEY, subject=NUMBER, software="prime-edge 0.1.0").data
    assert CANARY not in out
    assert b"canary" not in out.lower()
    assert out[:128] == bytes(128)
    kept = dcmread(BytesIO(out))
    assert kept.PixelData == ct(1).PixelData
    assert not [one for one in kept.iterall() if one.tag.is_private]


def test_canary_behind_the_end_of_the_dataset_does_not_leave() -> None:
    out = deidentify.deidentify(
        dcmread(BytesIO(bytes_of(ct(1)) + b"\xfc\xff\xfc\xffOB\0\0\6\0\0\0CANARY")), key=KEY, subject=NUMBER, software="x"
    )
    assert CANARY not in out.data


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\\\0"), min_size=3, max_size=16)
    .map(str.strip)
    .filter(lambda t: len(t) > 2)
)
@settings(max_examples=60, deadline=None)
def test_no_free_text_survives_wherever_it_stands(text: str) -> None:
    image = ct(1, SpecificCharacterSet="ISO_IR 192")
    image.StudyDate, tagged = "20260301", text + "‡private‡"
    for keyword in (
        "SeriesDescription",
        "ProtocolName",
        "ContrastBolusAgent",
        "ManufacturerModelName",
        "Manufacturer",
        "StudyDescription",
        "PatientName",
    ):
        setattr(image, keyword, tagged)
    out = clean(image).data
    assert b"private" not in out
    assert "‡".encode() not in out


def test_only_listed_attributes_leave_at_any_depth() -> None:
    allowed = set(rules.RULES) | {
        "PatientID", "PatientName", "PatientBirthDate", "StudyID", "AccessionNumber", "ReferringPhysicianName", "Laterality",
        "PositionReferenceIndicator", "ContentDescription", "ContentCreatorName",
        "PatientIdentityRemoved", "LongitudinalTemporalInformationModified", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
        "CodeValue", "CodingSchemeDesignator", "CodeMeaning",
    }  # fmt: skip
    out = dcmread(BytesIO(deidentify.deidentify(read_quietly(poisoned(ct(1))), key=KEY, subject=NUMBER, software="x").data))
    assert {dictionary_keyword(one.tag) for one in out.iterall()} <= allowed


def test_identity_becomes_the_study_number_and_the_codes_say_what_was_done() -> None:
    """Formats k: full dates, 113106 and UNMODIFIED; no code for what was not done."""
    out = dcmread(BytesIO(clean(ct(1)).data))
    assert (out.PatientID, str(out.PatientName), out.PatientBirthDate, out.PatientSex) == (NUMBER, NUMBER, "", "M")
    assert (out.StudyDate, out.SeriesDate, out.AcquisitionDate, out.AcquisitionTime) == ("20260301", "20260301", "20260301", "081530")
    assert (out.PatientIdentityRemoved, out.LongitudinalTemporalInformationModified) == ("YES", "UNMODIFIED")
    assert [item.CodeValue for item in out.DeidentificationMethodCodeSequence] == ["113100", "113105", "113106", "113108"]
    assert {item.CodingSchemeDesignator for item in out.DeidentificationMethodCodeSequence} == {"DCM"}
    assert out.SeriesDescription == "arterial axial"


@pytest.mark.parametrize(("changed", "age"), [
    ({"PatientAge": "066Y"}, "066Y"),
    ({"PatientAge": "095Y"}, "089Y"),
    ({"PatientAge": "030M"}, "002Y"),
    ({"PatientAge": ""}, "066Y"),
    ({"PatientBirthDate": "19600302"}, "065Y"),
    ({"PatientBirthDate": "19600229", "StudyDate": "20250228"}, "064Y"),
    ({"PatientBirthDate": "19200101"}, "089Y"),
    ({"PatientBirthDate": "20300101"}, None),
    ({"PatientBirthDate": ""}, None),
])  # fmt: skip
def test_age_is_in_completed_years_and_89_at_most(changed: dict[str, str], age: str | None) -> None:
    assert dcmread(BytesIO(clean(ct(1, **changed)).data)).get("PatientAge") == age


def test_uids_are_keyed_and_the_same_wherever_they_stand() -> None:
    """DI-05: `2.25.` and the first 128 bits of HMAC-SHA-256; series, references and frame of reference stay together."""
    first, second = ct(1), ct(2)
    second.ReferencedImageSequence = Sequence([Dataset()])
    second.ReferencedImageSequence[0].ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.ReferencedImageSequence[0].ReferencedSOPClassUID = first.SOPClassUID
    one, two = dcmread(BytesIO(clean(first).data)), dcmread(BytesIO(clean(second).data))
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert one[name].value == two[name].value == pseudonyms.keyed_uid(KEY, first[name].value)
    assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID == one.file_meta.MediaStorageSOPInstanceUID
    assert two.ReferencedImageSequence[0].ReferencedSOPClassUID == first.SOPClassUID == one.SOPClassUID
    assert dcmread(BytesIO(clean(first, key=bytes(32)).data)).SOPInstanceUID != one.SOPInstanceUID


def test_keyed_uid_is_the_documented_function() -> None:
    """By hand: `printf 1.2.3 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f`, first 16 bytes as an integer."""
    assert pseudonyms.keyed_uid(KEY, "1.2.3") == "2.25." + str(int("6d27421a8ebfb7369a2970814c64eddd", 16))


@given(st.sets(st.from_regex(r"1\.2\.[1-9][0-9]{0,30}", fullmatch=True), min_size=2, max_size=50))
def test_keyed_uids_are_valid_and_distinct(uids: set[str]) -> None:
    keyed = {pseudonyms.keyed_uid(KEY, uid) for uid in uids}
    assert len(keyed) == len(uids)
    assert all(UID(uid).is_valid and len(uid) <= 44 for uid in keyed)


def test_output_is_the_same_bytes_each_time_and_implicit_input_gives_the_same() -> None:
    explicit, implicit = ct(1), ct(1)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert clean(explicit).data == clean(explicit).data == clean(implicit).data
    assert dcmread(BytesIO(clean(implicit).data)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize(("changed", "reason"), [
    ({"BurnedInAnnotation": "YES"}, "burned-in"),
    ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "derived-secondary"),
    ({"PixelData": bytes(500)}, "pixel-length"),
    ({"Rows": 4096}, "pixel-length"),
])  # fmt: skip
def test_image_that_is_not_safe_is_refused(changed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """DI-03; and the examination says the same before any link is made."""
    with pytest.raises(objections.Refused, match=reason):
        clean(ct(1, **changed))
    assert (examine(saved(ct(1, **changed), tmp_path / "x")).verdict, examine(tmp_path / "x").reason) == ("quarantine", reason)


def test_overlay_in_the_pixels_own_bits_is_refused() -> None:
    image = ct(1)
    image.add_new(0x60000100, "US", 16)
    with pytest.raises(objections.Refused, match="overlay-in-pixels"):
        clean(image)


@pytest.mark.parametrize(("name", "value", "left"), [
    ("SeriesNumber", b"13800138000", None),
    ("SeriesNumber", b"1204", b"1204"),
    ("SliceLocation", b"110101199003074258", None),
    ("SliceLocation", b"-123.4567890123456789", b"-123.456789"),
    ("ExposureTimeInms", b"CANARY12", None),
    ("ExposureTimeInms", struct.pack("<d", 312.5), struct.pack("<d", 312.5)),
    ("AcquisitionMatrix", b"CANARY12", None),
    ("DimensionIndexValues", b"CANARY12", None),
    ("DimensionIndexPointer", b"CANA", None),
])  # fmt: skip
def test_numbers_that_are_something_else_do_not_leave(name: str, value: bytes, left: bytes | None) -> None:
    """A telephone number, an identity card, letters in binary numbers: a number is as large as those of an image."""
    tag = tag_for_keyword(name) or 0
    image = ct(1)
    image.pop(tag, None)
    data = bytes_of(image)
    place = data.index(struct.pack("<HH", 0x7FE0, 0x0010))
    source = read_quietly(data[:place] + element(tag >> 16, tag & 0xFFFF, dictionary_VR(tag).encode(), value) + data[place:])
    out = dcmread(BytesIO(deidentify.deidentify(source, key=KEY, subject=NUMBER, software="x").data))
    found = out.get_item(tag)
    assert (found.value.rstrip() or None if found and found.value else None) == left


@pytest.mark.parametrize(("name", "codes"), [
    ("3.0 动脉期", ["arterial"]),
    ("LAVA+C 动脉晚期", ["late_arterial", "enhanced", "dynamic"]),
    ("门静脉期", ["portal_venous"]),
    ("CE_ABD_VENOUS", ["portal_venous", "enhanced", "abdomen"]),
    ("平扫 薄层", ["unenhanced", "thin_slice"]),
    ("Delay 3min", ["delayed"]),
    ("t1_vibe_fs_tra_hbp_20min", ["hepatobiliary", "dynamic", "t1", "fat_suppressed", "axial"]),
    ("张三 复查", []),
])  # fmt: skip
@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_phase_words_are_found_in_both_languages_and_charsets(name: str, codes: list[str], charset: str) -> None:
    """peers B7: GBK, labelled or not."""
    assert vocabulary.phase_words(name.encode(charset)) == codes


@pytest.mark.parametrize(("name", "left"), [
    ("SOMATOM Definition AS+", "SOMATOM Definition AS+"),
    ("uCT 760", "uCT 760"),
    ("Br40d\\3", "Br40d 3"),
    ("Zhang Wei 13800138000", ""),
    ("Li 1962", ""),
    ("张三", ""),
])  # fmt: skip
def test_scanner_names_keep_product_words_only(name: str, left: str) -> None:
    assert vocabulary.device_words(name.encode()) == left


def test_rules_are_pinned() -> None:
    """DI-01: the table cannot change unnoticed; a change is a decision, and every package names the table."""
    assert rules.RULES_SHA256 == "29eda0c7c6d12b448449712232af234b372c99aa30ea0fcf9bdf1726fa333fbf"


@pytest.mark.parametrize("folder", ["04_dicom", "03_radiomics/crlm_liver_ct"])
def test_real_images_go_through_or_are_held_with_a_reason(folder: str) -> None:
    if not (DATA / folder).exists():
        pytest.skip(f"{DATA / folder} is not here")
    done = 0
    for path in sorted(path for path in (DATA / folder).rglob("*") if path.is_file()):
        found = examine(path)
        assert found.reason or found.verdict == "instance"
        if found.verdict == "instance":
            source = dcmread(path)
            out = deidentify.deidentify(source, key=KEY, subject=NUMBER, software="x")
            kept = dcmread(BytesIO(out.data))
            assert kept.get("PixelSpacing") == source.get("PixelSpacing")
            name = str(source.get("PatientName") or "").encode(errors="ignore")
            assert len(name) < 6 or name not in out.data
            assert str(source.SOPInstanceUID).encode() not in out.data
            done += 1
    assert done >= 30
