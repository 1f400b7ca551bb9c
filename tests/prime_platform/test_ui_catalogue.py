"""Every text is bilingual: each English msgid has a Chinese sentence, and the compiled catalogue is the one that was written."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template import Engine
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

from prime_platform.settings import BASE_DIR, TEMPLATES

ROOMS = ["accounts", "studies", "imaging", "predictions", "followup", "analysis", "prime_platform"]
CATALOGUE = BASE_DIR / "prime_platform" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django"
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
HALF_WIDTH_AFTER_HAN = re.compile(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.(?:\s|$)")


def in_python() -> Iterator[tuple[str, str]]:
    """(msgid, file) of every call of a translation function with a literal; a plural is filed under its singular."""
    for room in ROOMS:
        for path in (BASE_DIR / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS and node.args:
                    text = node.args[0]
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield text.value, str(path.relative_to(BASE_DIR))


def in_templates() -> Iterator[tuple[str, str]]:
    """(msgid, file) of every translate and blocktranslate of every template."""
    options = TEMPLATES[0]["OPTIONS"]
    directories = [BASE_DIR / "prime_platform" / "templates", *(BASE_DIR / room / "templates" for room in ROOMS)]
    engine = Engine(dirs=directories, libraries=_libraries(), builtins=[], context_processors=options["context_processors"])
    for directory in directories:
        for path in directory.rglob("*.html"):
            nodes = engine.from_string(path.read_text()).nodelist
            for node in nodes.get_nodes_by_type((TranslateNode, BlockTranslateNode)):
                yield from ((msgid, str(path.relative_to(BASE_DIR))) for msgid in _msgids(node))


def _libraries() -> dict[str, str]:
    own = {file.stem: f"{room}.templatetags.{file.stem}" for room in ROOMS for file in (BASE_DIR / room / "templatetags").glob("[a-z]*.py")}
    return own | {"i18n": "django.templatetags.i18n", "static": "django.templatetags.static", "l10n": "django.templatetags.l10n"}


def _msgids(node: Node) -> Iterator[str]:
    if isinstance(node, TranslateNode):
        yield str(node.filter_expression.var.literal).replace("%", "%%")  # as Django looks it up
    elif isinstance(node, BlockTranslateNode):
        yield node.render_token_list(node.singular)[0]


def read_po(path: Path) -> dict[str, list[str]]:
    """{msgid: [msgstr, …]} of a .po file, fuzzy entries left out."""
    entries: dict[str, list[str]] = {}
    for block in re.split(r"\n\s*\n", path.read_text()):
        lines = [line for line in block.splitlines() if not line.startswith("#~")]
        if any(line.startswith("#,") and "fuzzy" in line for line in lines):
            continue
        fields: dict[str, str] = {}
        key = ""
        for line in lines:
            if found := re.match(r'(msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")$', line):
                key = found.group(1)
                fields[key] = ast.literal_eval(found.group(2))
            elif line.startswith('"') and key:
                fields[key] += ast.literal_eval(line)
        said = [value for name, value in fields.items() if name.startswith("msgstr")]
        if "msgid" in fields:
            entries[fields["msgid"]] = said
    return entries


def test_text_is_translated_everywhere() -> None:
    """Bilingual: no msgid of a template or a module lacks its Chinese sentence."""
    known = {msgid for msgid, said in read_po(CATALOGUE.with_suffix(".po")).items() if said and all(said)}
    missing = sorted(
        {
            (msgid, file)
            for source in (in_python, in_templates)
            for msgid, file in source()
            if msgid.strip() not in known and msgid not in known
        }
    )
    assert not missing, "\n".join(f"{file}: {msgid!r}" for msgid, file in missing)


def test_catalogue_is_the_compiled_one() -> None:
    """The .mo that ships says what the .po says."""
    written = {msgid: said[0] for msgid, said in read_po(CATALOGUE.with_suffix(".po")).items() if msgid and said and said[0]}
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    known = {key[0] if isinstance(key, tuple) else key: said for key, said in compiled._catalog.items() if key}  # type: ignore[attr-defined]
    assert known == written


def test_placeholders_survive_translation() -> None:
    """A sentence that names a value in English names it in Chinese."""
    for msgid, said in read_po(CATALOGUE.with_suffix(".po")).items():
        for sentence in said:
            if msgid and sentence:
                assert set(re.findall(r"%\(\w+\)[sd]", msgid)) == set(re.findall(r"%\(\w+\)[sd]", sentence)), msgid


def test_chinese_punctuation_is_full_width() -> None:
    """Full-width punctuation in Chinese only, and de-identification is never called anonymous (design/ui, Languages)."""
    for msgid, said in read_po(CATALOGUE.with_suffix(".po")).items():
        for sentence in said if msgid else []:
            assert not HALF_WIDTH_AFTER_HAN.search(sentence), sentence
            assert "匿名" not in sentence
            assert not re.search(r"[，。；：！？（）]", msgid), msgid


@pytest.mark.parametrize("text", ["一致, 不一致", "复核.", "为何?"])
def test_punctuation_check_finds_half_width_marks(text: str) -> None:
    """The check above has teeth."""
    assert HALF_WIDTH_AFTER_HAN.search(text)
