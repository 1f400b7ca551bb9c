"""Participants and the screening log over HTTP: the same querysets and write functions as the pages."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from studies import enrollment, screening
from studies.access import Permission, centers_for, participants_for, screenings_for
from studies.models import Participant, Screening
from studies.serializers import EnrollSerializer, ParticipantSerializer, ScreeningSerializer, ScreenSerializer


class ParticipantViewSet(viewsets.ReadOnlyModelViewSet[Participant]):
    """The participants of the centers one may see."""

    serializer_class = ParticipantSerializer
    queryset = Participant.objects.none()
    lookup_field = "uuid"

    def get_queryset(self) -> QuerySet[Participant]:
        return participants_for(self.request.user)


class ScreeningViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Screening]):
    """The screening log of the centers one may see; POST screens a patient, POST …/enroll/ enrols one."""

    serializer_class = ScreeningSerializer
    queryset = Screening.objects.none()
    lookup_field = "uuid"

    def get_queryset(self) -> QuerySet[Screening]:
        return screenings_for(self.request.user)

    @extend_schema(request=ScreenSerializer, responses={201: ScreeningSerializer})
    def create(self, request: Request) -> Response:
        """Screen a patient. A repeated `row_token` answers with the line it made the first time."""
        asked = ScreenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = dict(asked.validated_data)
        center = get_object_or_404(centers_for(request.user, Permission.SCREENING_VIEW), uuid=given.pop("center"))
        made = screening.screen(center=center, by=request.user, **given)
        return Response(ScreeningSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=EnrollSerializer, responses={201: ParticipantSerializer})
    @action(detail=True, methods=["post"])
    def enroll(self, request: Request, uuid: str) -> Response:
        """Enrol the screened patient; 409 says everything that stands in the way."""
        asked = EnrollSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        participant = enrollment.enroll(screening=self.get_object(), by=request.user, on=asked.validated_data.get("on"))
        return Response(ParticipantSerializer(participant).data, status=status.HTTP_201_CREATED)


API_ROUTES = [("participants", ParticipantViewSet, "api-participant"), ("screenings", ScreeningViewSet, "api-screening")]
