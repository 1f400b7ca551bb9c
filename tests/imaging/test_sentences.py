"""Bilingual: the imaging core says no with sentences as data; the pages that show them find each in the Chinese catalogue."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.prime_platform.test_ui_catalogue import CATALOGUE, read_po

ROOM = Path(__file__).parents[2] / "imaging"
MODULES = ("volumes", "radiomics", "radiomics_grid", "measurer", "region_reading", "segmentation", "structure_set", "drafting")


def said() -> Iterator[str]:
    """Every literal message of a Sentence: its second argument, or what a variable `text` holds for it."""
    for module in MODULES:
        for node in ast.walk(ast.parse((ROOM / f"{module}.py").read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Sentence"), args=[_, ast.Constant(value=str(text)), *_]):
                    yield text
                case ast.Assign(targets=[ast.Name(id="text")], value=ast.Constant(value=str(text))):
                    yield text
    for module in ("region_checks", "extraction"):
        for node in ast.walk(ast.parse((ROOM / f"{module}.py").read_text())):
            match node:
                case ast.Dict(keys=[_, ast.Constant(value="message"), _], values=[_, ast.Constant(value=str(text)), _]):
                    yield text


def test_every_sentence_of_the_core_is_said_in_chinese() -> None:
    known = {msgid for msgid, sentences in read_po(CATALOGUE.with_suffix(".po")).items() if all(sentences)}
    found = set(said())
    assert len(found) > 40
    assert found - known == set()
