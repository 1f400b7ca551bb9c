"""What the result page and the report say of the opened predictions, from an opening's own words to sentences in both languages."""

from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from analysis import opening_predictions, predictions_page
from studies import protocol
from tests.analysis_pure import result_rows
from tests.analysis_pure.test_opening_predictions import NAMES, PLAN, sealed

STUDY = SimpleNamespace(protocol=protocol.load("hcc_adjuvant"))


@pytest.fixture(scope="module")
def said():
    """1,200 patients without any effect of treatment, each with a sealed answer."""
    rows, found = result_rows.made(12, n=1200, centers=6)
    opened = result_rows.opened(rows)
    opened.seals = sealed(rows, found)
    return opening_predictions.worth(opened, rows, found, NAMES, **PLAN)


def shown(said, language, **more):
    with translation.override(language):
        return render_to_string("analysis/_predictions.html", {"predictions": predictions_page.page(said, STUDY), **more})


def test_lines_of_every_strategy_and_both_gains(said):
    with translation.override("en"):
        page = predictions_page.page(said, STUDY)
    assert [row["n"] for row in page["groups"]] == [one["n"] for one in said["foretold"]]
    first, told = page["groups"][0], said["foretold"][0]
    assert first["label"] == "All who have a tag"
    assert first["concordance"].startswith(f"{float(told['concordance'][0]):.3f} (")
    assert first["months"][0]["foretold"] == f"{100 * float(told['months'][0]['foretold']):.1f}"
    assert [row["months"].split(" ")[0] for row in page["policy"]["rows"][:2]] == [
        f"{float(said['policy'][name][0]) / 30.4375:.1f}" for name in ("recommended", "observed")
    ]
    assert len(page["policy"]["gains"]) == 2 and page["policy"]["gains"][0]["months"][0] in "+−"


def test_both_languages_and_the_warning_against_comparing_lines(said):
    english, chinese = shown(said, "en"), shown(said, "zh-hans")
    assert "not to be compared with one another" in english and "As it was done" in english
    assert "各行之间不可相互比较" in chinese and "按实际所行" in chinese
    assert "<details>" in english and "<details>" not in shown(said, "en", whole=True)


def test_refusals_are_sentences_and_older_results_show_nothing(said):
    refused = {"foretold": [], "policy": {"refused": "errors between centers need three of them"}}
    assert "Errors between centers need three centers at least." in shown(refused, "en")
    assert "No prediction that counts came with estimates." in shown(refused, "en")
    assert predictions_page.page({"sensitivity": []}, STUDY) == {}
