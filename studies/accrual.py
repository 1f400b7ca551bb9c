"""Pooled accrual of a study: how many were screened, enrolled and not enrolled, by center. No participant, no outcome."""

from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from studies.models import Center, Study
from studies.vocabulary import ScreeningStatus


def figures(study: Study) -> dict[str, Any]:
    """Rows by center, their sums, and the figures made of the sums; screened = enrolled + not enrolled + open (EN-07)."""
    counts = {
        "screened": Count("screenings"),
        **{name: Count("screenings", filter=Q(screenings__status=status)) for name, status in PARTS.items()},
    }
    centers = [{"center": center, **{name: getattr(center, name) for name in counts}} for center in study.centers.annotate(**counts)]
    total = {name: sum(row[name] for row in centers) for name in counts}
    return {"centers": centers, "total": total, "figures": _figures(study, total, [row["center"] for row in centers])}


PARTS = {"enrolled": ScreeningStatus.ENROLLED, "excluded": ScreeningStatus.EXCLUDED, "open": ScreeningStatus.SCREENED}


def _figures(study: Study, total: dict[str, int], centers: list[Center]) -> list[dict[str, Any]]:
    share = f"{total['enrolled'] / total['screened']:.0%}" if total["screened"] else "–"
    opened = sum(center.opened_on is not None for center in centers)
    return [
        {
            "label": _("Enrolled"),
            "value": total["enrolled"],
            "of": _("of %(target)s") % {"target": f"{study.protocol.target:,}"},
            "more": _("%(share)s of those screened") % {"share": share},
        },
        {"label": _("Screened"), "value": total["screened"], "more": _("every resection, enrolled or not")},
        {"label": _("Not enrolled"), "value": total["excluded"], "more": _("each with a reason")},
        {"label": _("Undecided"), "value": total["open"], "more": _("screened, not yet decided")},
        {
            "label": _("Centers open"),
            "value": opened,
            "of": _("of %(target)s") % {"target": len(centers)},
            "more": _("accrual from %(day)s") % {"day": study.accrual_from},
        },
    ]
