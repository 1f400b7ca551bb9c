"""The edge's page: who may see it, what its headers say, and that it shows names as text (SE-03)."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from imaging.edge import clock, home, state
from imaging.edge.home import Home
from imaging.edge.page import app, entry
from imaging.edge.status import status
from tests.imaging.edge.parts import NUMBER, Platform, rows

PAGES = ("/", "/waiting", "/quarantine", "/list", "/links", "/links/file", "/associations", "/peers", "/packages", "/approvals", "/acts")
FORMS = (
    "/list/read", "/list/take", "/links", "/links/end", "/list/1/decide", "/waiting", "/quarantine", "/links/file", "/links/file/take",
    "/peers", "/peers/remove", "/peers/echo", "/peers/test", "/packages/disk", "/packages/receipts", "/approvals", "/approvals/1/end",
)  # fmt: skip
HEADINGS = "住院号\t姓名\t手术日期\n"


@pytest.fixture
def edge_home(tmp_path: Path) -> Home:
    platform = Platform(tmp_path, port=9)
    home.make(tmp_path / "edge", center="01", platform=platform.description(), approval="2026-12")
    return Home(tmp_path / "edge")


def application(edge_home: Home, report: Any = None) -> FlaskClient:
    def counts() -> tuple[bool, dict[str, Any]]:
        connection = state.connect(edge_home.database)
        try:
            up = {"halves": {"receiving": 1, "working": 1, "disk": 1}}
            return True, status(edge_home, connection, at=clock.now()) | up | {"faults": {}, "reached": None}
        finally:
            connection.close()

    made = app.create(edge_home, report or counts)
    made.testing = False
    return made.test_client()


def token(client: FlaskClient, path: str = "/sign-in") -> str:
    return re.search(r'name="csrf" value="(\w+)"', client.get(path).text)[1]  # type: ignore[index]


def signed_in(edge_home: Home) -> FlaskClient:
    client = application(edge_home)
    sent = {"passcode": entry.passcode_of(edge_home), "initials": "ZS", "csrf": token(client)}
    assert client.post("/sign-in", data=sent).status_code == 302
    return client


def test_stranger_sees_counts_and_nothing_else(edge_home: Home) -> None:
    client = application(edge_home)
    assert client.get("/healthz").json == {"healthy": True, "receiving": True, "working": True, "disk": True}
    assert client.get("/status").json["center"] == "01"  # type: ignore[index]
    for path in (*PAGES, "/list/state", "/quarantine?rejected=1"):
        assert client.get(path).headers["Location"] == "/sign-in"
    for path in FORMS:
        assert client.post(path, data={"csrf": token(client)}).headers["Location"] == "/sign-in"
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/robots.txt").status_code == 404
    assert client.get("/static/prime.css").status_code == 200


def test_passcode_lies_beside_the_keys_and_for_its_owner_only(edge_home: Home) -> None:
    first = entry.passcode_of(edge_home)
    assert entry.passcode_of(edge_home) == first
    assert len(set(first) - {"-"}) > 4
    for name in ("page.passcode", "page.key"):
        assert stat.S_IMODE((edge_home.directory / "keys" / name).stat().st_mode) == 0o600
    key = entry.cookie_key(edge_home)
    assert entry.make(edge_home.directory) != first
    assert entry.cookie_key(edge_home) != key


def test_wrong_passcodes_make_the_address_wait_longer_each_time() -> None:
    door = entry.Door("right-code")
    assert [door.opens("10.0.0.1", "wrong", 0.0) for _ in range(3)] == [False] * 3
    assert door.wait("10.0.0.1", 0.0) == 1.0
    assert not door.opens("10.0.0.1", "right-code", 0.5)
    assert not door.opens("10.0.0.1", "wrong", 1.0)
    assert door.wait("10.0.0.1", 1.0) == 2.0
    assert door.opens("10.0.0.2", "RIGHT-code ", 1.0)
    assert door.opens("10.0.0.1", "right-code", 3.0)
    assert door.wait("10.0.0.1", 3.0) == 0.0
    for attempt in range(30):
        door.opens("10.0.0.3", "wrong", attempt * 1000.0)
    assert door.wait("10.0.0.3", 29_000.0) == 300.0


def test_waiting_is_said_and_the_right_passcode_does_not_help_meanwhile(edge_home: Home) -> None:
    client = application(edge_home)
    sent = {"passcode": "wrong", "initials": "ZS", "csrf": token(client)}
    assert [client.post("/sign-in", data=sent).status_code for _ in range(4)] == [403, 403, 403, 429]
    assert client.post("/sign-in", data=sent | {"passcode": entry.passcode_of(edge_home)}).status_code == 429
    assert client.post("/sign-in", data=sent | {"initials": "<b>"}).status_code == 400


def test_form_without_its_token_or_from_elsewhere_is_refused(edge_home: Home) -> None:
    client = signed_in(edge_home)
    good = {"text": HEADINGS + "A1\t张三\t2026-03-02", "csrf": token(client, "/list")}
    assert client.post("/list/read", data=good).status_code == 200
    for bad in (good | {"csrf": ""}, good | {"csrf": "0" * 32}):
        assert client.post("/list/read", data=bad).status_code == 403
    assert client.post("/list/read", data=good, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_every_answer_carries_the_policy_and_is_not_kept(edge_home: Home) -> None:
    client = signed_in(edge_home)
    for path in ("/", "/list", "/links", "/sign-in", "/nothing", "/status", "/static/prime.css"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"] == app.POLICY
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert "'unsafe" not in app.POLICY
    for path in PAGES:
        assert not re.search(r"<style|style=|<script>|\son\w+=|https?://", client.get(path).text), path


def test_cookie_is_for_this_page_only(edge_home: Home) -> None:
    client = application(edge_home)
    answer = client.get("/sign-in")
    assert all(part in answer.headers["Set-Cookie"] for part in ("HttpOnly", "SameSite=Strict"))


def test_name_is_text_and_never_markup(edge_home: Home) -> None:
    client = signed_in(edge_home)
    name = '<script>alert("x")</script>'
    text = HEADINGS + f"A1\t{name.replace(chr(34), '')}\t2026-03-02"
    review = client.post("/list/read", data={"text": text, "csrf": token(client, "/list")})
    assert "<script>alert" not in review.text
    assert "&lt;script&gt;alert" in review.text


def test_columns_can_be_chosen_by_hand_and_rows_left_out(edge_home: Home) -> None:
    client = signed_in(edge_home)
    text = "A1\t张三\t2026-03-02\nA2\t李四\t2026-03-03"
    form = {"text": text, "csrf": token(client, "/list")}
    assert "Say which column holds" in client.post("/list/read", data=form, headers={"Accept-Language": "en"}).text
    chosen = form | {"columns": "1", "column0": "local_id", "column1": "name", "column2": "surgery_date"}
    assert client.post("/list/read", data=chosen).text.count('name="take"') == 2
    assert client.post("/list/take", data=chosen | {"take": "2"}).status_code == 302
    assert rows(edge_home, "SELECT local_id, name, state, by FROM operation") == [("A2", "李四", "waiting", "ZS")]
    assert client.post("/list/take", data=form | {"columns": "1", "column0": "name", "take": "1"}).status_code == 200
    assert rows(edge_home, "SELECT count(*) FROM operation") == [(1,)]


def test_links_are_made_found_and_ended_by_who_is_signed_in(edge_home: Home) -> None:
    client = signed_in(edge_home)
    sent = {"number": NUMBER, "local_id": "p000123", "issuer": "", "kind": "admission", "name": "张三", "csrf": token(client, "/links")}
    wrong = client.post("/links", data=sent | {"number": "01-0007-51"}, headers={"Accept-Language": "en"})
    assert wrong.status_code == 400
    assert "check digits must fit" in wrong.text
    assert 'value="p000123"' in wrong.text
    assert client.post("/links", data=sent).status_code == 302
    assert rows(edge_home, "SELECT study_number, local_id, name, by FROM link") == [(NUMBER, "P000123", "张三", "ZS")]
    assert "P000123" in client.get("/links?q=P0001").text
    assert "P000123" not in client.get("/links?q=Q").text
    assert client.post("/links/end", data={"local_id": "P000123", "issuer": "01", "csrf": sent["csrf"]}).status_code == 302
    assert rows(edge_home, "SELECT unlinked_by FROM link") == [("ZS",)]


def test_fault_is_logged_by_its_kind_alone(edge_home: Home, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> tuple[bool, dict[str, Any]]:
        raise RuntimeError("张三")

    client = application(edge_home, broken)
    sent = {"passcode": entry.passcode_of(edge_home), "initials": "ZS", "csrf": token(client)}
    client.post("/sign-in", data=sent)
    assert client.get("/").status_code == 500
    assert "RuntimeError" in caplog.text
    assert "张三" not in caplog.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_speak_both_languages(edge_home: Home, language: str) -> None:
    client = signed_in(edge_home)
    client.post("/language", data={"language": language, "next": "/", "csrf": token(client, "/links")})
    for path in PAGES:
        text = client.get(path).text
        assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in text
        assert ("仅限院内网络" in text) == (language == "zh")
    assert (
        client.post("/language", data={"language": "zh", "next": "//evil.example", "csrf": token(client, "/links")}).headers["Location"]
        == "/"
    )


def test_too_large_a_body_is_refused(edge_home: Home) -> None:
    client = signed_in(edge_home)
    sent = {"text": "x" * 11 * 2**20, "csrf": token(client, "/list")}
    assert client.post("/list/read", data=sent).status_code == 413


def test_status_says_nothing_about_a_person(edge_home: Home) -> None:
    client = signed_in(edge_home)
    client.post("/list/take", data={"text": HEADINGS + "CANARY1\t欧阳\t2026-03-02", "take": "1", "csrf": token(client, "/list")})
    said = json.dumps(client.get("/status").json, ensure_ascii=False)
    assert "CANARY1" not in said
    assert "欧阳" not in said
    assert client.get("/status").json["operations"]["waiting"] == 1  # type: ignore[index]
