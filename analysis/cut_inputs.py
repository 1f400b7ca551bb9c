"""The columns that only an opening cut and a training table carry: confounders, and the inputs of the models."""

from collections.abc import Iterable

from django.db.models import F

from accounts.canonical import number
from analysis.confounders import confounders
from imaging.models import FeatureSet
from predictions import clinical
from predictions.features import PHASES, PROFILE
from studies import entry
from studies.models import Participant, Study

Columns = dict[int, dict[str, str]]
"""Participant's key → column → text, empty where not known."""


class Inputs:
    """What was known of every participant of a study before adjuvant therapy, read with a fixed number of queries."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.values = entry.flat(Participant.objects.filter(study=study), submitted=True)
        self.measured = {section: _measured(study, phase) for section, phase in PHASES.items()}

    def confounders(self, participant: Participant) -> dict[str, str]:
        """The protocol's confounders."""
        screening = participant.screening
        codes = [confounder.code for confounder in self.study.protocol.confounders]
        values = self.values.get(participant.pk, {})
        return confounders(codes, values, age_at_surgery=screening.age_at_surgery, sex=screening.sex)

    def features(self, participant: Participant) -> dict[str, str]:
        """The models' inputs as the training table names them: clinical_…, arterial_…, venous_…."""
        screening = participant.screening
        values = self.values.get(participant.pk, {})
        coded = clinical.features(values, age_at_surgery=screening.age_at_surgery, sex=screening.sex)
        found = {name: "" if value is None else number(value) for name, value in coded.items()}
        for section, (names, rows) in self.measured.items():
            known = rows.get(participant.pk, {})
            found |= {f"{section}_{name}": known.get(name, "") for name in names}
        return found


def _measured(study: Study, phase: str) -> tuple[list[str], Columns]:
    """The names of all features of a phase in order, and the newest measurement in force of each participant's series as it is now."""
    sets = FeatureSet.objects.filter(
        roi__series__participant__study=study, roi__series__phase=phase, roi__state="aligned", profile=PROFILE,
        revision=F("roi__series__revision"),
    )  # fmt: skip
    rows: Columns = {}
    for participant, values in sets.order_by("computed_at", "pk").values_list("roi__series__participant_id", "values"):
        rows[participant] = {name: "" if value == "nan" else value for name, value in values}
    return _names(rows.values()), rows


def _names(rows: Iterable[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))
