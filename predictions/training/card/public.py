"""What may be told of a model where the site reads: chosen key by key from the report of its training (docs/blinding.md §2). Pure.

Whatever is not named here stays with the model: rule, values of strategies, features, shares, learners, weights, free text.
"""

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]
SAID = (
    "model", "model_sha256", "data_sha256", "preset", "preset_sha256", "environment_sha256", "program_sha256", "feature_list_sha256",
    "seed", "landmark", "n", "events", "centers", "candidates", "dropped_before_landmark", "departures", "optimism",
)  # fmt: skip
FIGURES = (
    "n", "events", "said", "auc", "c_index", "c_uno", "auc_t", "brier", "brier_scaled", "ibs", "calibration", "net_benefit",
)  # fmt: skip
COUNTED = ("n", "events", "auc", "c_index")
PARTS = ("held_out", "external", "apparent")
GROUPS = ("low", "high", "high_against_low")


def of(report: Report) -> dict[str, Any]:
    """The public part of a report; asked of a public part, the same again."""
    found = _some(report, SAID)
    found |= {part: _some(report[part], FIGURES) for part in PARTS if report.get(part)}
    found["by_center"] = _counted(report.get("by_center", {}))
    found["subgroups"] = {name: _counted(each) for name, each in report.get("subgroups", {}).items()}
    found["missing_features"] = report.get("missing_features", len(report.get("missing", {})))
    if "risk_groups" in report:
        found["risk_groups"] = _some(report["risk_groups"], GROUPS)
    return found


def _some(said: Report, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: said[key] for key in keys if key in said}


def _counted(rows: Report) -> dict[str, Any]:
    return {name: _some(each, COUNTED) for name, each in rows.items()}
