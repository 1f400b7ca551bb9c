"""What queries ask of a person today: to answer for the site, to close what was answered."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.models import User
from studies import worklist
from studies.access import permissions_of
from studies.quality import queries, query_lists

LABELS: dict[str, Promise] = {
    "queries_site": gettext_lazy("Queries to answer"),
    "queries_answered": gettext_lazy("Answered queries to close"),
}
TASKS: dict[str, tuple[str, Promise, Promise]] = {
    "queries_site": (queries.ANSWER, gettext_lazy("Compare with the source and answer"), gettext_lazy("Answer")),
    "queries_answered": (queries.CLOSE, gettext_lazy("Read the answer and close, or ask again"), gettext_lazy("Read")),
}


def _counts(user: User) -> dict[str, int]:
    held = permissions_of(user)
    if not held & {permission for permission, *_words in TASKS.values()}:
        return dict.fromkeys(TASKS, 0)
    counts = query_lists.own_counts(user)
    return {code: counts[code.removeprefix("queries_")] if permission in held else 0 for code, (permission, *_words) in TASKS.items()}


def _rows(user: User, code: str, limit: int) -> list[worklist.Row]:
    _permission, task, link = TASKS[code]
    found = query_lists.listed(user, code.removeprefix("queries_"))[:limit]
    return [_row(row, task, link) for row in query_lists.describe(found)]


def _row(row: query_lists.Row, task: Promise, link: Promise) -> worklist.Row:
    line = row.query.participant.screening if row.query.participant else None
    day = line.surgery_date if line else row.query.raised_on
    since = (row.query.center.study.today() - day).days
    return worklist.Row(
        row.number, row.url, day, since, task, f"{row.about}: {row.question}", row.state, link, row.state == "query_overdue"
    )


DUTIES = worklist.Source(LABELS, _counts, _rows)
