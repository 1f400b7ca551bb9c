"""R as the second implementation: data go over as CSV with all digits, numbers come back as JSON."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

WHY_NOT = "Rscript with the package survival is not installed"


@cache
def installed() -> bool:
    program = shutil.which("Rscript")
    asked = [program or "", "-e", "library(survival)"]
    return program is not None and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def run(directory: Path, columns: dict[str, Any], program: str) -> dict[str, Any]:
    """Run `program` with the columns as data frame `d`; it fills the list `out` with named numeric vectors."""
    names = list(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    lines = [",".join(names), *(",".join(repr(float(cell)) for cell in row) for row in rows)]
    (directory / "d.csv").write_text("\n".join(lines) + "\n")
    (directory / "p.R").write_text(f"""
suppressMessages(library(survival)); d <- read.csv("{directory / "d.csv"}"); out <- list()
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 60)
{program}
number <- function(v) ifelse(is.na(v), "null", sprintf("%.17g", v))
text <- sapply(out, function(v) paste(number(as.vector(v)), collapse = ","))
cat("{{", paste(sprintf('"%s": [%s]', names(out), text), collapse = ","), "}}")
""")
    done = subprocess.run(["Rscript", str(directory / "p.R")], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return {name: np.array(values, dtype=float) for name, values in json.loads(done.stdout).items()}


def printed(folder: Path) -> dict[str, float]:
    """What the program `analysis.R` in a folder prints: name → value."""
    done = subprocess.run(["Rscript", "analysis.R"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return {name: float(value) for name, value in (line.split("\t") for line in done.stdout.splitlines())}


def reported(analysis: dict[str, Any]) -> dict[str, float]:
    """Every number of both rows of an `analysis.json` by the name that `analysis.R` gives it."""
    found = {"naive.logrank_p": float(analysis["comparison"]["naive"]["logrank_p"])}
    for row in ("naive", "adjusted"):
        said = analysis["comparison"][row]
        triples = {"hazard_ratio": said["hazard_ratio"], "rmst_difference": said["rmst_difference"]}
        triples |= {f"survival.{name}": said["survival"][place] for place, name in enumerate(("consistent", "inconsistent"))}
        for name, values in triples.items():
            found |= {f"{row}.{name}{part}": float(value) for part, value in zip(("", ".lower", ".upper"), values, strict=True)}
        found[f"{row}.p"] = float(said["p"])
    for one in analysis.get("surveillance", ()):
        if one["n"]:
            name = f"surveillance.{one['tag'] or 'all'}.{one['strategy'] or 'all'}"
            found |= {f"{name}.checks": one["checks"], f"{name}.interval": float(one["interval"])}
            found |= {f"{name}.a_year{part}": float(value) for part, value in zip(("", ".lower", ".upper"), one["a_year"], strict=True)}
    return found
