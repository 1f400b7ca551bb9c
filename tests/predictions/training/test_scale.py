"""Ten thousand patients with two thousand features are trained within eight GiB."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.predictions.training import planted
from tests.predictions.training.test_train_prime import LIGHT, ROOT

PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "manage.py", "train", "prime-s", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(("n", "features"), [(300, 60), pytest.param(10_000, 2_000, marks=pytest.mark.soak)])
def test_training_stays_within_eight_gib(tmp_path, n, features):
    rows, _ = planted.cohort(1, n=n, radiomics=features * 19 // 20, clinical=features // 20, signal=0.8)
    frame = pd.DataFrame(rows.x, columns=list(rows.features))
    frame = frame.assign(patient=[f"S{place:05d}" for place in range(n)], center=rows.center, time=rows.time, event=rows.event.astype(int))
    frame.to_parquet(tmp_path / "table.parquet")
    given = ["--data", str(tmp_path / "table.parquet"), "--out", str(tmp_path / "out"), "--preset", LIGHT]
    said = subprocess.run([sys.executable, "-c", PEAK, *given], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    print(f"{n} patients, {features} features: {said.strip()} MiB")
    assert int(said) < 8 * 1024
    assert json.loads((tmp_path / "out" / "report.json").read_text())["candidates"] == features
