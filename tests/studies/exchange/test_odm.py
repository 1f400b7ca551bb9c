"""ODM-XML 1.3.2: what is written validates, and reading it and writing it again gives the same bytes (peers D1)."""

from pathlib import Path

import pytest
from lxml import etree

from studies.exchange import odm_read, odm_write
from studies.exchange.faults import Refused
from studies.exchange.odm_model import (
    Change,
    CodeList,
    Datum,
    EventData,
    EventDef,
    File,
    FormData,
    FormDef,
    GroupData,
    GroupDef,
    Head,
    ItemDef,
    Metadata,
    Named,
    Person,
    Place,
    Range,
    Signed,
    Subject,
    Unit,
)
from studies.protocol import Coded, Text

SCHEMA = Path(__file__).parents[4] / "shared/data/08_cdisc_redcap/odm/archive/ODM1-3-2/ODM1-3-2.xsd"
ALBUMIN = ItemDef(
    oid="IT.albumin",
    name="albumin",
    data_type="float",
    text=Text("白蛋白", "albumin"),
    help=Text("", ""),
    length=12,
    digits=6,
    units=("MU.1",),
    ranges=(Range("GE", "10", True), Range("LE", "70", True), Range("GE", "25", False)),
    condition="COND.albumin",
    aliases=(("CDASH", "LBORRES"), ("LOINC", "1751-7")),
)
HBV = ItemDef(
    "IT.hbv", "hbv", "text", Text("乙肝", "hepatitis B"), Text("按记录", "as recorded"), length=3, code_list="CL.hbv", mandatory=True
)
METADATA = Metadata(
    study_oid="ST.1",
    study_name="试验",
    description="A trial & its <data>",
    protocol_name="hcc",
    version_oid="MDV.1",
    version_name="1.0",
    version_description="digest",
    units=(Unit("MU.1", "g/L"),),
    events=(
        EventDef("SE.B", "baseline", Text("基线", "baseline"), (
            FormDef("FO.L", "liver", Text("肝", "liver"), (GroupDef("IG.L", "liver", Text("肝", ""), (ALBUMIN, HBV)),), repeating=True),
        )),
    ),
    code_lists=(
        CodeList("CL.hbv", "hbv", (Coded("yes", Text("有", "yes")), Coded("no", Text("无", "no")))),
        CodeList("CL.MISSING", "missing", (Coded("ND", Text("未做", "not done")),)),
    ),
    conditions=(Named("COND.albumin", Text("", "not asked unless"), '{"yes":"hbv"}'),),
    methods=(Named("MT.x", Text("计算", "calculated"), "albi", "Computation"),),
)  # fmt: skip
CHANGE = Change("US.1", "LOC.01", "2026-11-28T10:00:00+00:00", 'typed "wrong"\nsecond line', "entry.recorded", "Update")
SUBJECT = Subject("01-0001-07", "LOC.01", (EventData("SE.B", (FormData("FO.L", (GroupData("IG.L", (
    Datum("IT.albumin", "41.5", "MU.1", (("CL.MISSING", "ND"),), '{"typed":"4.15 g/dL"}', CHANGE),
    Datum("IT.hbv", None, flags=(("CL.MISSING", "ND"),)),
    Datum("IT.hbv", "a\tb\nc & <d> “é”"),
)),), "1", Signed("US.1", "LOC.01", "2026-11-28T10:00:00+00:00", "SD.1", "ab12")),)),))  # fmt: skip
HEAD = Head(
    "FILE.1", "2026-11-28T10:00:00+00:00", "2026-11-28T10:00:00+00:00", "PRIME", "0.1", True, "all", METADATA,
    (Person("US.1", "li.wei"),), (Place("LOC.01", "Hospital", "2026-01-01"),), (("SD.1", "I have read it", "GCP"),),
)  # fmt: skip


def written(tmp_path: Path, *subjects: Subject) -> Path:
    path = tmp_path / "out.xml"
    path.write_bytes(b"".join(odm_write.write(File(HEAD, subjects))))
    return path


def test_file_written_again_after_reading_is_the_same_to_the_byte(tmp_path):
    path = written(tmp_path, SUBJECT, Subject("01-0002-04", "LOC.01", ()))
    read = odm_read.read(path)
    assert (read.head, list(read.subjects)) == (HEAD, [SUBJECT, Subject("01-0002-04", "LOC.01", ())])
    assert b"".join(odm_write.write(odm_read.read(path))) == path.read_bytes()


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"no ODM schema at {SCHEMA}")
def test_file_validates_against_the_published_schema(tmp_path):
    schema = etree.XMLSchema(etree.parse(str(SCHEMA)))
    schema.assertValid(etree.parse(str(written(tmp_path, SUBJECT))))
    schema.assertValid(etree.parse(str(written(tmp_path))))


def test_missing_reason_is_an_annotation_and_never_is_null(tmp_path):
    text = written(tmp_path, SUBJECT).read_text(encoding="utf-8")
    assert 'CodeListOID="CL.MISSING">ND' in text
    assert "IsNull" not in text


def test_characters_that_xml_cannot_hold_are_left_out(tmp_path):
    bad = Subject(
        "01-0001-07", "LOC.01", (EventData("SE.B", (FormData("FO.L", (GroupData("IG.L", (Datum("IT.hbv", "a\x00\x0bb\r\n"),)),)),)),)
    )
    read = list(odm_read.read(written(tmp_path, bad)).subjects)
    assert read[0].events[0].forms[0].groups[0].data[0].value == "ab\n"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<html/>", "odm_other"),
        (b"<ODM", "odm_malformed"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><ODM xmlns="http://www.cdisc.org/ns/odm/v1.3"><Study/></ODM>', "odm_doctype"),
        (b'<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2"/>', "odm_other"),
    ],
)
def test_foreign_or_hostile_file_is_refused_with_its_reason(tmp_path, content, code):
    path = tmp_path / "in.xml"
    path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        list(odm_read.read(path).subjects)
    assert refused.value.code == code
