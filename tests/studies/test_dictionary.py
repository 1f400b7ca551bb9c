"""The data dictionary as data: what it asks, in two languages, and what its linter finds."""

import copy
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from studies import dictionary, dictionary_lint, protocol, scores
from studies.dictionary import DictionaryError

FILE = dictionary.FOLDER / "hcc_adjuvant-1.0.yaml"
BOOK = dictionary.from_file(FILE)
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    data = copy.deepcopy(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    change(data)
    return data


def items_of(data: dict[str, Any], form: str) -> list[dict[str, Any]]:
    [found] = [each for each in data["forms"] if each["code"] == form]
    return [item for section in found["sections"] for item in section["items"]]


def item_of(data: dict[str, Any], code: str) -> dict[str, Any]:
    return next(item for form in data["forms"] for item in items_of(data, form["code"]) if item["code"] == code)


def test_every_shipped_dictionary_is_free_of_faults() -> None:
    for path in dictionary.all_files():
        assert dictionary_lint.faults(dictionary.from_file(path), scores.CALCULATIONS) == []


def test_every_baseline_item_of_every_protocol_is_asked_of_everybody() -> None:
    for path in protocol.all_files():
        wanted = protocol.from_file(path)
        assert dictionary_lint.protocol_faults(wanted, dictionary.load(wanted.dictionary)) == []


def test_baseline_keeps_its_fourteen_codes_and_options() -> None:
    """What was recorded before there was a dictionary keeps its meaning: codes, answers, units, bounds of protocol 1.0."""
    before = yaml.safe_load((protocol.FOLDER / "hcc_adjuvant-1.0.yaml").read_text(encoding="utf-8"))["baseline"]
    assert len(before) == 14
    for old in before:
        item = BOOK.item(old["code"])
        assert item.unit == old.get("unit", "")
        assert [option.code for option in item.options] == [option["code"] for option in old.get("options", [])]
        if old["kind"] == "number":
            assert (item.low, item.high) == (Decimal(old["low"]), Decimal(old["high"]))


def test_protocol_1_0_still_reads_with_the_digest_it_had() -> None:
    """A study opened with 1.0 goes on; the digest is that of the file as it was before the dictionary."""
    kept = protocol.load("hcc_adjuvant", "1.0", "5942af181734e6d184452490e065920d1cdd90ee02e7de205fb705cc48112c2d")
    assert kept.baseline == protocol.load("hcc_adjuvant").baseline


def test_every_text_is_there_in_both_languages() -> None:
    """Marker names and grades such as “HBV DNA”, “Ia” and “M0” are the same in both."""
    for item in BOOK.items:
        for text in (item.text, item.help, *(option.text for option in item.options)):
            assert not any("\u4e00" <= char <= "\u9fff" for char in text.en), text
            assert bool(text.zh) == bool(text.en)
    assert sum(any("\u4e00" <= char <= "\u9fff" for char in item.text.zh) for item in BOOK.items) > 90


def test_laboratory_form_asks_about_forty_items() -> None:
    """Issue 3: CBC, liver, kidney, coagulation, markers, viruses; the mockup's paste fills 30 of them."""
    items = BOOK.form("laboratory").items
    numbers = [item for item in items if item.kind == "number"]
    assert len(numbers) >= 30
    assert BOOK.form("laboratory").dated_by == "lab_date"


@pytest.mark.parametrize(
    ("code", "unit", "typed", "stored"),
    [
        ("bilirubin", "mg/dL", "1", "17.104"),  # 10 mg/L divided by 584.66 g/mol
        ("albumin", "g/dL", "4.1", "41"),
        ("creatinine", "mg/dL", "1", "88.4"),
        ("haemoglobin", "g/dL", "13.5", "135"),
        ("afp", "IU/mL", "100", "121"),
        ("tumour_diameter_cm", "mm", "45", "4.5"),
    ],
)
def test_units_are_converted_by_the_published_factors(code: str, unit: str, typed: str, stored: str) -> None:
    [conversion] = [each for each in BOOK.item(code).conversions if each.unit == unit]
    assert conversion.stored(Decimal(typed)) == Decimal(stored)


def test_pivka_is_never_converted_between_assays() -> None:
    """models.md §5: mAU/mL and ng/mL are two items."""
    assert set(BOOK.item("pivka_ii").units).isdisjoint(BOOK.item("pivka_ii_ng").units)


def _twice(data: dict[str, Any]) -> None:
    items_of(data, "tumour")[0]["code"] = "albumin"


def _unit_twice(data: dict[str, Any]) -> None:
    item_of(data, "albumin")["conversions"].append({"unit": "g/L", "factor": "1"})


def _self_branch(data: dict[str, Any]) -> None:
    item_of(data, "antiviral")["asked_if"] = {"yes": "antiviral"}


def _later_branch(data: dict[str, Any]) -> None:
    item_of(data, "hbv_since")["asked_if"] = {"yes": "cirrhosis"}


def _no_such_answer(data: dict[str, Any]) -> None:
    item_of(data, "conversion_kind")["asked_if"] = {"among": {"input": "conversion", "codes": ["perhaps"]}}


def _yes_of_three(data: dict[str, Any]) -> None:
    item_of(data, "varices")["asked_if"] = {"yes": "ascites"}


def _by_number(data: dict[str, Any]) -> None:
    item_of(data, "icg_r15")["asked_if"] = {"between": {"input": "albumin", "low": 1, "high": 2}}


def _unordered(data: dict[str, Any]) -> None:
    item_of(data, "albumin")["soft_low"] = "80"


def _boundless(data: dict[str, Any]) -> None:
    del item_of(data, "albumin")["high"]


def _no_answers(data: dict[str, Any]) -> None:
    del item_of(data, "mvi")["options"]


def _no_date(data: dict[str, Any]) -> None:
    data["orders"].append({"first": "albumin", "then": "surgery"})


def _dated_by_number(data: dict[str, Any]) -> None:
    data["forms"][2]["dated_by"] = "albumin"


def _no_calculation(data: dict[str, Any]) -> None:
    item_of(data, "icg_r15").update(kind="calculated", calculation="nothing_like_it")


def _called_alike(data: dict[str, Any]) -> None:
    item_of(data, "mvi")["options"][1]["text"] = item_of(data, "mvi")["options"][0]["text"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_twice, "item albumin is there 2 times"),
        (_unit_twice, "item albumin: unit g/L is there 2 times"),
        (_self_branch, "does not stand before it"),
        (_later_branch, "does not stand before it"),
        (_no_such_answer, "none of its answers"),
        (_yes_of_three, "use among"),
        (_by_number, "choices only"),
        (_unordered, "bounds are not in order"),
        (_boundless, "highest possible value"),
        (_no_answers, "a choice has answers"),
        (_no_date, "which is no date item"),
        (_dated_by_number, "none of its dates"),
        (_no_calculation, "no calculation nothing_like_it"),
        (_called_alike, "2 answers are called"),
    ],
)
def test_linter_names_the_fault(change: Change, fault: str) -> None:
    found = dictionary_lint.faults(dictionary.from_data(changed(change)))
    assert any(fault in each for each in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("forms"),
        lambda data: data.update(more=1),
        lambda data: item_of(data, "albumin").update(low=10),
        lambda data: item_of(data, "albumin").update(kind="float"),
        lambda data: item_of(data, "albumin").update(missing=["XX"]),
        lambda data: item_of(data, "albumin")["text"].pop("zh"),
    ],
)
def test_schema_refuses_a_malformed_file(change: Change) -> None:
    assert dictionary.schema_faults(changed(change)) != []


def test_edited_file_is_not_the_one_a_study_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text(FILE.read_text(encoding="utf-8").replace('high: "70"', 'high: "60"', 1), encoding="utf-8")
    monkeypatch.setattr(dictionary, "FOLDER", tmp_path)
    with pytest.raises(DictionaryError, match="was changed after the study adopted it"):
        dictionary.load(BOOK.id, BOOK.version, BOOK.digest)


def test_highest_version_is_taken_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FILE.read_text(encoding="utf-8")
    for version in ("1.9", "1.10"):
        (tmp_path / f"{version}.yaml").write_text(text.replace('version: "1.0"', f'version: "{version}"'), encoding="utf-8")
    monkeypatch.setattr(dictionary, "FOLDER", tmp_path)
    assert dictionary.load(BOOK.id).version == "1.10"
    assert [each.version for each in dictionary.versions(BOOK.id)] == ["1.9", "1.10"]
    for arguments in ((BOOK.id, "7"), ("nothing",)):
        with pytest.raises(DictionaryError):
            dictionary.load(*arguments)


def test_form_that_no_page_could_ask_is_refused(tmp_path: Path) -> None:
    """A form that repeats has no page: the file says so when it is read, not the coordinator when nothing can be entered."""
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump(changed(lambda data: data["forms"][0].update(repeating=True)), allow_unicode=True), encoding="utf-8")
    with pytest.raises(DictionaryError, match="repeats, and no page asks a form twice"):
        dictionary.from_file(path)


def test_command_says_what_is_wrong_and_exits_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """architecture.md: exit status 0 done, 1 a finding, 2 a fault."""
    for name, data, status in (("good.yaml", changed(lambda _data: None), 0), ("bad.yaml", changed(_unordered), 1)):
        (tmp_path / name).write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        with pytest.raises(SystemExit) as left:
            call_command("dictionary", "lint", tmp_path / name)
        assert left.value.code == status
    assert "bounds are not in order" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        call_command("dictionary", "lint", tmp_path / "none.yaml")
    assert left.value.code == 2
