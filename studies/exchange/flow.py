"""The eligibility flow of a screening log: how many meet, fail or cannot be judged by each criterion, and how many are left after it.

Everything is counted from the verdicts that the protocol's criteria gave when a line was judged; nothing is judged here.
"""

from collections import Counter
from typing import Any

from studies.models import Screening, Study


def eligibility_flow(study: Study) -> dict[str, Any]:
    """The flow in the order of the protocol's criteria.

    `steps`: of those who failed no earlier criterion, how many fail this one, through which inputs, and how many remain; every
    count is the sum of the ones below it. `left`: who fails nothing, by what is unknown of them ("" where nothing is).
    """
    verdicts = [
        {each["code"]: each for each in eligibility["criteria"]}
        for eligibility in Screening.objects.filter(center__study=study).order_by("pk").values_list("eligibility", flat=True).iterator(1000)
    ]
    protocol, remaining, steps = study.protocol, verdicts, []
    for criterion in protocol.criteria:
        out = [each for each in remaining if each[criterion.code]["verdict"] == "fail"]
        remaining = [each for each in remaining if each[criterion.code]["verdict"] != "fail"]
        steps.append(
            {
                "criterion": criterion.code,
                "text": {"zh": criterion.text.zh, "en": criterion.text.en},
                "all": _count(verdicts, criterion.code),
                "fail": len(out),
                "through": dict(sorted(Counter(", ".join(each[criterion.code]["failed"]) for each in out).items())),
                "remain": len(remaining),
            }
        )
    unknown = Counter(", ".join(code for code, each in line.items() if each["verdict"] == "unknown") for line in remaining)
    return {"screened": len(verdicts), "steps": steps, "left": dict(sorted(unknown.items()))}


def _count(verdicts: list[dict[str, dict[str, Any]]], code: str) -> dict[str, int]:
    counted = Counter(each[code]["verdict"] for each in verdicts)
    return {verdict: counted[verdict] for verdict in ("pass", "fail", "unknown")}
