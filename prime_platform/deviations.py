"""The sources of cases for deviations, composed of every room that has some, and the sweep over the studies that run."""

from accounts.models import User
from followup import deviation_cases as followup_cases
from studies.governance import deviation_cases, deviations
from studies.models import Study

SOURCES: tuple[deviations.Source, ...] = (deviation_cases.participants, followup_cases.visits, followup_cases.courses)


def sweep(study: Study) -> int:
    """Raise what the rules find in one study; how many were new."""
    return deviations.sweep(study=study, sources=SOURCES, by=User.objects.system())


def sweep_all() -> int:
    """The same for every study that takes or follows patients."""
    return sum(sweep(study) for study in Study.objects.filter(phase__in=deviations.RUNNING).order_by("pk"))
