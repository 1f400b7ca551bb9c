"""What may never be in the repository, and what its pages and models must hold (house rules; NW-02, SE-07).

Every file that git knows is looked at, by its first bytes and not by its name.
"""

import importlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models
from django.db.models import CheckConstraint, F, Func, Q
from pghistory.models import Event

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("prime_platform", "accounts", "studies", "imaging", "predictions", "followup", "analysis")
MOST_BYTES = 2**20
BINARY = {".png", ".mo"}
# The catalogue of domain rules: letters → the highest number given.
NO_RULE = 99  # two letters and two digits may be an approval number too
RULES = {
    "AN": 26,
    "AU": 8,
    "BL": 6,
    "DI": 10,
    "EL": 4,
    "EN": 7,
    "EP": 13,
    "MD": 9,
    "NW": 11,
    "PM": 6,
    "PR": 8,
    "RL": 7,
    "SE": 9,
    "SL": 8,
    "TX": 8,
    "UB": 3,
}
MAGIC = {
    "gzip": (0, b"\x1f\x8b"),
    "zip": (0, b"PK\x03\x04"),
    "DICOM": (128, b"DICM"),
    "NIfTI": (344, b"n+1\0"),
    "NIfTI pair": (344, b"ni1\0"),
    "NRRD": (0, b"NRRD000"),
    "SQLite": (0, b"SQLite format 3"),
    **{f"pickle {protocol}": (0, bytes([0x80, protocol])) for protocol in range(2, 6)},
}
# Written so that these lines do not find themselves.
UNWANTED = {
    "a private key": r"-----BEGI[N] [A-Z ]*PRIVATE KEY-----",
    "an address of one machine": r"(?<![\w.])/wor[k]/|/hom[e]/\w+/|/roo[t]/\w",
    "a package registry": r"pypi\.org|pythonhosted\.org|npmjs\.org|registry\.\w+\.\w+|(?:docker|ghcr|quay)\.io/",
    "unfinished work": r"\b(?:TOD[O]|FIXM[E]|XX[X])\b",
}


@cache
def files() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip(f"git does not know this directory: {listed.stderr.strip()}")
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


@cache
def texts() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in files() if path.suffix not in BINARY}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_file_is_no_image_archive_pickle_or_database():
    """No patient's image and nothing that runs when it is loaded; SE-07."""
    found = []
    for path in files():
        with path.open("rb") as file:
            head = file.read(512)
        found += [f"{name(path)} is {kind}" for kind, (offset, magic) in MAGIC.items() if head[offset:].startswith(magic)]
    assert not found


def test_file_is_text_or_a_picture_or_a_catalogue():
    assert texts()
    assert {path.suffix for path in files() if b"\0" in path.read_bytes()} <= BINARY


def test_file_is_small():
    assert not [name(path) for path in files() if path.stat().st_size > MOST_BYTES and path.name != "requirements.lock"]


@pytest.mark.parametrize("what", UNWANTED)
def test_text_has_nothing_unwanted(what):
    pattern = re.compile(UNWANTED[what])
    found = [f"{name(path)}: {hit[0]}" for path, text in texts().items() if (hit := pattern.search(text))]
    assert not found, what


def test_text_ends_with_one_newline():
    """But for templates: a fragment that is included inside a sentence brings no white space of its own."""
    ending = {path: text[-2:] for path, text in texts().items() if text and path.suffix != ".html"}
    assert not [name(path) for path, end in ending.items() if end == "\n\n" or not end.endswith("\n")]


def test_rule_cited_exists():
    """A test that cites a rule cites one of the catalogue."""
    cited = {(path, rule) for path, text in texts().items() if path.suffix == ".py" for rule in re.findall(r"\b[A-Z]{2}-\d{2}\b", text)}
    assert {rule for path, rule in cited if path.is_relative_to(ROOT / "tests")}
    assert not sorted(f"{name(path)}: {rule}" for path, rule in cited if int(rule[3:]) > RULES.get(rule[:2], NO_RULE))


def test_link_of_a_page_leads_somewhere():
    broken = []
    for path, text in texts().items():
        if path.suffix == ".md":
            targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
            broken += [f"{name(path)} → {target}" for target in targets if target and not (path.parent / target).exists()]
    assert not broken


def test_page_of_docs_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in files() if path.suffix == ".md" and path.is_relative_to(ROOT / "docs")]
    assert not [page for page in pages if page != "index.md" and f"]({page})" not in index]


def test_page_named_in_code_exists():
    named = {page for path, text in texts().items() for page in re.findall(r"\bdocs/[\w/-]+\.md\b", text)}
    assert not [page for page in named if not (ROOT / page).exists()]


def test_migration_says_what_it_does():
    migrations = [path.stem for path in files() if path.parent.name == "migrations" and path.stem != "__init__"]
    assert migrations
    assert not [
        stem for stem in migrations if not re.fullmatch(r"\d{4}_[a-z][a-z_]+", stem) or re.search(r"_auto_|_alter_|_and_more", stem)
    ]


def pairs() -> list[tuple[type[models.Model], str, str]]:
    """Every `*_at` with its `*_by` in the models of the rooms; history rows repeat what their source guarantees."""
    kept = [model for model in apps.get_models() if model._meta.app_label in ROOMS and not issubclass(model, Event)]
    return [
        (model, field.name, by)
        for model in kept
        for field in model._meta.fields
        if field.name.endswith("_at") and (by := f"{field.name[:-3]}_by") in {other.name for other in model._meta.fields}
    ]


def mentioned(condition: Q | Func) -> set[str]:
    """The fields that a condition reads."""
    if isinstance(condition, Func):
        return {each.name for each in condition.get_source_expressions() if isinstance(each, F)}
    read: set[str] = set()
    for child in condition.children:
        read |= mentioned(child) if isinstance(child, Q) else {str(child[0]).split("__")[0].removesuffix("_id")}
    return read


def test_who_and_when_stand_or_fall_together():
    """AU-02: either both columns are always there, or a CHECK of the database reads both."""
    assert pairs()
    loose = []
    for model, at, by in pairs():
        nullable = model._meta.get_field(at).null or model._meta.get_field(by).null
        checked = [each for each in model._meta.constraints if isinstance(each, CheckConstraint) and {at, by} <= mentioned(each.condition)]
        if nullable and not checked:
            loose.append(f"{model._meta.label}.{at}")
    assert not loose


@pytest.mark.parametrize("command", ["states", "privileges", "roles"])
def test_generated_page_is_current(command):
    """`make check` compares too; here the file is held by every run of the tests."""
    room = "prime_platform" if command == "privileges" else "studies"
    module = importlib.import_module(f"{room}.management.commands.{command}")
    written = {
        "states": lambda: module.document(list(apps.get_models())),
        "privileges": lambda: module.document(module.privileges.tables(), module.ledger.WRITERS),
        "roles": lambda: module.document(module.GRANTS),
    }[command]()
    assert module.TARGET.read_text(encoding="utf-8") == written
