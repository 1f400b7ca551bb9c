"""Which leaf of the flow a line is in, as conditions on its progress: the count of a box is the length of the list behind it."""

from django.db.models import Q, QuerySet

from studies import progress
from studies.consecutive import flow
from studies.consecutive.flow import Box
from studies.models import Progress, Study
from studies.progress import LINES
from studies.vocabulary import ScreeningStatus

LEAVES: dict[str, Q] = {
    "open.eligible": LINES["eligible"],
    "open.pathology": LINES["pathology_pending"],
    "open.unknown": LINES["unknown"],
    "open.fails": LINES["fails"],
    "enrolled.sealed": Q(status=ScreeningStatus.ENROLLED, has_seal=True),
    "enrolled.input_missing": Q(status=ScreeningStatus.ENROLLED, has_seal=False, has_input_missing=True),
    "enrolled.waiting": Q(status=ScreeningStatus.ENROLLED, has_seal=False, has_input_missing=False),
}
PARTS: dict[str, Q] = {
    "screened": Q(),
    "excluded": LINES["excluded"],
    "open": LINES["open"],
    "enrolled": LINES["enrolled"],
}


def condition(code: str) -> Q | None:
    """The condition of a box, None for a code that is no box."""
    if code.startswith(flow.EXCLUDED):
        return Q(status=ScreeningStatus.EXCLUDED, exclusion_reason=code.removeprefix(flow.EXCLUDED))
    return LEAVES.get(code, PARTS.get(code))


def tree(study: Study, lines: QuerySet[Progress]) -> Box:
    """The flow of some lines of a study's log, in two queries; reasons of earlier protocol versions keep their boxes."""
    used = lines.filter(PARTS["excluded"]).order_by("exclusion_reason").values_list("exclusion_reason", flat=True).distinct()
    reasons = list(dict.fromkeys([*(reason.code for reason in study.protocol.exclusion_reasons), *used]))
    conditions = LEAVES | {flow.EXCLUDED + reason: condition(flow.EXCLUDED + reason) or Q() for reason in reasons}
    named = {f"leaf{place}": code for place, code in enumerate(conditions)}
    counts = progress.lengths(lines, {name: conditions[code] for name, code in named.items()})
    return flow.flow({code: counts[name] for name, code in named.items()}, reasons)
