"""Exports over HTTP: one archive with its manifest, made and recorded as the page does."""

from typing import Any

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import step_up
from accounts.moment import at_one_moment
from prime_platform import exchange_views
from studies import access
from studies.access import Permission
from studies.exchange.export import KINDS


class ExportSerializer(serializers.Serializer[Any]):
    """What is asked for: the form of the files; true dates need a reason."""

    study = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(KINDS)
    history = serializers.BooleanField(default=False)
    true_dates = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


@at_one_moment
class ExportView(APIView):
    """POST gives a study as one archive: tables, ODM-XML or REDCap files with a manifest of rows and hashes."""

    @extend_schema(request=ExportSerializer, responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def post(self, request: Request) -> FileResponse:
        """Make the archive; dates are shifted unless `true_dates` is asked for with a reason by who may."""
        asked = ExportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        step_up.require_code(request.user, request.headers.get(step_up.HEADER, ""))
        study = get_object_or_404(access.studies_for(request.user, Permission.EXPORT_RUN), code=given["study"])
        wanted = {"dates": "true" if given["true_dates"] else "", "history": "yes" if given["history"] else "", "reason": given["reason"]}
        return exchange_views.archive(study, given["kind"], by=request.user, wanted=wanted)
