"""Series for programs: read only, explicit fields, the same scope as the pages."""

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from imaging.models import Series
from imaging.series import series_for


class SeriesSerializer(serializers.ModelSerializer[Series]):
    """One series; lengths in mm, `phase` empty until a person has picked it."""

    study_number = serializers.CharField(source="participant.study_number", read_only=True)
    study_date = serializers.DateField(source="imaging_study.study_date", read_only=True)

    class Meta:
        model = Series
        fields = [
            "uuid", "study_number", "study_date", "modality", "verdict", "slice_count", "spacing_mm", "extent_mm", "thickness_mm",
            "phase_proposed", "phase_reasons", "phase", "phase_picked_at",
        ]  # fmt: skip
        read_only_fields = fields


class SeriesViewSet(viewsets.ReadOnlyModelViewSet[Series]):
    """The series of the participants that the caller may see."""

    serializer_class = SeriesSerializer
    lookup_field = "uuid"
    queryset = Series.objects.none()

    def get_queryset(self) -> QuerySet[Series]:
        return series_for(self.request.user).order_by("participant__study_number", "pk")


API_ROUTES = [("series", SeriesViewSet, "series")]
