"""The study that a mapping file describes: found, or set up once with its one center, ready to take a cohort."""

from datetime import date

from django.utils import timezone

from accounts.models import User
from studies import setup
from studies.exchange.mapping import Plan
from studies.governance import ethics
from studies.models import Center
from studies.vocabulary import Phase, StudyKind


def find(plan: Plan) -> Center | None:
    """The center of the mapping's study, or None when it has not been set up."""
    said = plan.study
    return Center.objects.select_related("study").filter(study__code=said["code"], code=said["center"]["code"]).first()


def prepare(plan: Plan, *, by: User, synthetic: bool = False) -> Center:
    """The center of the mapping's study; a retrospective study of that code is set up when there is none.

    Raises NotAllowedNow where a real prospective study shares the installation (docs/formats.md h).
    """
    if known := find(plan):
        return known
    said = plan.study
    first, last = (date.fromisoformat(said["waiver"][end]) for end in ("from", "until"))
    study = setup.create_study(
        code=said["code"],
        title_zh=said["title"]["zh"],
        title_en=said["title"]["en"],
        protocol_id=said["protocol"],
        accrual_from=date.fromisoformat(said["accrual_from"]),
        kind=StudyKind.RETROSPECTIVE,
        synthetic=synthetic,
        by=by,
    )
    name = said["center"]["name"]
    center = setup.add_center(study=study, code=said["center"]["code"], name_zh=name["zh"], name_en=name["en"], by=by)
    ethics.file_approval(center=center, number=said["waiver"]["number"], valid_from=first, valid_until=last, by=by)
    setup.advance_phase(study=study, to=Phase.ACCRUAL, by=by)
    setup.open_center(center=center, on=min(timezone.localdate(), last), by=by)
    return Center.objects.select_related("study").get(pk=center.pk)
