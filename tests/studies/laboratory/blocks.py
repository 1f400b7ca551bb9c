"""Laboratory reports in the layouts of hospitals' systems, written by hand for tests: nobody's values. Expected outcomes by hand, too.

`reports/NAME.txt` is what is pasted, `reports/NAME.yaml` what must come of it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPORTS = Path(__file__).parent / "reports"


@dataclass(frozen=True)
class Block:
    """One pasted report and what must come of it.

    `filled`: item → (stored number or answer, comparator, unit as printed in the dictionary's spelling). `to_decide`: item → why.
    """

    text: str
    filled: dict[str, tuple[str, str, str]]
    to_decide: dict[str, str] = field(default_factory=dict)
    day: str = ""
    taken_out: tuple[int, ...] = ()


def read(name: str) -> Block:
    """The report of that name with its outcome."""
    said = yaml.safe_load((REPORTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return Block(
        text=(REPORTS / f"{name}.txt").read_text(encoding="utf-8"),
        filled={item: tuple(value) for item, value in said["filled"].items()},
        to_decide=said.get("to_decide", {}),
        day=said.get("day", ""),
        taken_out=tuple(said.get("taken_out", ())),
    )


ALL = {name: read(name) for name in ("tabs", "spaces", "side_by_side", "numbered", "english", "pairs_with_heading")}
TABS, SPACES = ALL["tabs"], ALL["spaces"]
