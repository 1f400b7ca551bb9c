"""Two hospitals with everything an address can name, committed, so that the site's own login can be asked for it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models, transaction

from accounts import audit, scope
from accounts.models import User
from imaging.edge import envelope
from imaging.models import (
    ArchivedObject,
    Extraction,
    ImagingStudy,
    Instance,
    InstanceConflict,
    Package,
    PassMember,
    Roi,
    RoiOutline,
    Series,
)
from prime_platform import isolation, privileges
from studies import access
from studies.models import Center, Participant, Screening
from tests import world
from tests.gates.test_addresses import objects_at
from tests.imaging import world as imaging_world


@dataclass
class Hospitals:
    """The study of the pages with the objects of each hospital by kind, and the study of the gateways."""

    site: world.World
    objects: dict[str, dict[str, Any]]
    participants: dict[str, Participant]
    gateways: imaging_world.World
    sealed: dict[str, tuple[str, bytes]]

    def coordinator(self, center: str) -> User:
        return self.site.people[f"coordinator{center}"]

    def marks(self, center: str) -> set[str]:
        """What would tell of a row of this hospital: its uuids, its numbers, its name."""
        line = self.participants[center].screening
        found = {str(uuid) for uuid in self.objects[center].values()}
        return found | {self.participants[center].study_number, str(line), f"Hospital {center}", f"医院{center}"}


@contextmanager
def built(folder: Path) -> Iterator[Hospitals]:
    """Both hospitals, committed; everything is gone afterwards."""
    try:
        yield _built(folder)
    finally:
        connection.close()
        call_command("flush", verbosity=0, interactive=False, allow_cascade=False, inhibit_post_migrate=True, reset_sequences=False)


@transaction.atomic
def _built(folder: Path) -> Hospitals:
    assert Path(settings.VAR) == folder
    site = world.build()
    people = {center: world.enrolled(site, center) for center in ("01", "02")}
    objects = {center: objects_at(site, center, person, folder) for center, person in people.items()}
    images, sealed = imaging_world.build(), {}
    (folder / "inbox").mkdir(exist_ok=True)
    for center in ("01", "02"):
        number = images.enrol(center).study_number
        sealed[center] = images.seal(number, imaging_world.ct_series(number, slices=2), center)
        assert images.put(sealed[center], center).status_code == 201
        _measured(people[center], Package.objects.get(digest=sealed[center][0]))
    return Hospitals(site, objects, people, images, sealed)


def _measured(participant: Participant, package: Package) -> None:
    """An image with a conflict, and how far its measuring has come: tables that no address names."""
    study = ImagingStudy.objects.get(participant=participant)
    series, roi = Series.objects.get(imaging_study=study), Roi.objects.get(series__participant=participant)
    objects = [_object(f"{participant.pk:02d}{place}") for place in range(2)]
    instance = Instance.objects.create(
        center=participant.center, series=series, sop_instance_uid=f"2.25.{participant.pk}9", object=objects[0], package=package, frames=[]
    )
    PassMember.objects.create(series=series, instance=instance)
    InstanceConflict.objects.create(instance=instance, object=objects[1], package=package)
    with audit.act(by=User.objects.system(), action="test"):
        Extraction.objects.create(roi=roi, profile_sha256="0" * 64, revision=1)
    RoiOutline.objects.create(roi=roi, revision=1, place=1, width=1, height=1, polygons=[], pixels=1)


def _object(name: str) -> ArchivedObject:
    return ArchivedObject.objects.create(
        sha256=name.encode().hex().rjust(64, "0"), size=1, media_type="application/dicom", sop_class="1", transfer_syntax="1"
    )


def apart() -> list[type[models.Model]]:
    """Every model whose rows the site reads and is shown by a rule."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and isolation.condition(model) is not None and "S" in privileges.rule(model).get(isolation.SITE, "")
    ]


def leads_to_center(model: type[models.Model]) -> bool:
    """Whether every row of a table is one center's; rows of a whole study are everybody's in it."""
    rule = isolation.rule(model)
    if model is Center or rule is None:
        return model is Center
    if rule.condition:
        return (".center_id" in rule.condition and "IS NULL" not in rule.condition) or "imaging_" in rule.condition
    return any(leads_to_center(model._meta.get_field(name).related_model) for name in rule.through)


def keys(model: type[models.Model]) -> set[Any]:
    """The keys of the rows that the present connection sees in its present scope."""
    return set(model._base_manager.values_list("pk", flat=True))


def seen_by(user: User, model: type[models.Model]) -> set[Any]:
    with scope.within_reach_of(user):
        return keys(model)


@contextmanager
def without_the_first_line() -> Iterator[None]:
    """A mutant of the program whose center filter is gone: every person is given every center, in whatever module asks."""

    def everything(model: type[models.Model], *joined: str) -> Any:
        return lambda user, permission="": model.objects.select_related(*joined)

    mutants = {
        id(access.centers_for): everything(Center),
        id(access.participants_for): everything(Participant, "center", "study", "screening"),
        id(access.screenings_for): everything(Screening, "center__study"),
        id(access.may): lambda user, permission, where: True,
        id(access.require): lambda user, permission, where: None,
    }
    with pytest.MonkeyPatch.context() as patch:
        for module in [each for name, each in sys.modules.items() if name.split(".")[0] in (*isolation.ROOMS, "prime_platform")]:
            for name, value in list(vars(module).items()):
                if id(value) in mutants:
                    patch.setattr(module, name, mutants[id(value)])
        yield


def package_path(digest: str) -> str:
    return envelope.PACKAGE_PATH.format(id=digest)
