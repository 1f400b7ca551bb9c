"""The benchmark compares like with like: all programs must find the same numbers. Seconds are never asserted."""

from analysis.benchmarks import survival


def test_all_programs_of_the_benchmark_agree() -> None:
    rows = survival()
    assert {"ours", "lifelines"} <= {row["tool"] for row in rows}
    assert {row["task"] for row in rows} == {"panel", "cox"}
    for row in rows:
        limit = 1e-10 if row["tool"] == "R survival" or row["task"] == "panel" else 1e-4
        assert row["difference"] <= limit and row["ratio"] > 0
