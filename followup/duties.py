"""What follow-up brings to the worklist: treatment windows to be accounted for, visits overdue and due."""

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from followup import treatment_lists, visit_lists
from studies import worklist
from studies.models import Participant

WORK: dict[str, Promise] = {
    "treatment_open": gettext_lazy("Treatment to be accounted for"),
    "visits_overdue": gettext_lazy("Visits overdue"),
    "visits_due": gettext_lazy("Visits due"),
}
"""The duties that this room brings to the worklist."""


def _work_counts(user: User) -> dict[str, int]:
    visits = visit_lists.visit_counts(user)
    return {"treatment_open": treatment_lists.treatment_count(user), "visits_overdue": visits["overdue"], "visits_due": visits["due"]}


def _work_rows(user: User, code: str, limit: int) -> list[worklist.Row]:
    if code == "treatment_open":
        return [_treatment_work(row) for row in treatment_lists.treatment_rows(user, limit=limit)]
    return [_visit_work(visit) for visit in visit_lists.first_visits(user, limit) if visit.overdue == (code == "visits_overdue")][:limit]


def _treatment_work(row: Participant) -> worklist.Row:
    state, surgery = treatment_lists.window_state(row), row.screening.surgery_date
    task = gettext_lazy("Record what was given, or declare that nothing was")
    if state == "treatment_unstated":
        task = gettext_lazy("State that everything given is recorded")
    if state == "contradiction":
        task = gettext_lazy("Mark the wrong entry")
    url = reverse("participant", args=[row.uuid]) + "#treatment"
    return worklist.Row(row.study_number, url, surgery, (row.study.today() - surgery).days, task, "", state, gettext_lazy("Open"))


def _visit_work(visit: visit_lists.OpenVisit) -> worklist.Row:
    state = "overdue" if visit.overdue else "visit_due"
    words = {"visit": visit.window.code, "opens": visit.window.opens, "closes": visit.window.closes}
    detail = _("%(visit)s, %(opens)s to %(closes)s") % words
    url = reverse("participant", args=[visit.participant]) + "#visits"
    task, link = gettext_lazy("See the participant and record the visit"), gettext_lazy("Open")
    if visit.no_contact:
        task = gettext_lazy("Look the visit up in the records; the participant is not contacted")
    return worklist.Row(visit.number, url, visit.surgery, visit.day, task, detail, state, link, late=visit.overdue)


DUTIES = worklist.Source(WORK, _work_counts, _work_rows)
