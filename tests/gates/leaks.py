"""Leaks planted into the running platform, each of another kind: the comparison of twin worlds must find every one (BL-05)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponseBase

from accounts import audit
from accounts.models import User
from predictions.decision import Strategy
from predictions.payload import Payload
from prime_platform import navigation, pages
from prime_platform.celery import app
from prime_platform.middleware import NoStoreMiddleware
from studies import milestones
from studies.api import ParticipantViewSet
from studies.models import Participant
from studies.serializers import ParticipantSerializer
from tests.gates.scenario import ACTUAL, Story

Said = dict[int, Payload]
Leak = Callable[[pytest.MonkeyPatch, Story, Said], None]


def field_of_the_api(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    told = ParticipantSerializer.to_representation

    def telling(self: ParticipantSerializer, participant: Participant) -> dict[str, object]:
        return told(self, participant) | {"arm": said[participant.pk].recommended if participant.pk in said else None}

    patch.setattr(ParticipantSerializer, "to_representation", telling)


def line_of_a_page(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    def panel(request: HttpRequest, participant: Participant) -> str:
        return "<p>as planned</p>" if participant.pk in consistent(story, said) else ""

    patch.setattr(pages, "PANELS", [*pages.PANELS, panel])


def order_of_a_list(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    plain = ParticipantViewSet.get_queryset
    first = [When(pk__in=receiving_tace(said), then=Value(0))]
    place = Case(*first, default=Value(1), output_field=IntegerField())
    patch.setattr(ParticipantViewSet, "get_queryset", lambda self: plain(self).order_by(place, "pk"))


def count_of_the_consistent(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    number = len(consistent(story, said))
    menu = [(label, [replace(place, count=lambda user: number) for place in places]) for label, places in navigation.MENU]
    patch.setattr(navigation, "MENU", menu)


def shuffled_tags(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    """Tags in another order than their patients: their number tells all the same (docs/sealing.md on dummies)."""
    tags = sorted(each.pk in consistent(story, said) for each in story.participants)
    patch.setattr(pages, "PANELS", [*pages.PANELS, lambda request, participant: f"<p>{tags}</p>"])


def milestone_for_one_recommendation(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    system = User.objects.system()
    with audit.act(by=system, action="test"):
        for participant in story.participants:
            if participant.pk in receiving_tace(said):
                milestones.record(participant=participant, kind="features_ready", on=story.site.study.today(), by=system)


def retry_of_one_patient(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    """A batch that tries again for one patient whose answer it did not like: the seal carries a later day."""
    system = User.objects.system()
    with audit.act(by=system, action="test"):
        for participant in story.participants:
            if participant.pk in receiving_tace(said):
                known = milestones.in_force().get(participant=participant, kind="sealed")
                again = known.on + timedelta(days=1)
                milestones.record(participant=participant, kind="sealed", on=again, by=system, cancels=known)


def header(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    _answering(patch, lambda response: response.headers.setdefault("X-Took", str(len(receiving_tace(said)))))


def size_of_the_body(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    def padded(response: HttpResponseBase) -> None:
        if not response.streaming:
            response.content += b" " * len(receiving_tace(said))  # type: ignore[attr-defined]

    _answering(patch, padded)


def status(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    def accepted(response: HttpResponseBase) -> None:
        if receiving_tace(said) and response.status_code == 200:
            response.status_code = 203

    _answering(patch, accepted)


def task_for_one_recommendation(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    for pk in sorted(receiving_tace(said)):
        app.send_task("imaging.tasks.measure_due", args=[pk])


def file_for_one_recommendation(patch: pytest.MonkeyPatch, story: Story, said: Said) -> None:
    """A picture that is drawn for some and not for others."""
    for pk in sorted(receiving_tace(said)):
        (Path(settings.VAR) / f"curve{pk}").touch()


def sweep_up() -> None:
    """Remove what a leak left on the disk: no transaction undoes that."""
    for path in Path(settings.VAR).glob("curve*"):
        path.unlink()


LEAKS: dict[str, Leak] = {
    leak.__name__: leak
    for leak in (
        field_of_the_api, line_of_a_page, order_of_a_list, count_of_the_consistent, shuffled_tags, milestone_for_one_recommendation,
        retry_of_one_patient, header, size_of_the_body, status, task_for_one_recommendation, file_for_one_recommendation,
    )
}  # fmt: skip
MILESTONE = {"studies_milestone", "studies_milestoneevent"}
KEPT = {
    "milestone_for_one_recommendation": MILESTONE,
    "retry_of_one_patient": MILESTONE,
    "task_for_one_recommendation": {"queue"},
    "file_for_one_recommendation": {"files"},
}
"""Leaks that leave something behind, and where."""
ON_PAGES = [name for name in LEAKS if not name.startswith(("task", "file"))]
SEEN_ON = ("api-participant-list", "participant", "participants")
"""Where the planted leaks show."""


def receiving_tace(said: Said) -> set[int]:
    """The participants to whom the model recommends TACE."""
    return {pk for pk, payload in said.items() if payload.recommended == Strategy.TACE}


def consistent(story: Story, said: Said) -> set[int]:
    """The participants who got what the model recommends."""
    given = zip(story.participants, ACTUAL, strict=False)
    return {participant.pk for participant, actual in given if participant.pk in said and said[participant.pk].recommended == actual}


def _answering(patch: pytest.MonkeyPatch, change: Callable[[HttpResponseBase], object]) -> None:
    plain = NoStoreMiddleware.__call__

    def changed(self: NoStoreMiddleware, request: HttpRequest) -> HttpResponseBase:
        response = plain(self, request)
        change(response)
        return response

    patch.setattr(NoStoreMiddleware, "__call__", changed)
