"""One study from its draft to its lock: what happens to whom does not depend on what the model said."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.core.management import call_command

from accounts.models import User
from followup import events, treatment
from predictions import sealing
from predictions.models import ModelVersion, Seal
from predictions.payload import Payload, decode
from predictions.sealing_envelope import PAIRS, Envelope
from studies import setup
from studies.models import Participant
from tests import world
from tests.gates.test_addresses import OBJECTS, objects_at
from tests.predictions import sealed_world

PHASES = ("draft", "accrual", "follow_up", "locked")
ACTUAL = ("TACE", "SURG", "TACE", "TACE")
"""What the first four are given."""
AFP = ("3", "40", "4000", "30000", "9000", "20000")
"""AFP of the participants: the rule of `rules.tace_by_afp` gives TACE to the last four."""


@dataclass
class Story:
    """The study with its participants in order, and the objects that addresses name."""

    site: world.World
    participants: list[Participant] = field(default_factory=list)
    objects: dict[str, list[UUID]] = field(default_factory=dict)

    def of(self, kind: str) -> list[UUID]:
        """The objects of one kind to ask for; none before accrual."""
        return self.objects.get(kind, [])


def tell(data: bytes, folder: Path) -> Iterator[tuple[str, Story]]:
    """Build the study with one model, stopping in each phase."""
    story = Story(world.build("TWIN", phase="draft", anew=True))
    sealed_world.prepare(story.site, data)
    yield "draft", story
    story.site.study = _phase(story, "accrual")
    _enrol(story, folder)
    call_command("infer", "--once", "--study", "TWIN")
    _treat(story)
    yield "accrual", story
    story.site.study = _phase(story, "follow_up")
    _follow(story)
    yield "follow_up", story
    story.site.study = _phase(story, "locked")
    yield "locked", story


def said() -> dict[int, Payload]:
    """What every seal says, by its participant's key."""
    return {seal.participant_id: opened(seal) for seal in Seal.objects.order_by("ledger_index")}


def opened(seal: Seal) -> Payload:
    """What a seal says, with the keys of custodians A and C."""
    envelope = Envelope(bytes(seal.ciphertext), {pair: bytes(getattr(seal, f"wrap_{pair.lower()}")) for pair in PAIRS})
    record = sealing.SealRecord({name: seal.body[name] for name in sealing.ASSOCIATED}, envelope, seal.body)
    half = sealing.peel(record, "AC", sealed_world.KEYS["A"])
    return decode(sealing.open_half(record, "AC", half, sealed_world.KEYS["C"]).payload)


def _phase(story: Story, to: str) -> object:
    study = setup.advance_phase(study=story.site.study, to=to, by=User.objects.system())
    for center in story.site.centers.values():
        center.study = study
    return study


def _enrol(story: Story, folder: Path) -> None:
    """Six patients with complete inputs at both centers, the last with everything an address can name; and one whose inputs are missing."""
    centers = ("01", "01", "01", "01", "02", "01")
    story.participants = [sealed_world.complete(story.site, center, afp=afp) for center, afp in zip(centers, AFP, strict=True)]
    story.participants.append(world.enrolled(story.site, "01"))
    first = objects_at(story.site, "01", story.participants[5], folder)
    assert set(first) == set(OBJECTS.values())
    story.objects = {kind: [uuid] for kind, uuid in first.items()}
    story.objects["model"] = list(ModelVersion.objects.filter(study=story.site.study).values_list("uuid", flat=True))
    story.objects["participant"] = [story.participants[place].uuid for place in (5, 2, 4)]


def _treat(story: Story) -> None:
    """The second gets nothing, declared after the window, the other three of hospital 01 get TACE; the fifth is not known."""
    setup.advance_clock(study=story.site.study, days=80, by=User.objects.system())
    by = story.site.people["coordinator01"]
    for participant, actual in zip(_fresh(story), ACTUAL, strict=False):
        surgery = participant.screening.surgery_date
        if actual == "TACE":
            start = (surgery + timedelta(35)).isoformat()
            treatment.record_course(participant=participant, kind="TACE", intent="adjuvant", start=start, source="operation note", by=by)
            treatment.close_window(participant=participant, on=surgery + timedelta(92), by=by)
        else:
            treatment.declare_no_adjuvant(participant=participant, declared_on=surgery + timedelta(91), source="visit", by=by)
        events.record_assessment(
            participant=participant, on=surgery + timedelta(36), modality="CT", adequate=True, finding="free", by=by, visit="M1"
        )


def _follow(story: Story) -> None:
    """A recurrence, a death, a call."""
    setup.advance_clock(study=story.site.study, days=100, by=User.objects.system())
    by = story.site.people["coordinator01"]
    found = _fresh(story)
    surgery = found[0].screening.surgery_date
    events.record_recurrence(participant=found[0], first_seen_on=surgery + timedelta(150), site="intrahepatic", modality="CT", by=by)
    events.record_death(participant=found[1], on=(surgery + timedelta(170)).isoformat(), cause="hcc", by=by)
    events.record_contact(participant=found[2], on=surgery + timedelta(180), outcome="answered", by=by)


def _fresh(story: Story) -> list[Participant]:
    """The participants as the database has them now, with the clock of their study."""
    rows = Participant.objects.select_related("study", "screening", "center").in_bulk([each.pk for each in story.participants])
    return [rows[each.pk] for each in story.participants]
