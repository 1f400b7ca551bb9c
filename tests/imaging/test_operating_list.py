"""The operating list from a real edge to the real site over HTTP: numbers come back, names stay (EN-01, EN-02, EN-05, EN-06)."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from imaging import gateways
from imaging.edge import home as homes
from imaging.edge import keys
from imaging.edge.home import Home
from imaging.edge.page import entry
from studies import screening
from studies.models import Screening
from studies.vocabulary import Origin
from tests.imaging import world as worlds
from tests.imaging.edge.browser import Browser
from tests.imaging.edge.parts import EdgeProcess, rows, until
from tests.imaging.world import TODAY, World
from tests.site_login import signed_in_as

pytestmark = pytest.mark.django_db(transaction=True)
HEADINGS = "住院号\t姓名\t性别\t年龄\t手术日期\t手术名称"


def operating_list(count: int, first: int = 0) -> str:
    """`count` patients as a hospital system gives them; day, age and sex follow from the number."""
    lines = [HEADINGS]
    for number in range(first, first + count):
        day = TODAY - timedelta(days=60 - number % 50)
        lines.append(
            f"ZY{number:06d}\t测试{number:03d}\t{'男' if number % 3 else '女'}\t{40 + number % 40}岁\t{day:%Y/%m/%d}\t肝部分切除术"
        )
    return "\n".join(lines)


@pytest.fixture
def made(var: Path, live_server: LiveServer) -> World:
    return worlds.build()


def make_edge(made: World, url: str, directory: Path, center: str = "01") -> Home:
    described: dict[str, Any] = {
        "v": 1, "study": made.study.code, "url": url, "package": keys.to_text(keys.package_public_bytes(made.package_key)),
        "receipt_stored": keys.to_text(made.public["stored"]), "receipt_archived": keys.to_text(made.public["archived"]),
    }  # fmt: skip
    homes.make(directory, center=center, platform=json.dumps(described).encode(), approval="2026-001")
    document = json.loads((directory / "gateway.json").read_bytes())
    gateways.register(study=made.study, document=document, by=User.objects.system())
    settings = json.loads((directory / "edge.json").read_bytes()) | {"reserve_bytes": 0}
    (directory / "edge.json").write_text(json.dumps(settings))
    return Home(directory)


@pytest.fixture
def edge(made: World, live_server: LiveServer, tmp_path: Path) -> Iterator[EdgeProcess]:
    running = EdgeProcess(make_edge(made, live_server.url, tmp_path / "edge"))
    yield running
    running.kill()


def browser_at(edge: EdgeProcess) -> Browser:
    browser = Browser(edge.where["http_port"])
    assert browser.sign_in(entry.passcode_of(edge.home)).status == 200
    return browser


def numbers(edge: EdgeProcess) -> list[int]:
    return sorted(number for (number,) in rows(edge.home, "SELECT number FROM operation WHERE state = 'numbered'"))


def test_hundred_rows_get_hundred_gapless_numbers_and_again_none(made: World, edge: EdgeProcess) -> None:
    browser = browser_at(edge)
    answer = browser.take(operating_list(100))
    assert "Taken in: 100. Held for you to decide: 0." in answer.said()
    until(lambda: len(numbers(edge)) == 100, "a hundred numbers")
    assert numbers(edge) == list(range(1, 101))
    lines = Screening.objects.order_by("number")
    assert [line.number for line in lines] == list(range(1, 101))
    assert [line.surgery_date for line in lines] == sorted(line.surgery_date for line in lines)
    assert {line.origin for line in lines} == {Origin.EDGE}
    assert {line.screened_by.username for line in lines} == {f"edge-{edge.home.settings['gateway']}"}

    review = browser.post("/list/read", {"text": operating_list(100)})
    assert review.text.count("01-S0") == 100
    assert "Nothing in this list is new." in review.said()
    browser.take(operating_list(101))
    until(lambda: len(numbers(edge)) == 101, "one more")
    assert Screening.objects.count() == 101
    assert "01-S0101" in browser.get("/list?q=ZY000100").said()


def test_rows_wait_while_the_platform_is_down_and_get_their_numbers_later(made: World, live_server: LiveServer, tmp_path: Path) -> None:
    home = make_edge(made, "http://127.0.0.1:9", tmp_path / "edge")
    edge = EdgeProcess(home)
    try:
        browser = browser_at(edge)
        browser.take(operating_list(3))
        until(lambda: json.loads(edge.get("/status"))["faults"].get("screening"), "a fault is shown")
        assert "The platform does not answer. Rows that wait here until it is up again: 3." in browser.get("/list").said()
        assert json.loads(edge.get("/status"))["operations"]["waiting"] == 3
        assert edge.stop() == 0
        said = json.loads((home.directory / "platform.json").read_bytes()) | {"url": live_server.url}
        (home.directory / "platform.json").write_text(json.dumps(said))
        edge.start()
        until(lambda: numbers(edge) == [1, 2, 3], "numbered once it is back")
        assert "Every row that may be sent has its number." in browser_at(edge).get("/list").said()
    finally:
        edge.kill()


def test_two_uploads_at_once_give_each_row_one_number(made: World, edge: EdgeProcess) -> None:
    browsers = [browser_at(edge) for _ in range(2)]
    together = [
        threading.Thread(target=browser.take, args=(operating_list(60, first),)) for browser, first in zip(browsers, (0, 30), strict=True)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    until(lambda: len(numbers(edge)) == 90, "ninety different operations")
    assert numbers(edge) == list(range(1, 91)) == sorted(Screening.objects.values_list("number", flat=True))


def test_no_name_and_no_number_reaches_the_platform(made: World, edge: EdgeProcess) -> None:
    """EN-05: the canary stands in no table of the platform, in no log, in none of the edge's requests; nor does a plain hash of it."""
    seen = Wiretap(made)
    try:
        browser = browser_at(edge)
        day = TODAY - timedelta(days=9)
        browser.take(f"{HEADINGS}\nCANARY0042\t欧阳金丝雀\t男\t58\t{day}\t肝切除")
        until(lambda: numbers(edge) == [1], "numbered")
    finally:
        seen.stop()
    secrets_ = ["CANARY0042", "canary0042", "欧阳金丝雀", *plain_hashes("CANARY0042", day.isoformat())]
    everything = database_text()
    for secret in secrets_:
        assert secret not in everything, secret
        assert all(secret.encode() not in body for body in seen.bodies), secret
        assert secret not in edge.log.read_text(), secret
    [body] = [body for path, body in zip(seen.paths, seen.bodies, strict=True) if path == "/edge/v1/screenings"]
    [row] = json.loads(body)["rows"]
    assert set(row) == {"token", "surgery_date", "age", "sex"}
    assert row["token"] in everything


def plain_hashes(local_id: str, day: str) -> list[str]:
    """Every digest that somebody without the key could make of number and date in an obvious way."""
    import hashlib

    said = [local_id, local_id + day, f"{local_id}\0{day}", f"{local_id}|{day}", f"{local_id}-{day}", f"{local_id}{day.replace('-', '')}"]
    return [hashlib.new(name, text.encode()).hexdigest() for name in ("md5", "sha1", "sha256", "sha512") for text in said]


def database_text() -> str:
    """Every row of every table as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


class Wiretap:
    """Keeps path and body of every request that the site gets."""

    def __init__(self, made: World) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self._handler, self._before = WSGIHandler, WSGIHandler.get_response
        tap = self

        def get_response(handler: Any, request: Any) -> Any:
            tap.paths.append(request.path)
            tap.bodies.append(request.body)
            return tap._before(handler, request)

        WSGIHandler.get_response = get_response  # type: ignore[method-assign]

    def stop(self) -> None:
        self._handler.get_response = self._before  # type: ignore[method-assign]


def row(token: str = "a" * 64, **changed: Any) -> dict[str, Any]:
    return {"token": token, "surgery_date": (TODAY - timedelta(days=9)).isoformat(), "age": 58, "sex": "M"} | changed


def ask(made: World, said: Any, center: str = "01") -> Any:
    return made.send("POST", "/edge/v1/screenings", json.dumps(said).encode(), center)


def test_same_token_with_other_facts_is_refused_and_nothing_is_overwritten(made: World) -> None:
    assert ask(made, {"v": 1, "rows": [row()]}).json() == {"rows": [{"token": "a" * 64, "number": 1, "screening": "01-S0001"}]}
    before = Screening.objects.values().get()
    for changed in ({"age": 59}, {"sex": "F"}, {"age": None}, {"surgery_date": (TODAY - timedelta(days=8)).isoformat()}):
        assert ask(made, {"v": 1, "rows": [row(**changed)]}).json() == {"rows": [{"token": "a" * 64, "refused": "differs"}]}
    assert Screening.objects.values().get() == before


def test_lost_answer_after_a_correction_still_gives_the_number(made: World) -> None:
    """The row says what it said the first time; what the coordinator corrected meanwhile is no difference."""
    ask(made, {"v": 1, "rows": [row()]})
    line = Screening.objects.get()
    screening.amend(screening=line, age_at_surgery=59, reason="read wrongly", by=made.coordinators["01"])
    assert ask(made, {"v": 1, "rows": [row()]}).json()["rows"][0]["screening"] == "01-S0001"


def test_refused_row_takes_no_number_and_the_others_have_no_gap(made: World) -> None:
    ahead = (TODAY + timedelta(days=2)).isoformat()
    answered = ask(made, {"v": 1, "rows": [row("a" * 64), row("b" * 64, surgery_date=ahead), row("c" * 64)]}).json()["rows"]
    assert [each.get("number", each.get("refused")) for each in answered] == [1, "future", 2]


def test_token_of_one_center_means_nothing_at_another(made: World) -> None:
    ask(made, {"v": 1, "rows": [row()]})
    assert ask(made, {"v": 1, "rows": [row()]}, "02").json()["rows"][0]["screening"] == "02-S0001"


@pytest.mark.parametrize(
    "said",
    [
        None, [], {"v": 2, "rows": [row()]}, {"v": 1, "rows": []}, {"v": 1, "rows": [row(), row()]}, {"v": 1, "rows": [row("A" * 64)]},
        {"v": 1, "rows": [row() | {"name": "张三"}]}, {"v": 1, "rows": [row(age="58")]}, {"v": 1, "rows": [row(age=True)]},
        {"v": 1, "rows": [row(sex="男")]}, {"v": 1, "rows": [row(surgery_date="2026/03/02")]}, {"v": 1, "rows": [row(age=121)]},
        {"v": 1, "rows": [row(f"{number:064x}") for number in range(201)]},
    ],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_list_of_rows_is_refused_whole(made: World, said: Any) -> None:
    """EN-05: a fifth value might be a name; nothing of such a request is kept."""
    assert ask(made, said).status_code == 400
    assert not Screening.objects.exists()


def test_closed_center_keeps_the_rows_at_the_edge(made: World, edge: EdgeProcess) -> None:
    from studies import setup
    from studies.vocabulary import Phase

    setup.advance_phase(study=made.study, to=Phase.FOLLOW_UP, by=User.objects.system())
    browser = browser_at(edge)
    browser.take(operating_list(2))
    until(lambda: json.loads(edge.get("/status"))["faults"].get("screening") == "not-now", "not now")
    assert "The platform takes no rows now" in browser.get("/list").said()
    assert rows(edge.home, "SELECT DISTINCT state FROM operation") == [("waiting",)]


def test_sites_own_login_numbers_rows_of_the_gateways_center(made: World) -> None:
    """SE-03: under row security and the site's privileges: new, known, refused, and the gateway's user made on the way."""
    with signed_in_as("web"):
        assert ask(made, {"v": 1, "rows": [row(), row("b" * 64)]}).json()["rows"][1]["screening"] == "01-S0002"
        assert ask(made, {"v": 1, "rows": [row()]}).json()["rows"][0]["screening"] == "01-S0001"
        assert ask(made, {"v": 1, "rows": [row(age=59)]}).json()["rows"][0]["refused"] == "differs"
        assert ask(made, {"v": 1, "rows": [row()]}, "02").json()["rows"][0]["screening"] == "02-S0001"
        assert not Screening.objects.exists()
    assert Screening.objects.count() == 3


def test_stranger_and_revoked_gateway_are_turned_away(made: World) -> None:
    assert Client().post("/edge/v1/screenings", b"{}", content_type="application/json").status_code == 401
    gateways.revoke(gateway=made.gateways["01"], by=User.objects.system(), reason="lost")
    assert ask(made, {"v": 1, "rows": [row()]}).status_code == 401


def test_gateways_user_cannot_sign_in(made: World) -> None:
    ask(made, {"v": 1, "rows": [row()]})
    user = Screening.objects.get().screened_by
    assert not user.is_active
    assert not user.has_usable_password()
