"""The codes that pure rules read are the codes that the tables of follow-up hold (TX-01, EP-03)."""

from analysis import strategy
from followup import history, vocabulary


def test_findings_of_an_assessment_are_the_same_codes():
    assert set(history.Finding) == set(vocabulary.Finding.values)


def test_kinds_intents_and_drug_classes_that_the_rule_names_exist():
    assert {"TACE", "HAIC", "SYSTEMIC", *strategy.NOT_ANTITUMOUR} <= set(vocabulary.Treatment.values)
    assert strategy.ADJUVANT in vocabulary.Intent.values
    assert set(vocabulary.DrugClass.values) >= strategy.SYSTEMIC_CLASSES
