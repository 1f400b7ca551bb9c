"""The two demonstration studies: DEMO takes patients now; DEMO-PAST is five years old and can be opened. Both SYNTHETIC."""

from datetime import date, timedelta

from django.db.models import Count
from django.db.models.functions import TruncMonth
from django.utils import timezone

from accounts import anchors
from accounts.models import User
from followup import committee
from predictions import batch
from prime_platform import deviations
from prime_platform.demo import custody, papers, patients, people, replay
from studies import setup
from studies.consecutive import counts
from studies.models import Center, Screening, Study

ACCRUING, PAST = "DEMO", "DEMO-PAST"
CENTERS = ("01", "02", "03", "04")
NAMES = (
    ("演示甲医院", "Demo Hospital A"),
    ("演示乙医院", "Demo Hospital B"),
    ("演示丙医院", "Demo Hospital C"),
    ("演示丁医院", "Demo Hospital D"),
)
PAST_PATIENTS, PAST_DAYS, PAST_ACCRUAL = 140, 1720, 540
NOW_PATIENTS, NOW_DAYS = 52, 300
PENDING_DAYS = 9  # the pathology report of who was operated on later is not there yet
SEED = 20260101


def build_accruing() -> Study:
    """A study in accrual: about forty participants at four hospitals, the latest still waiting for pathology."""
    study, centers = _found(ACCRUING, "肝癌术后辅助治疗（演示）", "Adjuvant therapy after HCC resection (demo)", days=NOW_DAYS, suffix="")
    today = timezone.localdate()
    made = patients.cohort(
        count=NOW_PATIENTS,
        first=today - timedelta(days=NOW_DAYS - 10),
        last=today - timedelta(days=5),
        seed=SEED,
        centers=CENTERS,
        visits=11,
    )
    waiting = [each for each in made if each.surgery > today - timedelta(days=PENDING_DAYS)]
    return _live(study, centers, [_pending(each) if each in waiting else each for each in made], until=today)


def build_past() -> Study:
    """A study whose follow-up is over: about 150 participants, ready for the custodians."""
    study, centers = _found(
        PAST, "肝癌术后辅助治疗（演示，随访已满）", "Adjuvant therapy after HCC resection (demo, past)", days=PAST_DAYS, suffix="p"
    )
    began = timezone.localdate() - timedelta(days=PAST_DAYS)
    made = patients.cohort(
        count=PAST_PATIENTS, first=began, last=began + timedelta(days=PAST_ACCRUAL), seed=SEED + 1, centers=CENTERS, visits=11
    )
    return _live(study, centers, made, until=timezone.localdate())


def _found(code: str, zh: str, en: str, *, days: int, suffix: str) -> tuple[Study, dict[str, Center]]:
    """The study on its first day: centers opened, people named, custodians activated, plan and models declared."""
    system, began = User.objects.system(), timezone.localdate() - timedelta(days=days)
    study = setup.create_study(
        code=code, title_zh=zh, title_en=en, protocol_id="hcc_adjuvant", accrual_from=began, by=system, synthetic=True, clock_days=-days
    )
    study = setup.advance_phase(study=study, to="accrual", by=system)
    added = [_add_center(study, place, by=system) for place in range(len(CENTERS))]
    people.populate(study, added, suffix=suffix, by=system)
    centers = {center.code: _open_center(center, began, by=system) for center in added}
    custody.prepare(study, by=system)
    anchor(study)
    return study, centers


def _add_center(study: Study, place: int, *, by: User) -> Center:
    zh, en = NAMES[place]
    return setup.add_center(study=study, code=CENTERS[place], name_zh=zh, name_en=en, by=by)


def _open_center(center: Center, began: date, *, by: User) -> Center:
    papers.file_all(center, since=began, until=began + timedelta(days=2500), by=by)
    return setup.open_center(center=center, on=began, by=by)


def _live(study: Study, centers: dict[str, Center], made: list[patients.Patient], *, until: date) -> Study:
    diary = replay.Diary(study, until)
    for patient in made:
        replay.schedule(diary, patient, centers[patient.center])
    lived = diary.live(custody.SOFTWARE)
    count_surgeries(lived)
    deviations.sweep(lived)
    committee.open_cases(study=lived, by=User.objects.system())
    return lived


def count_surgeries(study: Study) -> None:
    """Each coordinator reports how many resections the hospital did in every month that has ended: as many as the log has lines (EN-01)."""
    this_month = study.today().replace(day=1)
    lines = Screening.objects.filter(center__study=study, surgery_date__lt=this_month).order_by()
    months = lines.annotate(month=TruncMonth("surgery_date")).values_list("center", "month").annotate(n=Count("pk"))
    centers = {center.pk: center for center in Center.objects.filter(study=study).select_related("study")}
    for center, month, n in months.order_by("center", "month"):
        counts.report(center=centers[center], month=month, resections=n, by=replay.coordinator(centers[center]))


def _pending(patient: patients.Patient) -> patients.Patient:
    return patients.Patient(**{**patient.__dict__, "fate": "pathology_pending"})


def advance(code: str, days: int) -> Study:
    """Move a synthetic study's clock on, day by day: batches and anchors run on each, nothing else happens by itself."""
    study = Study.objects.get(code=code)
    for _ in range(days):
        study = setup.advance_clock(study=study, days=1, by=User.objects.system())
        batch.run(study=study, at=study.now(), software=custody.SOFTWARE, seconds=600, hold=False)
        anchor(study)
    return study


def anchor(study: Study) -> None:
    """Anchor the head of a study's chain now, on its own clock."""
    anchors.write(study=study.code, at=study.now())
