"""A study whose data are signed and locked by the functions that pages call."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import User
from accounts.reauthentication import Proof
from followup import treatment
from followup.models import TreatmentCourse
from studies.locking import locks, signing
from studies.locking.obstacles import Target
from studies.models import Lock, Meaning, Participant, Signature, UnlockRequest
from tests import world
from tests.world import PASSWORD, World

PROOF = Proof(password=PASSWORD)


def patient(site: World, center: str = "01") -> Participant:
    """A participant with one course of treatment."""
    person = world.enrolled(site, center)
    course(site, person)
    return person


def course(site: World, person: Participant, *, days: int = 5, **changes: Any) -> TreatmentCourse:
    """One course of TACE, so many days after surgery."""
    start = (person.screening.surgery_date + timedelta(days=days)).isoformat()
    facts = {"kind": "TACE", "intent": "adjuvant", "start": start, "source": "record", **changes}
    return treatment.record_course(participant=person, by=site.people[f"coordinator{person.center.code}"], **facts)


def signed(site: World, person: Participant, meaning: str = Meaning.APPROVED) -> Signature:
    """The principal investigator's signature over everything of the participant."""
    return signing.sign(participant=person, meaning=meaning, proof=PROOF, by=site.people[f"site_pi{person.center.code}"])


def target(person: Participant) -> Target:
    return Target(person.study, person.center, person)


def locked(site: World, person: Participant) -> Lock:
    """The participant signed and locked."""
    signed(site, person)
    return locks.lock(target=target(person), by=manager(site))


def opened(site: World, lock: Lock, days: int = 2) -> UnlockRequest:
    """A lock that the coordinator asked to have opened and the data manager did open."""
    asked = locks.request_unlock(lock=lock, days=days, reason="start date wrong", by=site.people["coordinator01"])
    return locks.decide_unlock(request=asked, approve=True, answer="seen the record", by=manager(site))


def manager(site: World) -> User:
    return site.people["data_manager"]


def refused():
    """A write that the trigger refuses, in a savepoint of its own."""
    return pytest.raises(DatabaseError, match="is locked")


def by(site):
    """The coordinator of hospital 01."""
    return site.people["coordinator01"]
