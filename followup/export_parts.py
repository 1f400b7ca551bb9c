"""What this room brings to exports: treatment, declarations, assessments, recurrences, deaths, contacts and responses as parts."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

from followup import adjudication, response_cases
from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, Recurrence, ResponseCase, TreatmentCourse
from followup.vocabulary import (
    Channel,
    Confirmation,
    ContactOutcome,
    DeathCause,
    DrugClass,
    Finding,
    Intent,
    Modality,
    Place,
    RecurrenceNumber,
    RecurrencePattern,
    RecurrenceSite,
    ResponseCategory,
    Treatment,
    Vital,
)
from studies.dictionary import Form
from studies.exchange.parts import FOLLOW_UP, YES_NO, Part, choices, form, item, values_of
from studies.models import Participant
from studies.values import Value


def parts() -> list[Part]:
    """The parts of this room; a row that was entered in error says so and stays in the export."""
    place = item("place", "choice", "地点", "place", options=choices(Place))
    modality = item("modality", "choice", "检查方法", "modality", options=choices(Modality), cdash="TUMETHOD")
    return [
        _part(
            TreatmentCourse,
            "treatment",
            ("治疗", "Treatment"),
            item("kind", "choice", "治疗方式", "kind of treatment", options=choices(Treatment), cdash="PRTRT"),
            item("drug", "text", "药物", "drug", cdash="CMTRT"),
            item("drug_class", "choice", "药物类别", "class of the drug", options=choices(DrugClass)),
            item("intent", "choice", "目的", "intent", options=choices(Intent)),
            item("start", "partial_date", "开始日期", "start", cdash="PRSTDAT"),
            item("end", "partial_date", "结束日期", "end", cdash="PRENDAT"),
            item("decided_on", "date", "决定日期", "day of the decision"),
            place,
            item("source", "text", "来源", "source"),
        ),
        _part(
            NoAdjuvantDeclaration,
            "no_adjuvant",
            ("未行辅助治疗的声明", "Statement that no adjuvant therapy was given"),
            item("declared_on", "date", "声明日期", "day of the statement"),
            item("source", "text", "来源", "source"),
        ),
        _part(
            Assessment,
            "assessment",
            ("复查", "Assessment"),
            item("visit", "text", "计划访视", "planned visit", cdash="VISIT"),
            item("on", "date", "检查日期", "day", cdash="TUDAT"),
            modality,
            item("adequate", "choice", "是否充分", "could have shown a recurrence", options=YES_NO),
            item("finding", "choice", "结果", "finding", options=choices(Finding), cdash="RSORRES"),
            place,
        ),
        _part(
            Recurrence,
            "recurrence",
            ("复发", "Recurrence"),
            item("first_seen_on", "date", "首次可疑日期", "first seen", cdash="TUDAT"),
            item("confirmed_on", "date", "确诊日期", "confirmed"),
            item("site", "choice", "部位", "site", options=choices(RecurrenceSite), cdash="TULOC"),
            modality,
            item("number", "choice", "结节数目", "number of nodules", options=choices(RecurrenceNumber)),
            item("pattern", "choice", "复发类型", "pattern", options=choices(RecurrencePattern)),
            item("confirmed_by", "choice", "确诊依据", "confirmed by", options=choices(Confirmation)),
        ),
        _part(
            Death,
            "death",
            ("死亡", "Death"),
            item("on", "partial_date", "死亡日期", "date of death", cdash="DTHDAT"),
            item("cause", "choice", "死因", "cause", options=choices(DeathCause), cdash="DDORRES"),
            item("source", "text", "来源", "source"),
        ),
        _part(
            Contact,
            "contact",
            ("联系", "Contact"),
            item("on", "date", "日期", "day", cdash="SSDAT"),
            item("outcome", "choice", "结果", "outcome", options=choices(ContactOutcome)),
            item("channel", "choice", "联系方式", "by", options=choices(Channel)),
            item("vital", "choice", "生存状态", "what was learned of the participant", options=choices(Vital), cdash="SSORRES"),
        ),
        _response_part(),
    ]


def _response_part() -> Part:
    """Which response was asked for, and what its readers decided; of one that waits for a reader only that it was asked for."""
    asked = (item("baseline_on", "date", "基线检查日期", "day of baseline"), item("scan_on", "date", "评效检查日期", "day of the scan"))
    shape = form(
        "response",
        "疗效（mRECIST）",
        "Response (mRECIST)",
        *asked,
        item("response", "choice", "疗效", "response", options=choices(ResponseCategory), cdash="RSORRES"),
        item("readers", "integer", "阅片人数", "number of readers"),
        item("voided", "choice", "录入有误", "entered in error", options=YES_NO),
        repeating=True,
    )
    columns = Form(shape.code, shape.text, shape.sections, asked)

    def say(row: Any) -> dict[str, Value]:
        voided = {"voided": Value("no" if row.voided_at is None else "yes")}
        found = response_cases.found_of(row) if isinstance(row, ResponseCase) else []
        said = adjudication.verdict(found).reading
        decided = {"response": Value(said.assessed.response), "readers": Value(str(len(found)))} if said else {}
        return values_of(columns, row) | decided | voided

    def rows(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
        found = ResponseCase.objects.filter(participant__in=participants).order_by("participant_id", "pk")
        return ((row.participant_id, row) for row in found.prefetch_related("readings__targets"))

    return Part(shape, FOLLOW_UP, ResponseCase, rows, say, lambda row: str(row.uuid))


def _part(model: type[models.Model], code: str, words: tuple[str, str], *items: Any) -> Part:
    voided = item("voided", "choice", "录入有误", "entered in error", options=YES_NO)
    shape = form(code, *words, *items, voided, repeating=True)
    return Part(shape, FOLLOW_UP, model, _rows(model), _say(shape), lambda row: str(row.uuid))


def _rows(model: type[models.Model]) -> Callable[[list[Participant]], Iterable[tuple[int, models.Model]]]:
    def rows(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
        found = model.objects.filter(participant__in=participants).order_by("participant_id", "pk")  # type: ignore[attr-defined]
        return ((row.participant_id, row) for row in found)

    return rows


def _say(shape: Form) -> Callable[[Any], dict[str, Value]]:
    columns = Form(shape.code, shape.text, shape.sections, shape.items[:-1])

    def say(row: Any) -> dict[str, Value]:
        return values_of(columns, row) | {"voided": Value("no" if row.voided_at is None else "yes")}

    return say
