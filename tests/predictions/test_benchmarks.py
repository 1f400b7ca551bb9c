"""The benchmark compares like with like: scikit-survival finds the same C to the last bit. Seconds are never asserted."""

from predictions import benchmarks


def test_both_programs_of_the_benchmark_agree(monkeypatch):
    monkeypatch.setattr(benchmarks, "PATIENTS", 120)
    monkeypatch.setattr(benchmarks, "SAMPLES", 40)
    rows = benchmarks.bootstrap(1)
    assert [row["tool"] for row in rows] == ["ours", "scikit-survival"] * 2
    assert all(row["difference"] in {0.0, None} and row["ratio"] > 0 for row in rows)
