"""Import of values and the codebook over HTTP: the same write functions as the pages."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from studies import access
from studies.access import Permission
from studies.exchange import tabular, value_import
from studies.exchange.faults import Refused
from studies.exchange.uploads import laid_down
from studies.models import ImportRun


class ImportSerializer(serializers.ModelSerializer[ImportRun]):
    """One import with what would become, or became, of its cells."""

    study = serializers.CharField(source="study.code", read_only=True)
    ignored = serializers.SerializerMethodField()

    class Meta:
        model = ImportRun
        fields = [
            "uuid", "study", "kind", "status", "file_sha256", "encoding", "mapping", "overwrite", "reason", "counts", "ignored", "plan",
            "planned_at", "executed_at", "undone_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_ignored(self, run: ImportRun) -> list[str]:
        """The columns of the file that name no item."""
        return list(run.content.get("ignored", []))


class CellSerializer(serializers.Serializer[Any]):
    """One cell of an import."""

    line = serializers.IntegerField()
    subject = serializers.CharField()
    column = serializers.CharField()
    target = serializers.CharField()
    verdict = serializers.ChoiceField(["new", "same", "kept", "changed", "blanked", "rejected"])
    text = serializers.CharField()
    held = serializers.CharField()
    sentence = serializers.CharField()


class PlanSerializer(serializers.Serializer[Any]):
    """What is sent for a dry run: the table, and whether fields that hold something are overwritten, with the reason."""

    study = serializers.CharField(max_length=40)
    file = serializers.FileField(max_length=200)
    overwrite = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    encoding = serializers.ChoiceField(["", *tabular.ENCODINGS], required=False, default="")


class ExecuteSerializer(serializers.Serializer[Any]):
    """What is sent to execute: the plan that the dry run gave."""

    plan = serializers.CharField(max_length=64)


class UndoSerializer(serializers.Serializer[Any]):
    """What is sent to take an import back: why."""

    reason = serializers.CharField(max_length=500)


class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ImportRun]):
    """Imports of the studies one may import into; POST makes a dry run, POST …/execute/ does it, POST …/undo/ takes it back."""

    serializer_class = ImportSerializer
    queryset = ImportRun.objects.none()
    lookup_field = "uuid"
    parser_classes = [JSONParser, MultiPartParser]

    def get_queryset(self) -> QuerySet[ImportRun]:
        studies = access.studies_for(self.request.user, Permission.IMPORT_RUN)
        return ImportRun.objects.filter(study__in=studies).select_related("study").order_by("-pk")

    @extend_schema(request={"multipart/form-data": PlanSerializer}, responses={201: ImportSerializer})
    def create(self, request: Request) -> Response:
        """Read a table and say what would become of every cell; nothing is written."""
        asked = PlanSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        study = get_object_or_404(access.studies_for(request.user, Permission.IMPORT_RUN), code=given["study"])
        wishes = {name: given[name] for name in ("overwrite", "reason", "encoding")}
        try:
            with laid_down(given["file"]) as path:
                run = value_import.plan(study=study, path=path, by=request.user, **wishes)
        except Refused as refusal:
            raise serializers.ValidationError({"file": refusal.say(get_language())}) from None
        return Response(ImportSerializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={200: CellSerializer(many=True)})
    @action(detail=True)
    def cells(self, request: Request, uuid: str) -> Response:
        """Every cell of an import, a page at a time."""
        page = self.paginate_queryset(self.get_object().cells)  # type: ignore[arg-type] # a list pages as well
        return self.get_paginated_response(page)

    @extend_schema(request=ExecuteSerializer, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def execute(self, request: Request, uuid: str) -> Response:
        """Do what the dry run showed; 409 when anything has changed since."""
        run = self.get_object()
        asked = ExecuteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if asked.validated_data["plan"] != run.plan:
            raise serializers.ValidationError({"plan": "This is not the plan of the dry run."})
        return Response(ImportSerializer(value_import.execute(run=run, by=request.user)).data)

    @extend_schema(request=UndoSerializer, responses={200: ImportSerializer})
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, uuid: str) -> Response:
        """Take an import back; 409 when somebody has changed one of its values since."""
        run = self.get_object()
        asked = UndoSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(ImportSerializer(value_import.undo(run=run, reason=asked.validated_data["reason"], by=request.user)).data)


API_ROUTES = [("imports", ImportViewSet, "api-import")]
