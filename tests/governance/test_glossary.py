"""The platform calls things what the glossary calls them, in both languages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from prime_platform.settings import BASE_DIR
from studies.governance import glossary
from studies.management.commands import glossary as command
from tests.prime_platform.test_ui_catalogue import CATALOGUE, read_po
from tests.studies.world import World

DATA = [
    path
    for folder in ("studies/protocols", "studies/dictionaries", "studies/governance/conduct")
    for path in sorted((BASE_DIR / folder).glob("*.yaml"))
]


def texts(node: Any) -> Iterator[tuple[str, str]]:
    """Every pair of texts in a data file."""
    if isinstance(node, dict):
        if set(node) >= {"zh", "en"} and isinstance(node["en"], str):
            yield node["en"], node["zh"]
        for child in node.values():
            yield from texts(child)
    elif isinstance(node, list):
        for child in node:
            yield from texts(child)


def test_catalogue_agrees_with_the_glossary() -> None:
    pairs = [(msgid, sentence) for msgid, said in read_po(CATALOGUE.with_suffix(".po")).items() if msgid for sentence in said]
    assert len(pairs) > 1000
    assert glossary.disagreements(pairs) == []


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_data_files_agree_with_the_glossary(path: Path) -> None:
    pairs = list(texts(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert pairs
    assert glossary.disagreements(pairs) == []


@pytest.mark.parametrize(
    ("english", "chinese", "agrees"),
    [
        ("Screening log", "筛选日志", False),
        ("Screening log", "筛选登记表", True),
        ("3 participants", "3 名受试者", False),
        ("inconsistent", "一致", False),
        ("consistent", "不同", False),
        ("query-string", "参数", True),
    ],
)
def test_check_has_teeth(english: str, chinese: str, agrees: bool) -> None:
    assert (glossary.disagreements([(english, chinese)]) == []) is agrees


def test_terms_are_there_once_and_none_is_anonymous() -> None:
    names = [term.en for term in glossary.terms()]
    assert len(names) == len(set(names)) > 50
    assert not [term for term in glossary.terms() if "匿名" in term.zh]


def test_committed_page_is_current(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert command.TARGET.read_text(encoding="utf-8") == glossary.document()
    monkeypatch.setattr(command, "TARGET", tmp_path / "glossary.md")
    with pytest.raises(SystemExit) as left:
        call_command("glossary", "--check")
    assert left.value.code == 1
    call_command("glossary")
    call_command("glossary", "--check")


def test_page_shows_every_term(world: World) -> None:
    client = Client()
    client.force_login(world.coordinator)
    page = client.get(reverse("glossary")).content.decode()
    assert not [term.zh for term in glossary.terms() if term.zh not in page]
