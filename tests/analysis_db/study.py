"""A synthetic study from enrolment to the end of follow-up, with a real (one-input) model, real seals and real custodians' keys.

Its clock runs ahead of the machine's: patients are enrolled and sealed on day 10 of the study's calendar, everything else comes
later. Patients and follow-up are written as rows, for there are many; models, seals, clock and ledger through their functions.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import audit, chain, ledger
from accounts.models import User
from followup.models import Assessment, Death, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from predictions import approval, batch, registry, replay
from predictions.sealing_keys import PrivateKey
from predictions.training import artefact
from studies import entry, milestones, setup, study_number
from studies.models import Entry, Participant, Screening, Study
from tests import world
from tests.predictions import sealed_world

SOFTWARE = replay.Software("d" * 40, "e" * 64)
PERSONS = {"A": "custodian", "B": "custodian-two", "C": "custodian-three"}
DAY = timedelta(1)
_TACE, _DRUG = {"kind": "TACE"}, {"kind": "SYSTEMIC", "drug": "lenvatinib", "drug_class": "TKI"}
COURSES: dict[str, list[dict[str, str]]] = {"SURG": [], "TACE": [_TACE], "SYS": [_DRUG], "TACE_SYS": [_TACE, _DRUG]}


def model() -> bytes:
    """TACE is recommended where AFP is high (log10 above about 2), surgery alone elsewhere."""
    fit = artefact.Terms({0: 0.8, 1: -0.05, 2: 0.3, 3: 0.3, 4: -0.6}, (0.1, 0.2, 0.3))
    evenly = tuple((0.0, 0.0) for _ in range(4))
    named = ("clinical_afp_log10",)
    return artefact.dump(artefact.StrategyModel("0", 90, 0.03, named, (2.0,), (2.0,), (1.0,), fit, (fit,) * 3, evenly, (5.0,)))


@dataclass
class Site:
    """The world, the custodians' keys, and everybody by study number in order."""

    world: world.World
    artefact: bytes = field(default_factory=model)
    keys: dict[str, PrivateKey] = field(default_factory=lambda: {letter: PrivateKey.generate() for letter in "ABC"})
    people: list[Participant] = field(default_factory=list)

    @property
    def study(self) -> Study:
        return Study.objects.get(pk=self.world.study.pk)

    @property
    def system(self) -> User:
        return User.objects.system()

    def activate(self) -> None:
        """Custodians, plan, one locked model whose file lies on the inference host."""
        study, system = self.study, self.system
        keys = {one: (PERSONS[one], key.public) for one, key in self.keys.items()}
        registry.activate(study=study, keys=keys, by=system, proven=not study.synthetic)
        registry.declare_plan(study=study, plan={"analysis": "naive and adjusted"}, by=system)
        registered = registry.register(
            study=study, name="one input", data=self.artefact, data_sha256="0" * 64, commit="a" * 40, intended_use="tests", by=system
        )
        registered = registry.validate(version=registered, report=sealed_world.report(registered.artefact_sha256), by=system)
        said = registry.to_sign(registered)
        registry.lock(version=registered, signatures={one: approval.sign(said, self.keys[one]) for one in "AB"}, by=system)
        registry.folder().mkdir(parents=True, exist_ok=True)
        (registry.folder() / f"{registered.artefact_sha256}.json").write_bytes(self.artefact)

    def enroll(self, n: int, *, seed: int = 7, after: int = 0) -> None:
        """Patients of every center, operated on ten days ago, with the baseline that the model and the confounders need."""
        random = np.random.default_rng(seed)
        surgery, now, system = self.study.today() - 10 * DAY, timezone.now(), self.system
        centers = [self.world.centers[code] for code in sorted(self.world.centers)]
        with transaction.atomic(), audit.act(by=system, action="test.enrolled"):
            for place in range(after, after + n):
                center, sequence = centers[place % len(centers)], place // len(centers) + 1
                line = Screening.objects.create(
                    center=center, number=sequence, screened_on=surgery + 2 * DAY, surgery_date=surgery, age_at_surgery=58, sex="M",
                    status="enrolled", screened_at=now, screened_by=system,
                )  # fmt: skip
                patient = Participant.objects.create(
                    study=center.study, center=center, screening=line, sequence=sequence, eligibility={},
                    study_number=study_number.make(center.code, sequence), enrolled_on=surgery + 3 * DAY,
                    enrolled_at=now, enrolled_by=system,
                )  # fmt: skip
                self._record(patient, _values(random), now)
                self.people.append(patient)

    def _record(self, patient: Participant, values: dict[str, str], now: datetime) -> None:
        """Submitted forms with these values, as rows."""
        book = self.world.study.dictionary
        for form in book.forms:
            held = {code: {"value": value} for code, value in values.items() if code in form.by_code}
            if not held:
                continue
            Entry.objects.create(
                participant=patient, form=form.code, dictionary_version=book.version, values=held, status="submitted", recorded_at=now,
                recorded_by=self.system,
            )  # fmt: skip

    def seal(self) -> None:
        """A blind batch now, by the study's clock."""
        study = self.study
        batch.run(study=study, at=study.now(), software=SOFTWARE, seconds=60.0, hold=False)

    def anchor(self) -> chain.Anchor:
        """The present head, received outside at the study's instant."""
        row = ledger.rows(self.study.code)[-1]
        made = chain.Anchor(row.index, row.head, max(chain.microseconds(self.study.now()), row.at))
        folder = Path(settings.VAR) / "anchors" / self.study.code
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row.index}.json").write_bytes(made.encode())
        return made

    def wait(self, days: int) -> None:
        setup.advance_clock(study=self.study, days=days, by=self.system)

    def follow(self, given: dict[str, str], ended: dict[str, tuple[int, str]]) -> None:
        """Strategy by study number (given on day 40), and how each ended: day and "recurrence", "death" or "free"."""
        now, system = timezone.now(), self.system
        common = {"recorded_at": now, "recorded_by": system}
        rows: list = []
        with transaction.atomic(), audit.act(by=system, action="test.followed"):
            for patient in self.people:
                surgery, number = patient.screening.surgery_date, patient.study_number
                if given[number] == "SURG":
                    rows.append(NoAdjuvantDeclaration(participant=patient, declared_on=surgery + 91 * DAY, source="file", **common))
                start = (surgery + 40 * DAY).isoformat()
                for course in COURSES[given[number]]:
                    rows.append(TreatmentCourse(participant=patient, **course, intent="adjuvant", start=start, source="file", **common))
                milestones.record(participant=patient, kind="window_closed", on=surgery + 91 * DAY, by=system)
                day, how = ended[number]
                rows += _ending(patient, surgery + day * DAY, how, common)
            for row in rows:
                row.save()


def _values(random: np.random.Generator) -> dict[str, str]:
    return {
        "afp": f"{10 ** random.normal(2, 0.8):.1f}",
        "tumour_diameter_cm": f"{random.uniform(1, 9):.1f}",
        "tumour_number": str(random.integers(1, 4)),
        "mvi": str(random.choice(["M0", "M1"])),
        "cirrhosis": str(random.choice(["yes", "no"])),
    }


def _ending(patient: Participant, on: date, how: str, common: dict) -> list:
    free = {"participant": patient, "modality": "CT", "adequate": True, "finding": "free", **common}
    if how == "free":
        return [Assessment(on=on, **free)]
    if how == "death":
        return [Death(participant=patient, on=on.isoformat(), cause="other", **common)]
    return [Recurrence(participant=patient, first_seen_on=on, confirmed_on=on, site="intrahepatic", modality="CT", **common)]


def followed_up(n: int = 120, *, seed: int = 11) -> Site:
    """A whole study without any treatment effect, ready for its opening cut: prognosis drives treatment and recurrence (F1)."""
    site = Site(world.build())
    site.activate()
    site.enroll(n)
    site.anchor()
    site.seal()
    site.anchor()
    site.wait(1300)
    random = np.random.default_rng(seed)
    given, ended = {}, {}
    held = entry.flat(site.people)
    for patient in site.people:
        values = held[patient.pk]
        prognosis = np.log10(float(values["afp"])) - 2 + 0.2 * (float(values["tumour_diameter_cm"]) - 5)
        given[patient.study_number] = "TACE" if prognosis + random.normal(0, 1) > 0 else "SURG"
        onset = 60 + random.exponential(500 / np.exp(0.7 * prognosis))
        day = int(min(onset, random.uniform(600, 1250)))
        ended[patient.study_number] = (day, "free" if day < onset - 1 else str(random.choice(["recurrence", "recurrence", "death"])))
    site.follow(given, ended)
    return site
