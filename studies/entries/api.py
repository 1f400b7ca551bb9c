"""Forms over HTTP: read what a center recorded, and record by the same function as the page."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from studies import entry
from studies.access import participants_for
from studies.dictionary import Dictionary
from studies.models import Entry
from studies.values import NotUnderstood, Value, understand


class EntrySerializer(serializers.ModelSerializer[Entry]):
    """One form of one participant; `values` as the dictionary's version of the entry describes them."""

    participant = serializers.UUIDField(source="participant.uuid", read_only=True)
    study_number = serializers.CharField(source="participant.study_number", read_only=True)
    recorded_by = serializers.CharField(read_only=True)

    class Meta:
        model = Entry
        fields = [
            "uuid", "participant", "study_number", "form", "occurrence", "dictionary_version", "status", "values", "recorded_at",
            "recorded_by",
        ]  # fmt: skip
        read_only_fields = fields


class TypedSerializer(serializers.Serializer[Any]):
    """One value as a person would type it; an empty text takes the stored one away."""

    text = serializers.CharField(max_length=500, allow_blank=True)
    unit = serializers.CharField(max_length=20, required=False, default="", allow_blank=True)
    on = serializers.CharField(max_length=10, required=False, default="", allow_blank=True)


class RecordSerializer(serializers.Serializer[Any]):
    """What is sent to record values of a form: by item code, as text, in another unit, or with the day they were measured."""

    participant = serializers.UUIDField()
    form = serializers.CharField(max_length=40)
    occurrence = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    values = serializers.DictField(child=TypedSerializer())
    reason = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    submit = serializers.BooleanField(required=False, default=False)


class EntryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Entry]):
    """The forms of the participants one may see; POST records values, and answers 400 with a sentence per item that is refused."""

    serializer_class = EntrySerializer
    queryset = Entry.objects.none()
    lookup_field = "uuid"

    def get_queryset(self) -> QuerySet[Entry]:
        return Entry.objects.filter(participant__in=participants_for(self.request.user)).select_related("participant", "recorded_by")

    @extend_schema(request=RecordSerializer, responses={201: EntrySerializer})
    def create(self, request: Request) -> Response:
        """Record or change values of one form of one participant."""
        asked = RecordSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = dict(asked.validated_data)
        participant = get_object_or_404(participants_for(request.user), uuid=given.pop("participant"))
        values = _understood(participant.study.dictionary, given.pop("values"))
        try:
            made = entry.record(participant=participant, values=values, by=request.user, **given)
        except ValidationError as refused:
            raise serializers.ValidationError(refused.message_dict if hasattr(refused, "error_dict") else refused.messages) from None
        return Response(EntrySerializer(made).data, status=status.HTTP_201_CREATED)


def _understood(book: Dictionary, typed: dict[str, dict[str, str]]) -> dict[str, Value]:
    """The values that the texts say; raises with a sentence per text that is not understood."""
    values, faults = {}, {}
    for code, parts in typed.items():
        if not book.has(code):
            faults[code] = [entry.unknown(code)]
            continue
        try:
            said = understand(book.item(code), parts["text"], parts["unit"])
        except NotUnderstood as fault:
            faults[code] = [fault.say(get_language())]
        else:
            values[code] = Value.from_json({**said.as_json(), "on": parts["on"]}) if said else said
    if faults:
        raise serializers.ValidationError(faults)
    return values


API_ROUTES = [("entries", EntryViewSet, "api-entry")]
