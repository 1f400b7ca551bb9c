"""What the API says of a screening and a participant, field by field, and what it accepts."""

from typing import Any

from rest_framework import serializers

from studies.models import Participant, Screening
from studies.vocabulary import Sex


class ScreeningSerializer(serializers.ModelSerializer[Screening]):
    """A line of the screening log."""

    center = serializers.CharField(source="center.code", read_only=True)
    label = serializers.CharField(source="__str__", read_only=True)

    class Meta:
        model = Screening
        fields = [
            "uuid", "center", "number", "label", "screened_on", "surgery_date", "age_at_surgery", "sex",
            "answers", "eligibility", "status", "exclusion_reason",
        ]  # fmt: skip
        read_only_fields = fields


class ParticipantSerializer(serializers.ModelSerializer[Participant]):
    """A participant: study number and the facts of enrolment."""

    center = serializers.CharField(source="center.code", read_only=True)
    study = serializers.CharField(source="study.code", read_only=True)
    screening = serializers.UUIDField(source="screening.uuid", read_only=True)
    surgery_date = serializers.DateField(source="screening.surgery_date", read_only=True)

    class Meta:
        model = Participant
        fields = ["uuid", "study", "center", "study_number", "screening", "surgery_date", "enrolled_on", "status", "withdrawn_on"]
        read_only_fields = fields


class ScreenSerializer(serializers.Serializer[Any]):
    """What is sent to screen a patient; a birth date becomes the age at surgery and is dropped."""

    center = serializers.UUIDField()
    surgery_date = serializers.DateField()
    birth_date = serializers.DateField(required=False, write_only=True)
    age_at_surgery = serializers.IntegerField(required=False, min_value=0, max_value=120)
    sex = serializers.ChoiceField(choices=Sex.choices, default=Sex.UNKNOWN)
    answers = serializers.DictField(child=serializers.CharField(max_length=10), required=False)
    row_token = serializers.CharField(max_length=64, required=False)
    on = serializers.DateField(required=False)


class EnrollSerializer(serializers.Serializer[Any]):
    """What is sent to enrol a screened patient: the day, by default today."""

    on = serializers.DateField(required=False)
