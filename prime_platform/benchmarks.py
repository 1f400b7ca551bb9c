"""How fast the lists are when the study is eleven times as large: the pages of the menu at 1,000 and 11,000 participants in one run.

Two databases of a throw-away cluster, alike but for the size, are asked in turn under the site's own login, so with the row policies in
force. Only the ratios mean something: absolute times drift with the machine, and on a busy one they scatter by a half. It takes five
to ten minutes on two cores, of which the reports take most.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from prime_platform import heap, navigation
from prime_platform.demo import crowd
from prime_platform.embedded import logins, postgres

Row = dict[str, Any]
Times = dict[tuple[str, str, int], list[float]]
"""Page, person and size → milliseconds of each answer."""
SMALL, LARGE = 1_000, 11_000
COPIES = {SMALL: (1, 99), LARGE: (100, 1_099)}
DATABASES = {SMALL: logins.MAIN, LARGE: "prime_large"}
PEOPLE = {"manager": "crowd", "coordinator": "crowd01coordinator"}
"""The data manager sees everybody, the coordinator half of them."""
REPORTS = ("overview", "consecutiveness", "payable-visits", "risk", "blindness", "flow")
"""Pages whose figures are taken over the records of the whole study; every other one is a list, or a frame around little."""
ROUNDS, WARM = 31, 1


@dataclass(frozen=True)
class Crowds:
    """The two databases: the addresses of the logins, by their short names."""

    urls: dict[str, str]

    def use(self, size: int, login: str) -> None:
        """Let Django's connection be that of a login to the database of this size."""
        connection.close()
        url = urlsplit(self.urls[login])._replace(path=f"/{DATABASES[size]}").geturl()
        connection.settings_dict |= dj_database_url.parse(url, conn_max_age=None)

    def build(self) -> None:
        """Fill both: the larger one begins as a copy of the smaller one."""
        self.use(SMALL, "owner")
        call_command("migrate", verbosity=0)
        call_command("grants", verbosity=0)
        crowd.found()
        crowd.multiply(*COPIES[SMALL])
        connection.close()
        with psycopg.connect(urlsplit(self.urls["owner"])._replace(path="/postgres").geturl(), autocommit=True) as owner:
            owner.execute(f'CREATE DATABASE "{DATABASES[LARGE]}" TEMPLATE "{DATABASES[SMALL]}"')
            logins.allow_connections(owner, DATABASES[LARGE], like=logins.MAIN)
        self.use(LARGE, "owner")
        crowd.multiply(*COPIES[LARGE])
        for size in DATABASES:
            self.use(size, "owner")
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")


def pages(rounds: int = ROUNDS) -> list[Row]:
    """Rows {page, person, n…}: median and 95th percentile in milliseconds at both sizes, and their ratios; the largest of each kind."""
    with serving() as crowds:
        crowds.build()
        return measure(crowds, rounds)


@contextmanager
def serving(base: Path | None = None) -> Iterator[Crowds]:
    """A cluster under `base`, by default one that is gone afterwards."""
    place = base or Path(tempfile.mkdtemp(prefix="prime-bench-"))
    place.mkdir(exist_ok=True)
    place.chmod(0o711)
    cluster = postgres.Cluster(place / "pg", uid=64100 if os.geteuid() == 0 else None, durable=False)
    with postgres.held(cluster):
        postgres.prepare(cluster)
        server = postgres.start(cluster)
        try:
            yield Crowds(logins.ensure(cluster, place / "secrets", for_tests=True))
        finally:
            connection.close()
            postgres.stop(server)
            if base is None:
                shutil.rmtree(place, ignore_errors=True)


def measure(crowds: Crowds, rounds: int) -> list[Row]:
    """Every page of the menu for both people, at both sizes in turn, `rounds` times."""
    names = [place.url_name for _, places in navigation.MENU for place in places]
    browsers, times = _browsers(crowds), defaultdict[tuple[str, str, int], list[float]](list)
    for turn in range(WARM + rounds):
        if turn == WARM:
            heap.settle()  # as the site's processes do
        for size in DATABASES:
            crowds.use(size, "web")
            browsers[size, "manager"].get(reverse("home"))  # the new connection learns the tables
            for who in PEOPLE:
                for name in names:
                    began = perf_counter()
                    answer = browsers[size, who].get(reverse(name))
                    if turn >= WARM and answer.status_code == 200:
                        times[name, who, size].append(1000 * (perf_counter() - began))
    return _summed(times)


def _browsers(crowds: Crowds) -> dict[tuple[int, str], Client]:
    found = {}
    for size in DATABASES:
        crowds.use(size, "web")
        for who, username in PEOPLE.items():
            found[size, who] = browser = Client(SERVER_NAME="127.0.0.1")
            browser.force_login(User.objects.get(username=username))
    return found


def _row(name: str, who: str, small: list[float], large: list[float]) -> Row:
    p50, p95 = (median(small), median(large)), (_p95(small), _p95(large))
    times = {f"p50_{SMALL}": p50[0], f"p50_{LARGE}": p50[1], f"p95_{SMALL}": p95[0], f"p95_{LARGE}": p95[1]}
    ratios = {"ratio_p50": p50[1] / p50[0], "ratio_p95": p95[1] / p95[0]}
    return {"page": name, "person": who, **{key: round(value, 1) for key, value in times.items()}, **_rounded(ratios)}


def _summed(times: Times) -> list[Row]:
    """A row for each page, the lists before the reports; of both kinds the largest ratios, and the ratios over all their answers together.

    A 95th percentile of one page is the second or third slowest of its answers, mostly the machine's doing; that of all answers is not.
    """
    rows: list[Row] = []
    for kind, of_reports in (("lists", False), ("reports", True)):
        pages = [(name, who) for name, who, size in times if size == SMALL and (name in REPORTS) is of_reports]
        found = [_row(name, who, times[name, who, SMALL], times[name, who, LARGE]) for name, who in pages]
        together = [[each for page in pages for each in times[*page, size]] for size in DATABASES]
        rows += [*found, *_largest(f"largest, {kind}", found), *([_row(f"all {kind} together", "", *together)] if pages else [])]
    return rows


def _largest(name: str, rows: list[Row]) -> list[Row]:
    if not rows:
        return []
    worst = {ratio: max(row[ratio] for row in rows) for ratio in ("ratio_p50", "ratio_p95")}
    return [{"page": name, "person": "", **dict.fromkeys(list(rows[0])[2:6], ""), **_rounded(worst)}]


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]
