"""Series names as Chinese and foreign scanners write them, through the hospital's de-identification to the proposed phase (EL-04, DI-02).

Each expectation is what a radiographer reads in the name; `None` where nobody could tell.
"""

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from imaging.edge.deidentify import deidentify
from imaging.edge.vocabulary import phase_words
from imaging.phase import Evidence, Phase, Reason, propose

PRE, ART, PV, DEL, HBP = Phase.PRECONTRAST, Phase.ARTERIAL, Phase.PORTAL_VENOUS, Phase.DELAYED, Phase.HEPATOBILIARY
NAMES: list[tuple[str, Phase | None]] = [
    # Chinese, as typed at the console
    ("上腹部平扫", PRE), ("肝脏增强扫描前", PRE), ("腹部 平扫 5.0mm", PRE),
    ("动脉期", ART), ("肝脏三期增强_动脉期 1.25mm", ART), ("动脉晚期", ART), ("晚动脉期", ART), ("动脉期晚期", ART), ("动脉早期", ART),
    ("门脉期", PV), ("门静脉期", PV), ("上腹增强 静脉期", PV), ("静脉期薄层", PV),
    ("延迟期", DEL), ("延迟期3分钟", DEL), ("平衡期", DEL), ("延时扫描", DEL),
    ("肝胆期", HBP), ("肝胆特异期 20min", HBP),
    # vendors' and radiographers' abbreviations on CT
    ("ART 1.25mm", ART), ("Abdomen  AP  5.0  B30f", ART), ("HAP", ART), ("LAP", ART), ("C+A", ART), ("A 5.0mm", ART), ("+C A", ART),
    ("Liver_Art_1.0_I30f_3", ART), ("A期", ART), ("ＡＰ　５．０", ART),
    ("PV", PV), ("PVP 1.0 Br40", PV), ("VP", PV), ("C+V", PV), ("V 5.0mm", PV), ("PortVen 3.0", PV), ("Abd Venous Phase", PV), ("V期", PV),
    ("DL", DEL), ("DP 5.0", DEL), ("C+D", DEL), ("D 5.0mm", DEL), ("DELAY 180S", DEL), ("EQ phase", DEL), ("Equilibrium", DEL),
    ("NC", PRE), ("C- 5.0mm", PRE), ("Abdomen C－", PRE), ("NECT", PRE), ("w/o contrast", PRE), ("PreContrast", PRE), ("PLAIN", PRE),
    # dynamic T1 of MR
    ("t1_vibe_fs_tra_bh_pre", PRE), ("LAVA-Flex 动脉期", ART), ("t1_vibe_dixon_tra_bh_ART_W", ART), ("eTHRIVE_PV", PV),
    ("t1_vibe_fs_tra_dyn_venous", PV), ("mDIXON delayed", DEL), ("t1_vibe_fs_tra_HBP_20min", HBP), ("WATER: LAVA HB", HBP),
    # nobody could tell
    ("上腹部增强", None), ("肝脏三期增强 平扫+动脉期+门脉期", None), ("C+", None), ("Axial 5.0", None), ("P", None), ("T2 FS", None),
    # no phase of their own
    ("Metal artifact reduction", None), ("C-spine", None), ("定位像 AP", None), ("Scout AP", None), ("PreMonitoring", None),
    ("动脉期 减影", None), ("ART MIP", None), ("小剂量测试 动脉", None),
]  # fmt: skip
ENCODINGS = ["gbk", "gb18030", "utf-8"]
LABELS = {"gbk": ["", "ISO_IR 100", "GBK"], "gb18030": ["GB18030", "ISO_IR 6"], "utf-8": ["ISO_IR 192", "ISO_IR 100"]}
"""How hospitals label each encoding: rightly, wrongly, or not at all."""


def proposed(words: str) -> Phase | None:
    phase = propose(Evidence("MR", words=words)).phase
    return None if phase is Phase.UNKNOWN else phase


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_propose_the_phase_a_radiographer_reads(encoding: str) -> None:
    """Done 6: more than 30 names, in each encoding."""
    assert len(NAMES) >= 60
    found = {name: proposed(" ".join(phase_words(name.encode(encoding)))) for name, _ in NAMES}
    assert found == dict(NAMES)


@pytest.mark.parametrize(("encoding", "label"), [(encoding, label) for encoding, labels in LABELS.items() for label in labels])
def test_label_of_the_character_set_plays_no_part(encoding: str, label: str) -> None:
    """Peers B7: GBK labelled as Latin-1 or not at all; only codes leave, and the platform reads the phase from them."""
    for name, phase in (("门静脉期 张三", PV), ("肝脏增强_动脉期", ART), ("平扫", PRE)):
        image = image_named(name.encode(encoding), label)
        out = deidentify(image, key=bytes(32), subject="01-0001-00", software="test").data
        left = pydicom.dcmread(pydicom.filebase.DicomBytesIO(out)).SeriesDescription
        assert left.isascii()
        assert proposed(left) is phase


def test_iso_2022_escape_sequences_are_read_over() -> None:
    """PS3.5 6.1.2.5: GB 2312 inside an ISO 2022 text."""
    assert phase_words(b"\x1b$)A" + "动脉期".encode("gb2312")) == ["arterial"]


def test_what_shows_no_phase_of_its_own_says_so() -> None:
    assert propose(Evidence("CT", words="arterial subtraction", contrast_start=36_000, acquired=36_030)).reasons == (Reason.NOT_ORIGINAL,)


def image_named(raw: bytes, label: str) -> Dataset:
    """A CT image whose description is these very bytes, labelled with a character set."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.Modality, image.ImageType = CTImageStorage, "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = "1.2.3", "1.2.3.4", "1.2.3.4.5"
    image.SpecificCharacterSet = label
    image.Rows = image.Columns = 2
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.add_new("PixelData", "OW", bytes(8))
    image[0x0008103E] = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(0x0008103E), "LO", len(raw), raw, 0, False, True)
    return image
