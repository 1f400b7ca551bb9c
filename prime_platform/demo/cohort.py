"""A synthetic accrual: four hospitals, some fifty resections screened, about forty of them enrolled (seeded, SYNTHETIC).

Every row goes through the write function that a coordinator's page calls, under the coordinator's own name.
"""

import random
from datetime import date, timedelta

from django.utils import timezone

from accounts.models import User
from prime_platform.demo import people
from studies import consent, enrollment, screening, setup
from studies.models import Center, Screening, Study

CODE = "DEMO"
SEED = 20260101
SCREENED_PER_CENTER = (14, 13, 12, 11)
NAMES = (
    ("演示甲医院", "Demo Hospital A"),
    ("演示乙医院", "Demo Hospital B"),
    ("演示丙医院", "Demo Hospital C"),
    ("演示丁医院", "Demo Hospital D"),
)
YES = (
    "histology_hcc",
    "r0_resection",
    "he_slide_qualified",
    "baseline_complete",
    "imaging_phases",
    "imaging_quality",
    "prior_baseline_available",
)
NO = ("prior_therapy", "other_malignancy")


def build(*, today: date | None = None) -> Study:
    """Make the study with its centers, people and patients; `today` is the day it is seen from."""
    today = today or timezone.localdate()
    system = User.objects.system()
    began = today - timedelta(days=300)
    study = setup.create_study(
        code=CODE,
        title_zh="肝癌术后辅助治疗（演示）",
        title_en="Adjuvant therapy after HCC resection (demo)",
        protocol_id="hcc_adjuvant",
        accrual_from=began,
        by=system,
        synthetic=True,
    )
    study = setup.advance_phase(study=study, to="accrual", by=system)
    centers = [open_center(study, number, began, by=system) for number in range(1, 5)]
    people.populate(study, centers, by=system)
    dice = random.Random(SEED)  # noqa: S311 - a repeatable demonstration, not a secret
    for center, count in zip(centers, SCREENED_PER_CENTER, strict=True):
        coordinator = User.objects.get(username=f"coordinator{center.code}")
        for surgery in sorted(today - timedelta(days=dice.randint(4, 280)) for _ in range(count)):
            resection(center, surgery, coordinator, dice, today)
    return study


def open_center(study: Study, number: int, began: date, *, by: User) -> Center:
    zh, en = NAMES[number - 1]
    center = setup.add_center(study=study, code=f"{number:02d}", name_zh=zh, name_en=en, by=by)
    until = began + timedelta(days=1095)
    setup.file_ethics_approval(center=center, number=f"DEMO-EC-{number:02d}", valid_from=began, valid_until=until, by=by)
    return setup.open_center(center=center, on=began, by=by)


def resection(center: Center, surgery: date, coordinator: User, dice: random.Random, today: date) -> Screening:
    """One patient from the operating list: usually eligible and enrolled, sometimes not, sometimes not yet known."""
    fate = dice.random()
    answers = dict.fromkeys(YES, "yes") | dict.fromkeys(NO, "no")
    answers["imaging_date"] = (surgery - timedelta(days=dice.randint(3, 30))).isoformat()
    screened_on = min(surgery + timedelta(days=dice.randint(1, 4)), today)
    if fate < 0.06:
        answers["r0_resection"] = "no"
    elif fate < 0.12 or surgery > today - timedelta(days=9):
        answers["histology_hcc"] = answers["he_slide_qualified"] = "unknown"
    line = screening.screen(
        center=center,
        surgery_date=surgery,
        age_at_surgery=dice.randint(31, 75),
        sex=dice.choices("MF", (4, 1))[0],
        answers=answers,
        on=screened_on,
        by=coordinator,
    )
    return decide(line, fate, dice, coordinator, today)


def decide(line: Screening, fate: float, dice: random.Random, coordinator: User, today: date) -> Screening:
    """What became of a screened patient: excluded with a reason, still open, or consented and enrolled."""
    if line.eligibility["verdict"] == "fail":
        return screening.exclude(screening=line, reason_code="not_eligible", by=coordinator)
    if fate > 0.94:
        return screening.exclude(screening=line, reason_code="consent_declined", by=coordinator)
    if line.eligibility["verdict"] == "unknown":
        return line
    consent.record(screening=line, form_version="2.1", signed_on=line.screened_on, by=coordinator)
    enrolled_on = min(line.screened_on + timedelta(days=dice.randint(2, 7)), today)
    enrollment.enroll(screening=line, on=enrolled_on, by=coordinator)
    return line
