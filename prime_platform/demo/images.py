"""What the edge of the demonstration's center 01 is given: an operating list, and phantoms pushed over a real DICOM association.

Asked again, it sends nothing that has arrived.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from prime_platform.demo import cohort, phantoms
from studies import milestones
from studies.models import Participant

CENTER = "01"
PATIENTS = 3
SENDER = "DEMO_PACS"
OPERATIONS = (
    ("男", 61, "右半肝切除术"),
    ("女", 47, "肝左外叶切除术"),
    ("男", 55, "腹腔镜肝段切除术"),
    ("男", 68, "肝中叶切除术"),
    ("女", 59, "右后叶切除术"),
)
"""Sex, age and procedure of the invented operations."""


def patients() -> list[Participant]:
    """The three latest participants of the accruing study's center 01: their treatment window is open."""
    chosen = Participant.objects.filter(study__code=cohort.ACCRUING, center__code=CENTER).select_related("screening", "study")
    return sorted(chosen.order_by("-sequence")[:PATIENTS], key=lambda participant: participant.sequence)


def arrived() -> tuple[int, int]:
    """How many of the patients with phantoms have all their series, and how many there are."""
    received = milestones.in_force().filter(kind="series_received")
    counts = [received.filter(participant=patient).count() for patient in patients()]
    return sum(count >= len(phantoms.PHASES) for count in counts), len(counts)


def local_id(patient: Participant) -> str:
    """The invented hospital number under which the phantom of a participant is sent."""
    return f"DEMO{patient.sequence:06d}"


def send() -> Iterator[str]:
    """Push the phantoms of those whose images have not arrived; yields a sentence per patient. Raises ConnectionError."""
    edge("peer", "add", SENDER)
    for number, patient in enumerate(patients(), start=1):
        if milestones.in_force().filter(participant=patient, kind="series_received").count() >= len(phantoms.PHASES):
            continue
        edge("link", patient.study_number, local_id(patient))
        sent = push(number, patient)
        yield f"{patient.study_number}: {sent} phantom images sent as {local_id(patient)}"


def list_operations(today: date) -> Iterator[str]:
    """Take the operating list in where the edge holds none; the edge sends its rows on by itself. Raises ConnectionError."""
    if any(json.loads(edge("status", "--json"))["operations"].values()):
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "SYNTHETIC.csv"
        file.write_text(operating_list(today), encoding="utf-8")
        found = json.loads(edge("list", str(file), "--json"))
    yield f"{found.get('new', 0)} SYNTHETIC rows of an operating list taken in at the edge of center {CENTER}"


def operating_list(today: date) -> str:
    """An invented list of this month's operations, as a hospital's system prints it; every name says that nobody bears it."""
    rows = ["住院号,手术日期,姓名,性别,年龄,手术名称,诊断"]
    for place, (sex, age, procedure) in enumerate(OPERATIONS, start=1):
        day = max(today.replace(day=1), today - timedelta(days=place))
        rows.append(f"DEMO9{place:05d},{day},合成{place} SYNTHETIC,{sex},{age},{procedure},肝细胞癌")
    return "\n".join(rows) + "\n"


def edge(*words: str) -> str:
    """Run one command of the edge as its operator would, in a directory and as a user of its own; what it printed."""
    program = [sys.executable, str(settings.BASE_DIR / "manage.py"), "edge", *words, "--center", CENTER]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConnectionError(f"the edge of center {CENTER} answered: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def push(number: int, patient: Participant) -> int:
    """Send one patient's phantoms over one association; returns how many were acknowledged with 0x0000."""
    ae = AE(ae_title=SENDER)
    ae.add_requested_context(CTImageStorage)
    ae.dimse_timeout = 10
    association = ae.associate(settings.PRIME_BIND, settings.PRIME_DICOM_PORT, ae_title=settings.PRIME_DICOM_AET)
    if not association.is_established:
        raise ConnectionError(f"the edge does not take images from {SENDER} on port {settings.PRIME_DICOM_PORT}")
    scanned_on = patient.screening.surgery_date - timedelta(days=7)
    try:
        statuses = [association.send_c_store(each).get("Status") for each in phantoms.objects(number, local_id(patient), scanned_on)]
    except RuntimeError as broken:
        raise ConnectionError(f"the association with the edge broke: {broken}") from None
    finally:
        association.release()
    if any(status != 0 for status in statuses):
        raise ConnectionError(f"the edge did not acknowledge {sum(status != 0 for status in statuses)} of {len(statuses)} images")
    return len(statuses)
