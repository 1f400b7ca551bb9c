"""`python -m tests.journeys.sealed_study UID_BASE PATIENTS`: as `small_study`, with a SYNTHETIC study that is ready to seal.

It has models, a plan and custodians; its clock stands so far behind that the journey ends today.
"""

from datetime import timedelta
from pathlib import Path

from prime_platform.embedded import state
from tests.journeys import small_study

CODE, CENTER = "SEALED", small_study.CENTER
BEHIND = 191  # days that the journey moves the clock
OPERATED = 10  # days from surgery to the journey's first day


def make(var: Path, who: state.Identities, *, patients: int) -> list[str]:
    """The study and the edge, by the functions that the pages and commands use."""
    from django.utils import timezone

    from accounts.models import User
    from prime_platform.demo import cohort, custody, papers
    from studies import setup
    from tests import world as worlds

    system = User.objects.system()
    began = timezone.localdate() - timedelta(days=BEHIND + 60)
    study = setup.create_study(
        code=CODE, title_zh="封存", title_en="Sealed", protocol_id="hcc_adjuvant", accrual_from=began, by=system, synthetic=True,
        clock_days=-BEHIND,
    )  # fmt: skip
    world = worlds.World(setup.advance_phase(study=study, to="accrual", by=system))
    center = setup.add_center(study=study, code=CENTER, name_zh="医院01", name_en="Hospital 01", by=system)
    for role in ("coordinator", "site_pi"):
        worlds.join(world, f"{role}{CENTER}", role, center)
    papers.file_all(center, since=began, until=began + timedelta(days=900), by=system)
    world.centers[CENTER] = setup.open_center(center=center, on=began, by=system)
    worlds.join(world, "investigator", "investigator", None)
    custody.prepare(world.study, by=system)
    surgery = world.study.today() - timedelta(days=OPERATED)
    numbers = [worlds.enrolled(world, CENTER, surgery=surgery).study_number for _ in range(patients)]
    cohort.anchor(world.study)
    state.settle(var, who)
    small_study.equip(world.study, var, who)
    return numbers


if __name__ == "__main__":
    small_study.run(make)
