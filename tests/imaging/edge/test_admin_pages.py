"""The PACS administrator's pages over a running edge: names for the unmatched, quarantine, associations, peers, links from a file."""

import io
from collections.abc import Callable

import openpyxl
import pytest
from pynetdicom import AE, evt, sop_class

from imaging.edge import nodes, study_number
from imaging.edge.home import Home
from imaging.edge.page import entry
from tests.imaging.edge.browser import Browser
from tests.imaging.edge.parts import LOCAL_ID, NUMBER, OTHER_NUMBER, EdgeProcess, Platform, ct, link, rows, send, until

Start = Callable[..., EdgeProcess]
TABLE = "研究编号\t住院号\t姓名\n{}\tA-1\t张三\n{}\tA-2\t\n01-0009-99\tA-3\t\n"


@pytest.fixture
def edge(edge_home: Home, start_edge: Start) -> EdgeProcess:
    return start_edge(edge_home)


@pytest.fixture
def browser(edge: EdgeProcess) -> Browser:
    made = Browser(edge.where["http_port"])
    assert made.sign_in(entry.passcode_of(edge.home)).status == 200
    return made


def test_an_unmatched_study_is_shown_with_its_name_and_assigned_on_the_page(
    edge: EdgeProcess, browser: Browser, platform: Platform
) -> None:
    link(edge.home, OTHER_NUMBER, "ADMISSION-9", kind="admission", name="王小明")
    image = ct(1, patient="IMG-7", study="1.9", series="1.9.1", SpecificCharacterSet="ISO_IR 192")
    image.PatientName = "Wang^Xiaoming=王^小明"
    send(edge.port, [image])
    until(lambda: rows(edge.home, "SELECT state FROM object") == [("waiting",)], "received")
    page = browser.get("/waiting")
    for word in ("王小明", "IMG-7", "2026-03-01", "CT", f"Same name: {OTHER_NUMBER}"):
        assert word in page.said()
    wrong = browser.post("/waiting", {"number": "01-0008-48", "local_id": "IMG-7", "issuer": "01", "name": "王小明"})
    assert (wrong.status, "check digits must fit" in wrong.said()) == (400, True)
    assert 'value="01-0008-48"' in wrong.text
    assert (
        "is linked to IMG-7"
        in browser.post("/waiting", {"number": OTHER_NUMBER, "local_id": "IMG-7", "issuer": "01", "name": "王小明"}).said()
    )
    until(lambda: rows(edge.home, "SELECT state FROM object") == [("archived",)], "left by itself")
    assert "王小明" not in browser.get("/waiting").said()
    assert rows(edge.home, "SELECT * FROM face") == [], "a name is not kept longer than it is needed"
    assert "王小明" not in "".join(str(opened.manifest) for opened in platform.opened.values())


def test_held_images_are_released_or_rejected_with_a_reason(edge: EdgeProcess, browser: Browser) -> None:
    send(edge.port, [ct(1, BurnedInAnnotation="YES"), ct(2, uid="1.2.3.4.5"), ct(3, uid="1.2.3.4.5")])
    until(lambda: rows(edge.home, "SELECT count(*) FROM object WHERE state = 'quarantined'") == [(2,)], "held")
    page = browser.get("/quarantine")
    assert "text is burned into its pixels" in page.said()
    assert "The first version stays and cannot be replaced" in page.said()
    assert page.text.count('value="release"') == 1
    asked = {"study_uid": "1.2.3", "issuer": "01", "local_id": LOCAL_ID}
    refused = browser.post("/quarantine", asked | {"reason": "burned-in", "what": "release", "why": " "})
    assert (refused.status, "Say why" in refused.said()) == (409, True)
    assert browser.post("/quarantine", asked | {"reason": "conflict", "what": "release", "why": "please"}).status == 409
    assert "Rejected: 1." in browser.post("/quarantine", asked | {"reason": "conflict", "what": "reject", "why": "a copy"}).said()
    assert "Released: 1." in browser.post("/quarantine", asked | {"reason": "burned-in", "what": "release", "why": "only a ruler"}).said()
    until(lambda: rows(edge.home, "SELECT count(*) FROM object WHERE state = 'archived'") == [(2,)], "archived")
    assert "a copy" in browser.get("/quarantine?rejected=1").said()
    said = browser.get("/acts").said()
    for word in ("ZS released from quarantine burned-in", "only a ruler", "ZS rejected conflict"):
        assert word in said


def test_a_refused_sender_is_explained_and_listed_from_there(edge: EdgeProcess, browser: Browser) -> None:
    assert send(edge.port, [ct(1)], caller="PACS9") == []
    assert send(edge.port, [ct(1)], called="OTHER") == []
    said = browser.get("/associations").said()
    assert "Calling AE PACS9 from 127.0.0.1 is not listed" in said
    assert "STORESCU called AE OTHER; this edge is PRIME" in said
    assert "/peers?ae_title=PACS9&amp;addresses=127.0.0.1" in browser.get("/associations?only=rejected").text
    assert 'value="PACS9"' in browser.get("/peers?ae_title=PACS9&addresses=127.0.0.1").text
    assert browser.post("/peers", {"ae_title": "PACS9", "addresses": "nowhere", "host": "", "port": ""}).status == 400
    told = browser.post("/peers", {"ae_title": "PACS9", "addresses": "127.0.0.1 10.1.2.0/24", "host": "", "port": ""})
    assert "PACS9 may send now" in told.said()
    assert send(edge.port, [ct(1)], caller="PACS9") == [0]
    until(lambda: "1 taken." in browser.get("/associations").said(), "the end of the association is written")
    assert "PACS9 may no longer send" in browser.post("/peers/remove", {"ae_title": "PACS9"}).said()
    assert send(edge.port, [ct(2)], caller="PACS9") == []
    assert "peer taken off the list PACS9" in browser.get("/acts").said()


def test_echo_says_what_stands_in_the_way(edge: EdgeProcess, browser: Browser) -> None:
    ae = AE(ae_title="PACS")
    ae.add_supported_context(sop_class.Verification)  # type: ignore[attr-defined]
    ae.require_called_aet, ae.require_calling_aet = True, ["PRIME"]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda event: 0)])
    assert server is not None
    port = str(server.server_address[1])
    try:
        for title, at in (("PACS", port), ("OTHER", port), ("GONE", "1")):
            browser.post("/peers", {"ae_title": title, "addresses": "10.0.0.1", "host": "127.0.0.1", "port": at})
        assert "PACS answered the echo" in browser.post("/peers/echo", {"ae_title": "PACS"}).said()
        wrong = browser.post("/peers/echo", {"ae_title": "OTHER"})
        assert (wrong.status, "another AE title than OTHER" in wrong.said()) == (502, True)
        assert "Nobody answers at 127.0.0.1 port 1" in browser.post("/peers/echo", {"ae_title": "GONE"}).said()
        assert "before you ask it" in browser.post("/peers/echo", {"ae_title": "STORESCU"}).said()
        assert nodes.echo(nodes.Node("127.0.0.1", int(port)), calling="STRANGER", called="PACS") == "rejected-1-1-3"
    finally:
        server.shutdown()


def test_self_test_goes_through_our_own_door_and_leaves_nothing(edge: EdgeProcess, browser: Browser) -> None:
    assert "took an association, an echo and a report" in browser.post("/peers/test", {}).said()
    until(lambda: rows(edge.home, "SELECT rule FROM discard") == [("class-not-used",)], "discarded by rule")
    assert "PRIME-SELFTEST" not in browser.get("/peers").said()
    assert send(edge.port, [ct(1)], caller="PRIME-SELFTEST") == []


def test_links_come_from_a_file_after_a_trial(edge: EdgeProcess, browser: Browser) -> None:
    text = TABLE.format(NUMBER, study_number.make("02", 7))
    before = rows(edge.home, "SELECT count(*) FROM link")
    browser.get("/links/file")
    tried = browser.post("/links/file", {"text": text})
    assert "new 1 faulty 2" in tried.said()
    assert "belongs to center 02" in tried.said()
    assert "check digits must fit" in tried.said()
    assert rows(edge.home, "SELECT count(*) FROM link") == before, "the trial links nothing"
    assert "Linked: 1. Known before: 0. Left out as faulty: 2." in browser.post("/links/file/take", {"text": text}).said()
    assert rows(edge.home, "SELECT study_number, name, by FROM link WHERE local_id = 'A-1'") == [(NUMBER, "张三", "ZS")]
    assert "known 1 faulty 2" in browser.post("/links/file", {"text": text}).said()
    book = openpyxl.Workbook()
    for line in (
        ["Study number", "Patient ID", "Kind"],
        [OTHER_NUMBER, "000123", "住院号"],
        [NUMBER, "A-1", ""],
        [OTHER_NUMBER, "A-1", ""],
    ):
        book.active.append(line)  # type: ignore[union-attr]
    out = io.BytesIO()
    book.save(out)
    said = browser.upload("/links/file", "links.xlsx", out.getvalue()).said()
    assert "new 1 known 1 faulty 1" in said
    assert "is linked to 01-0007-50 already" in said
    assert browser.post("/links/file", {"text": "a\tb\n1\t2"}).status == 400
