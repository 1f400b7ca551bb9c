"""The protocol as data: what it says of the registration, and what its linter finds (EL-01, EL-03)."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from studies import protocol, protocol_lint
from studies.governance import conduct
from studies.protocol import ProtocolError

FILE = protocol.FOLDER / "hcc_adjuvant.yaml"
PROTOCOL = protocol.from_file(FILE)
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    data = copy.deepcopy(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    change(data)
    return data


def test_every_shipped_protocol_is_free_of_faults() -> None:
    for path in protocol.all_files():
        assert protocol_lint.faults(protocol.from_file(path)) == []


def test_criteria_are_the_twelve_of_the_registration() -> None:
    """EL-02: six inclusion and six exclusion criteria; the registration joins slides and imaging in one sentence."""
    assert [item.code for item in PROTOCOL.criteria] == [*(f"I{n}" for n in range(1, 7)), *(f"E{n}" for n in range(1, 7))]


def test_strategies_windows_and_margin_are_those_of_the_study() -> None:
    """PR-02, TX-02, domain rules §0: four strategies in order of intensity, 90 days, 36 months, δ = 0.03."""
    assert PROTOCOL.intensity == ("SURG", "TACE", "SYS", "TACE_SYS")
    assert (PROTOCOL.adjuvant_window_days, PROTOCOL.landmark_days, PROTOCOL.horizon_months) == (90, 90, 36)
    assert (str(PROTOCOL.margin), PROTOCOL.target) == ("0.03", 1000)
    assert {item.code: set(item.components) for item in PROTOCOL.strategies} == {
        "SURG": set(), "TACE": {"tace"}, "SYS": {"systemic"}, "TACE_SYS": {"tace", "systemic"},
    }  # fmt: skip


def test_visits_follow_the_schedule_with_its_windows() -> None:
    """EP-07: M1 in weeks 4 to 6, every 3 months to M24 (±21 d), M30 and M36 (±30 d); M36 ends on day 1126."""
    visits = {item.code: (item.first_day, item.last_day) for item in PROTOCOL.visits}
    assert list(visits) == ["M1", "M3", "M6", "M9", "M12", "M15", "M18", "M21", "M24", "M30", "M36"]
    assert (visits["M1"], visits["M3"], visits["M12"]) == ((28, 42), (70, 112), (344, 386))
    assert (visits["M30"], visits["M36"][1]) == ((883, 943), 1126)
    assert PROTOCOL.horizon_read_day == 1126


def test_systemic_therapy_counts_by_kind() -> None:
    """Domain rules §0, 3 and 4: TKI, anti-VEGF, ICI count; antivirals and traditional medicine do not; HAIC is other."""
    component = {item.code: item.component for item in PROTOCOL.treatments}
    assert {component[code] for code in ("tki", "anti_vegf", "ici")} == {"systemic"}
    assert {component[code] for code in ("antiviral", "tcm")} == {"none"}
    assert {component[code] for code in ("haic", "radiotherapy", "ablation")} == {"other"}


def test_every_text_is_there_in_both_languages() -> None:
    texts = [item.text for item in (*PROTOCOL.criteria, *PROTOCOL.strategies, *PROTOCOL.exclusion_reasons, *PROTOCOL.confounders)]
    texts += [text for item in PROTOCOL.inputs for text in (item.label, item.help)]
    assert all(any("\u4e00" <= char <= "\u9fff" for char in text.zh) for text in texts)
    assert not any("\u4e00" <= char <= "\u9fff" for text in texts for char in text.en)
    assert (texts[0].say("zh-hans"), texts[0].say("en")) == (texts[0].zh, texts[0].en)


def _reads_follow_up(data: dict[str, Any]) -> None:
    text = {"zh": "复发", "en": "recurrence"}
    data["inputs"].append({"code": "recurred", "kind": "answer", "dated": "follow_up", "attested": True, "label": text, "help": text})
    data["criteria"][0].update(inputs=["recurred"], expression={"yes": "recurred"})


def _hidden_deep(data: dict[str, Any]) -> None:
    _reads_follow_up(data)
    data["criteria"][0]["expression"] = {"any": [{"yes": "histology_hcc"}, {"not": {"all": [{"yes": "recurred"}]}}]}
    data["criteria"][0]["inputs"] = ["histology_hcc", "recurred"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_reads_follow_up, "after eligibility (EL-03)"),
        (_hidden_deep, "after eligibility (EL-03)"),
        (lambda d: d["criteria"][0].update(inputs=["r0_resection"]), "declares ['r0_resection'] and reads ['histology_hcc']"),
        (lambda d: d["criteria"][1].update(code="I1"), "criterion I1 is there 2 times"),
        (lambda d: d["criteria"][0].update(code="E9"), "E9 is an inclusion criterion"),
        (lambda d: d["criteria"][0].update(inputs=["nothing"], expression={"yes": "nothing"}), "which is no input"),
        (lambda d: d["criteria"][0].update(inputs=["imaging_date"], expression={"yes": "imaging_date"}), "as answer, which is date"),
        (lambda d: d.update(eligibility_at="someday"), "no point of the timeline"),
        (lambda d: d["inputs"][0].update(dated="someday"), "no point of the timeline"),
        (lambda d: d["intensity"].pop(), "intensity orders"),
        (lambda d: d["strategies"][1].update(components=[]), "2 strategies have the components []"),
        (lambda d: d.update(landmark_days=60), "TX-02"),
        (lambda d: d["visits"][1].update(day=120), "3 months are 91.3 days"),
        (lambda d: d["visits"][0].update(window=[-7, 40]), "windows of M1 and M3 overlap"),
        (lambda d: d.update(horizon_read_day=1096), "horizon is read on day 1096"),
        (lambda d: d.update(reason_not_eligible="because"), "none of the exclusion reasons"),
        (lambda d: d["imaging"].update(interval_days_max=30), "allows 42 days, the imaging rule 30"),
    ],
)
def test_linter_names_the_fault(change: Change, says: str) -> None:
    """EL-03: among others, no criterion reads what is dated after the eligibility date, however deep it hides."""
    found = protocol_lint.faults(protocol.from_data(changed(change)))
    assert any(says in fault for fault in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("margin"),
        lambda d: d.update(margin=0.03),
        lambda d: d["criteria"][0].update(expression="age >= 18"),
        lambda d: d["criteria"][0].update(expression={"python": "import os"}),
        lambda d: d["criteria"][0]["text"].pop("zh"),
        lambda d: d.update(surprise=1),
    ],
)
def test_schema_refuses_what_is_not_data(change: Change, tmp_path: Path) -> None:
    """EL-01: criteria are data, never code."""
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(changed(change), allow_unicode=True), encoding="utf-8")
    with pytest.raises(ProtocolError):
        protocol.from_file(path)


def test_digest_stands_for_the_content_and_not_for_its_layout(tmp_path: Path) -> None:
    """EL-01: another order of keys is the same protocol, another text is not."""
    same, other = tmp_path / "same.yaml", tmp_path / "other.yaml"
    same.write_text(yaml.safe_dump(changed(lambda d: None), allow_unicode=True), encoding="utf-8")
    other.write_text(yaml.safe_dump(changed(lambda d: d["title"].update(en="Other")), allow_unicode=True), encoding="utf-8")
    assert protocol.from_file(same).digest == PROTOCOL.digest != protocol.from_file(other).digest


def test_changed_file_and_unknown_versions_are_refused() -> None:
    """EL-01: a study that remembers another digest is told so instead of getting new rules."""
    assert protocol.load("hcc_adjuvant", PROTOCOL.version, PROTOCOL.digest) == PROTOCOL
    for arguments in (("hcc_adjuvant", PROTOCOL.version, "0" * 64), ("hcc_adjuvant", "99"), ("nothing",)):
        with pytest.raises(ProtocolError):
            protocol.load(*arguments)


def test_lint_command_reports_undecided_points_and_exits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """0: usable; 1: a finding; 2: unreadable. What awaits the principal investigator is listed."""
    assert _exit(lambda: call_command("protocol", "lint", "--json")) == 0
    reports = json.loads(capsys.readouterr().out)
    assert not any(report["faults"] for report in reports)
    of_conduct = [report for report in reports if report["file"].startswith("conduct/")]
    for report in (report for report in reports if report not in of_conduct):
        assert {"adjuvant_window", "imaging_interval", "margin", "systemic_therapy"} <= {item["code"] for item in report["undecided"]}
    assert [item["code"] for report in of_conduct for item in report["undecided"]] == ["deviation_categories", "hgr_required"]
    assert len(reports) == len(protocol.all_files()) + len(conduct.all_files())
    assert _exit(lambda: call_command("protocol", "lint", "--decided")) == 1
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: 1\n", encoding="utf-8")
    assert _exit(lambda: call_command("protocol", "lint", str(broken))) == 1
    wrong = tmp_path / "conduct" / "x-1.0.yaml"
    wrong.parent.mkdir()
    text = conduct.all_files()[0].read_text(encoding="utf-8").replace('"yes": adjuvant', '"yes": sealed', 1)
    wrong.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert _exit(lambda: call_command("protocol", "lint", str(wrong))) == 1
    assert "reads sealed as answer" in capsys.readouterr().out
    assert _exit(lambda: call_command("protocol", "lint", str(tmp_path / "absent.yaml"))) == 2


def _exit(run: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as left:
        run()
    return left.value.code
