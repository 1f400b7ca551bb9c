"""The R programs that travel with a cut and with a result print the numbers that we print (AN-00; line 1 of the comparison)."""

import json

import numpy as np
import pytest

from accounts.canonical import number
from analysis import cut_numbers, opening_result, r_script
from analysis.reading import LastWindow
from tests.analysis import r
from tests.analysis_pure import result_rows

pytestmark = pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
DAYS, WINDOW = (365, 730, 1096, 1126), LastWindow(1066.0, 1126.0)


@pytest.mark.parametrize("window", [None, LastWindow(700.0, 800.0)], ids=["as observed", "to the end of the last window"])
def test_program_of_a_result_prints_both_rows_to_eight_digits(tmp_path, monkeypatch, window):
    """Gaps, a logarithm, words and a center without overlap among the confounders."""
    monkeypatch.setattr(opening_result, "REPLICATES", 40)
    monkeypatch.setattr(opening_result, "_window", lambda _opening: window)
    rows, found = result_rows.made()
    written = opening_result.files(result_rows.opened(rows), found)
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    theirs, ours = r.printed(tmp_path), r.reported(json.loads(written["analysis.json"]))
    assert theirs.pop("adjusted.largest_difference_of_weights") < 1e-9
    assert theirs.keys() == ours.keys()
    np.testing.assert_allclose([theirs[name] for name in ours], list(ours.values()), rtol=1e-8)


def test_program_of_a_cut_prints_its_pooled_numbers_to_ten_digits(tmp_path):
    rows, _found = result_rows.made(seed=5, n=200)
    for place in range(0, 200, 7):
        rows[place] |= {"os_event": "1", "recurrence_cause": "2" if rows[place]["rfs_event"] == "1" else "0"}
    table = result_rows.opened(rows).cut
    (tmp_path / "cut.csv").write_bytes(table)
    (tmp_path / "analysis.R").write_bytes(r_script.for_cut(DAYS, WINDOW))
    theirs, ours = r.printed(tmp_path), cut_numbers.numbers(table, DAYS, WINDOW)
    assert theirs.keys() == ours.keys() and len(ours) > 30
    np.testing.assert_allclose([theirs[name] for name in ours], [float(number(value)) for value in ours.values()], rtol=1e-10, atol=1e-14)


def test_dictionary_names_every_column():
    rows, _found = result_rows.made(n=20)
    listed = cut_numbers.dictionary(list(rows[0]), {}).decode().splitlines()
    assert [line.split(",")[0] for line in listed] == ["column", *rows[0]]
