"""The sweep before the lock: who was silent for 180 days is looked up in a register, whatever he withdrew from (EP-06, EP-11, EN-04)."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from followup import events, vital
from followup.models import Contact
from studies import enrollment, setup
from studies.models import Participant
from tests import world
from tests.followup.test_pages import browser_of

pytestmark = pytest.mark.django_db


def test_silent_participant_is_on_the_list_until_a_register_knows_him():
    """Operated on 100 days before a clock that goes on 100: silent for 200 days; a call without an answer is no sign of life."""
    site = world.build()
    by, surgery = site.people["coordinator01"], timezone.localdate() - timedelta(days=100)
    person, other = (world.enrolled(site, surgery=surgery) for _place in range(2))
    events.record_assessment(participant=other, on=surgery + timedelta(days=60), modality="CT", adequate=True, finding="free", by=by)
    setup.advance_clock(study=site.study, days=100, by=User.objects.system())
    study = setup.Study.objects.get(pk=site.study.pk)
    person = Participant.objects.get(pk=person.pk)
    events.record_contact(participant=person, on=study.today(), outcome="no_answer", by=by)
    assert [(each.participant_id, each.known_alive, each.asked) for each in vital.silent(by, study)] == [(person.pk, surgery, None)]
    client, address = browser_of(site, "coordinator01"), reverse("vital-looked-up", args=[person.uuid])
    assert person.study_number in client.get(reverse("vital")).content.decode()
    assert client.post(address, {"vital": "dead"}).status_code == 400
    assert client.post(address, {"vital": "unknown"}).status_code == 302
    assert [each.asked for each in vital.silent(by, study)] == [study.today()]
    enrollment.withdraw(participant=person, how_far="no_contact", on=study.today(), reason="asked for it", by=by)
    assert client.post(address, {"vital": "alive"}).status_code == 302
    assert Contact.objects.filter(participant=person, channel="registry").count() == 2
    assert not vital.silent(by, study).exists()
    assert browser_of(site, "investigator").get(reverse("vital")).status_code == 403
    assert not vital.silent(site.people["coordinator02"], study).exists()


def test_the_dead_are_not_looked_for():
    site = world.build()
    by = site.people["coordinator01"]
    person = world.enrolled(site, surgery=timezone.localdate() - timedelta(days=190))
    assert [each.participant_id for each in vital.silent(by, site.study)] == [person.pk]
    events.record_death(participant=person, on=(person.screening.surgery_date + timedelta(days=50)).isoformat(), cause="other", by=by)
    assert not vital.silent(by, site.study).exists()
