"""How this installation is run, and what of it a real study must not have (docs/blinding.md §7, docs/operations.md).

`facts` looks, `violations` judges: one sentence per code. Each of them alone keeps a real study in draft; `manage.py verify --posture` says
them at any time, since what held on the first day may not hold on the hundredth.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import anchors, ledger
from accounts.models import Heartbeat, User
from prime_platform import privileges
from studies import activation
from studies.models import Study

QUIET = {
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
"""What keeps values of patients out of PostgreSQL's own log (BL-05, SE-07)."""
ATTRIBUTES = """
SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = ANY(%s) OR rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the case here; the study's own facts are None where none was asked about."""

    demo_flag: bool
    demo_people: int
    demo_keys: bool
    debug: bool
    https: bool
    second_factor: bool
    inference_apart: bool
    """The web process's user owns none of the inference host's files, or these are on another machine."""
    logins_apart: bool
    """Worker and inference were last seen with logins of their own."""
    strong_logins: tuple[str, ...]
    """Logins of the platform, the owner's among them, that may do more than their grants: superuser, BYPASSRLS, CREATEROLE."""
    talkative: tuple[str, ...]
    """Settings by which the database would write values into its log."""
    custodians_proven: bool | None = None
    outside_anchor: bool | None = None


WORDS: dict[str, tuple[Callable[[Facts], bool], Promise]] = {
    "demo": (lambda is_: is_.demo_flag, _("The demonstration is enabled: set PRIME_DEMO=0.")),
    "demo_people": (
        lambda is_: is_.demo_people > 0,
        _("People of the demonstration are here: a real study is given an installation of its own."),
    ),
    "demo_keys": (
        lambda is_: is_.demo_keys,
        _("Keys of demonstration custodians are here: a real study is given an installation of its own."),
    ),
    "debug": (lambda is_: is_.debug, _("DEBUG is on: error pages would show values.")),
    "plain_http": (lambda is_: not is_.https, _("Pages travel readable: put a TLS proxy before them and set PRIME_PUBLIC_URL=https://….")),
    "one_factor": (lambda is_: not is_.second_factor, _("A password alone opens an account: set PRIME_SECOND_FACTOR=1.")),
    "shared_user": (
        lambda is_: not is_.inference_apart,
        _("Web and inference run as one user: start as root, or run inference on a machine of its own."),
    ),
    "shared_login": (
        lambda is_: not is_.logins_apart,
        _("Worker and inference were not seen with database logins of their own: start both once with theirs."),
    ),
    "superuser_login": (
        lambda is_: bool(is_.strong_logins),
        _("A login of the platform may do more than it was granted (superuser, BYPASSRLS or CREATEROLE)."),
    ),
    "talkative_database": (
        lambda is_: bool(is_.talkative),
        _("The database writes values into its log: set log_statement, log_min_error_statement and log_parameter_max_length."),
    ),
    "custodians_unproven": (
        lambda is_: is_.custodians_proven is False,
        _("The three custodians have not proved that they hold their keys: manage.py custody activate."),
    ),
    "no_outside_anchor": (
        lambda is_: is_.outside_anchor is False,
        _("No outside holder has confirmed a head of this study's ledger: manage.py outside receive."),
    ),
}
"""Code → whether it is the case, and what to do about it."""
OF_DEMO = ("demo", "demo_people", "demo_keys")


def facts(study: Study | None = None) -> Facts:
    """Look how this installation is run, and at a study's custodians and anchors."""
    return Facts(
        demo_flag=settings.PRIME_DEMO,
        demo_people=User.objects.filter(is_demo=True).count(),
        demo_keys=(Path(settings.VAR) / "demo-custodians").exists(),
        debug=settings.DEBUG,
        https=settings.HTTPS,
        second_factor=settings.PRIME_SECOND_FACTOR,
        inference_apart=_inference_apart(Path(settings.VAR)),
        logins_apart=_logins_seen() == {"worker": "prime_worker", "infer": "prime_infer"},
        strong_logins=_strong_logins(),
        talkative=_talkative(),
        custodians_proven=None if study is None else ledger.said_last(study.code, "activation", "proven") is True,
        outside_anchor=None if study is None else bool(anchors.received(study.code)),
    )


def violations(found: Facts) -> dict[str, str]:
    """What must not be, by code, each with what to do about it."""
    return {code: str(sentence) for code, (is_so, sentence) in WORDS.items() if is_so(found)}


def against_founding(study: Study) -> list[str]:
    """A demonstration never becomes production, and a real study is never founded beside one."""
    found = violations(facts())
    return [found[code] for code in OF_DEMO if code in found]


def against_starting(study: Study) -> list[str]:
    """Every violation, for a study that is to enrol its first patient."""
    return list(violations(facts(study)).values())


def join() -> None:
    """Let `studies.setup` ask."""
    activation.founding.append(against_founding)
    activation.starting.append(against_starting)


def _inference_apart(var: Path) -> bool:
    inference, web = var / "infer", var / "home" / "web"
    if not inference.exists() or (os.access(inference, os.R_OK | os.X_OK) and not any(inference.iterdir())):
        return True  # inference runs on another machine
    return web.exists() and web.stat().st_uid != inference.stat().st_uid and not inference.stat().st_mode & 0o077


def _logins_seen() -> dict[str, str]:
    seen = Heartbeat.objects.filter(name__in=("worker", "infer"))
    return {beat.name: str(beat.detail.get("login")) for beat in seen}


def _strong_logins() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(ATTRIBUTES, [list(privileges.LOGINS)])
        return tuple(sorted(name for name, strong in cursor.fetchall() if strong))


def _talkative() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(QUIET)])
        said = dict(cursor.fetchall())
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")
        kept = ("pg_stat_statements",) if cursor.fetchone() else ()
    return (*(name for name, quiet in QUIET.items() if said.get(name, quiet) != quiet), *kept)


def notes() -> list[str]:
    """Codes of how the launcher says it runs this installation (`prime_platform.embedded.state.posture`)."""
    return [code for code in os.environ.get("PRIME_POSTURE", "").split(",") if code]
