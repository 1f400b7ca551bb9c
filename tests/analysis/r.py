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
