"""`manage.py survival` as a person or a program calls it: exit status, sentences, the JSON's fixed shape, no database."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import translation

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "n", "events", "warnings", "landmark", "groups", "logrank", "logrank_stratified", "cox", "ph_test", "rmst_differences", "cif", "gray",
    "fine_gray", "cause_specific", "reverse_km",
}  # fmt: skip


def trial(n: int = 120, seed: int = 1) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    relapse, death, followed = random.exponential(500, n), random.exponential(3000, n), random.uniform(100, 1500, n)
    time = np.ceil(np.minimum(np.minimum(relapse, death), followed)).astype(int)
    event, competing = (relapse <= death) & (relapse <= followed), (death < relapse) & (death <= followed)
    arm = np.array(["TACE", "SURG", "SYS"])[random.integers(0, 3, n)]
    columns = {"time": time, "event": event.astype(int), "death": competing.astype(int), "arm": arm}
    return columns | {"center": random.integers(0, 4, n), "w": random.uniform(0.1, 2, n).round(3)}


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, trial())


def write(directory: Path, columns: dict[str, Any]) -> Path:
    rows = zip(*columns.values(), strict=True)
    path = directory / "trial.csv"
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8-sig")
    return path


def report(file: Path, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("survival", str(file), "--time", "time", "--event", "event", *options, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_json_has_the_fixed_shape(file: Path) -> None:
    found = report(file, "--arm", "arm", "--strata", "center", "--competing", "death", "--horizon", "400", "--at", "180,365")
    assert set(found) == KEYS
    [first, *_] = found["groups"]
    assert set(first) >= {"arm", "n", "events", "median", "median_ci", "km", "rmst"}
    assert [point["time"] for point in first["km"]] == [180, 365]
    assert set(first["km"][0]) == {"time", "at_risk", "events", "survival", "se", "ci"}
    assert set(first["km"][0]["ci"]) == {"log", "log-log", "plain"}
    assert set(first["rmst"]) == {"horizon", "estimate", "se"}
    assert set(found["logrank"]) >= {"statistic", "df", "p"} and set(found["logrank_stratified"]) >= {"statistic", "df", "p"}
    assert found["cox"]["ties"] == "efron" and found["cox"]["reference"] == "SURG"
    assert set(found["cox"]["terms"][0]) == {"term", "coef", "se", "robust_se", "hr", "hr_ci", "p"}
    assert [term["term"] for term in found["cox"]["terms"]] == ["arm=SYS", "arm=TACE"]
    assert {(one["arm"], one["cause"]) for one in found["cif"]} == {(arm, cause) for arm in ("SURG", "SYS", "TACE") for cause in (1, 2)}
    assert set(found["cif"][0]["points"][0]) == {"time", "estimate", "se"}
    assert all(found[key] for key in ("ph_test", "rmst_differences", "gray", "fine_gray", "cause_specific", "reverse_km"))


def test_without_options_every_event_time_is_listed_and_the_rest_is_null(file: Path) -> None:
    found = report(file)
    d = trial()
    [only] = found["groups"]
    assert only["arm"] is None and [point["time"] for point in only["km"]] == sorted(set(d["time"][d["event"] == 1].tolist()))
    assert all(found[key] is None for key in ("logrank", "cox", "ph_test", "cif", "gray", "fine_gray", "cause_specific", "landmark"))


def test_weights_give_robust_limits_and_no_log_rank(file: Path) -> None:
    """AN-08."""
    found = report(file, "--arm", "arm", "--weights", "w")
    assert found["logrank"] is None and any("log-rank" in warning for warning in found["warnings"])
    [term, _] = found["cox"]["terms"]
    assert term["hr_ci"][1] == pytest.approx(np.exp(term["coef"] + 1.959963984540054 * term["robust_se"]))


def test_landmark_is_counted_and_restarts_time(file: Path) -> None:
    """AN-07."""
    found = report(file, "--arm", "arm", "--landmark", "90")
    d = trial()
    gone = int((d["time"] <= 90).sum())
    assert found["landmark"]["excluded"] == gone == sum(one["n"] for one in found["landmark"]["by_arm"])
    assert found["n"] == 120 - gone and found["groups"][0]["km"][0]["time"] >= 1
    assert any("landmark" in warning for warning in found["warnings"])


def test_reference_chooses_the_arm_others_are_compared_with(file: Path) -> None:
    found = report(file, "--arm", "arm", "--reference", "TACE")
    assert found["cox"]["reference"] == "TACE" and found["rmst_differences"][0]["reference"] == "TACE"
    with pytest.raises(CommandError, match="not one of the arms"):
        report(file, "--arm", "arm", "--reference", "HAIC")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"time": [5], "event": [1], "arm": ["a"]}, "one arm only"),
        ({"time": [5, 6], "event": [0, 0], "arm": ["a", "b"]}, "no events"),
        ({"time": [1, 2, 3, 4], "event": [1, 1, 0, 0], "arm": ["a", "a", "b", "b"]}, "separation"),
        ({"time": [0, 0], "event": [0, 0], "arm": ["a", "b"]}, "no events"),
    ],
)
def test_little_data_give_a_report_with_nulls_and_warnings(rows: dict[str, Any], says: str, tmp_path: Path) -> None:
    found = report(write(tmp_path, rows), "--arm", "arm")
    assert any(says in warning for warning in found["warnings"])
    assert found["cox"] is None or found["cox"]["terms"][0]["coef"] is None


def test_beyond_the_data_is_null_with_a_warning(tmp_path: Path) -> None:
    """AN-06: unless the curve has reached 0 before."""
    rows = {"time": [1, 2, 3, 1, 2, 3], "event": [1, 0, 0, 1, 1, 1], "arm": list("aaabbb")}
    found = report(write(tmp_path, rows), "--arm", "arm", "--horizon", "9", "--at", "9")
    a, b = found["groups"]
    assert (a["km"][0]["at_risk"], a["km"][0]["survival"], a["rmst"]["estimate"]) == (0, None, None)
    assert (b["km"][0]["survival"], b["rmst"]["estimate"]) == (0, 2)
    assert found["rmst_differences"][0]["estimate"] is None
    assert any("horizon" in warning for warning in found["warnings"])


def test_ten_thousand_rows_are_reported_in_full(tmp_path: Path) -> None:
    found = report(write(tmp_path, trial(10_000)), "--arm", "arm", "--strata", "center")
    assert found["n"] == 10_000 and found["cox"]["terms"][0]["p"] is not None


def test_text_says_the_same_in_words(file: Path) -> None:
    out = StringIO()
    call_command("survival", str(file), "--time", "time", "--event", "event", "--arm", "arm", "--competing", "death", stdout=out)
    assert all(word in out.getvalue() for word in ("120 rows", "Arm SURG", "Log-rank", "Cox model", "Gray's test", "follow-up"))


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [([], 0, '"n": 120'), (["--event", "center"], 1, "an event is 1"), (["--arm", "arn"], 2, "did you mean arm")],
)
def test_exit_status_and_sentence_without_any_database(options: list[str], status: int, says: str, file: Path, tmp_path: Path) -> None:
    """Works in a bare checkout: the database named here does not exist."""
    environment = os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/none", "PRIME_VAR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "survival", str(file), "--time", "time", "--event", "event", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert says in (done.stdout if status == 0 else done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--at", "soon"], 2, "180,365"),
        (["--at", "-5"], 2, "not negative"),
        (["--horizon", "-1"], 2, "not negative"),
        (["--landmark", "nan"], 2, "not negative"),
        (["--horizon", "0"], 1, "must be positive"),
        (["--landmark", "99999"], 1, "nobody was observed"),
    ],
)
def test_wrong_options_end_in_a_sentence(options: list[str], status: int, says: str, file: Path) -> None:
    with pytest.raises(CommandError, match=says) as refusal:
        report(file, "--arm", "arm", *options)
    assert refusal.value.returncode == status


def test_a_missing_file_is_a_wrong_call() -> None:
    with pytest.raises(CommandError, match=r"cannot read .*nowhere.csv") as refusal:
        report(Path("/nowhere.csv"))
    assert refusal.value.returncode == 2
