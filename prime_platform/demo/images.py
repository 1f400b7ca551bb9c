"""Sending the demonstration's phantoms: linked at the edge of center 01, then pushed over a real DICOM association.

Asked again, it sends nothing that has arrived.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from prime_platform.demo import cohort, phantoms
from studies import milestones
from studies.models import Participant

CENTER = "01"
PATIENTS = 3
SENDER = "DEMO_PACS"


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


def edge(*words: str) -> None:
    """Run one command of the edge as its operator would: it has a directory and a user of its own."""
    program = [sys.executable, str(settings.BASE_DIR / "manage.py"), "edge", *words, "--center", CENTER]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConnectionError(f"the edge of center {CENTER} answered: {done.stderr.strip() or done.stdout.strip()}")


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
