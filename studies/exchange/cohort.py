"""Importing a retrospective cohort: screening lines, participants, values and events of a mapping file, through the write functions.

A dry run does everything and takes it back, so that it names what the writing would refuse and nothing else. A row is known
again by the keyed token of its key in the source: empty fields are filled, nothing else is touched and no event is added, so that a
second run imports nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies import access, consent, enrollment, entry, screening
from studies.exchange import faults, mapping, row_tokens
from studies.exchange.cells import Cell, Verdict, judge, shown
from studies.exchange.cohort_report import Report
from studies.exchange.faults import Refused
from studies.exchange.flow import eligibility_flow
from studies.exchange.joining import Sources
from studies.exchange.mapping import EventSource, Found, ItemSource, SourceRow
from studies.exchange.writing import write
from studies.models import Center, Entry, Participant, Screening, Study
from studies.quality import checking
from studies.values import NotUnderstood, Value, missing, understand
from studies.vocabulary import Sex

OLDEST = 120


@dataclass(frozen=True)
class EventKind:
    """How a room above records one kind of event: its write, given facts as text, and which facts it knows."""

    record: Callable[..., Any]
    facts: frozenset[str]


@dataclass(frozen=True)
class _Coming:
    """One value on its way: where it stands, for whom and what it is."""

    line: int
    subject: str
    source: ItemSource
    found: Found
    value: Value = Value()  # noqa: RUF009 - frozen


class _Rejected(Exception):
    """A line cannot be taken at all; the cell says why."""


def run(
    *,
    center: Center,
    sources: Sources,
    kinds: Mapping[str, EventKind],
    by: User,
    execute: bool,
    expected: str = "",
    progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Import every row, or with `execute` false do it and take it back. Raises Refused, PermissionDenied, NotAllowedNow.

    `expected` is the plan that a dry run showed: where the data or the database have changed since, nothing is written.
    """
    study = center.study
    _check_targets(study, sources, kinds)
    report = Report()
    report.begin(sources.plan.digest, *(table.sha256 for table in sources.tables))
    with transaction.atomic(), access.importing(by, study):
        work = _Work(center, sources, kinds, by=by, report=report)
        with checking.judged_at_the_end():
            for row in sources.rows():
                report.rows += 1
                if isinstance(row, SourceRow):
                    work.take(row)
                else:
                    report.add(_cell(row.number, "", "", fault=faults.say(row.fault, get_language(), row.facts)))
                progress(report)
        report.finish(eligibility_flow(study))
        if expected and expected != report.plan:
            raise NotAllowedNow(
                _("The file, the mapping or the data have changed since the dry run. Nothing was written: look at a new dry run.")
            )
        if not execute:
            transaction.set_rollback(True)
    return report


def _check_targets(study: Study, sources: Sources, kinds: Mapping[str, EventKind]) -> None:
    """Raise Refused for an item, a question or a fact that nobody asks."""
    plan, questions = sources.plan, {item.code for item in study.protocol.attested}
    unknown = [item.item for item in plan.items if not study.dictionary.has(item.item)]
    unknown += [code for code in plan.answers if code not in questions]
    for event in plan.events:
        if event.kind not in kinds:
            unknown.append(event.kind)
        else:
            unknown += [f"{event.kind}.{code}" for code in event.facts if code not in kinds[event.kind].facts]
    if unknown:
        raise Refused("mapping_target", targets=", ".join(unknown))


class _Work:
    """The state of one run: what was read once, and the report that grows."""

    def __init__(self, center: Center, sources: Sources, kinds: Mapping[str, EventKind], *, by: User, report: Report) -> None:
        self.center, self.plan, self.kinds, self.by, self.report = center, sources.plan, kinds, by, report
        self.dictionary, self.protocol = center.study.dictionary, center.study.protocol
        self.fresh = True
        self.known: dict[str, int] = dict(Screening.objects.filter(center=center).exclude(row_token=None).values_list("row_token", "pk"))

    def take(self, row: SourceRow) -> None:
        """Import one row; a line whose day of surgery is not known is rejected as a whole."""
        token = row_tokens.row_token(self.plan.id, row.key)
        fresh = token not in self.known
        try:
            participant = self._enrol(row, token) if fresh else self._find(self.known[token])
        except _Rejected:
            return
        if participant is None:
            return
        self.report.known += not fresh
        self.fresh = fresh
        self._values(row, participant, {} if fresh else _held(participant))
        if fresh:
            self._events(row, participant)

    # -- the line -----------------------------------------------------------------------------------------------------

    def _enrol(self, row: SourceRow, token: str) -> Participant:
        surgery = self._surgery(row)
        with transaction.atomic():
            line = screening.screen(
                center=self.center,
                surgery_date=surgery,
                age_at_surgery=self._age(row),
                sex=self._sex(row),
                answers=self._answers(row, surgery),
                row_token=token,
                by=self.by,
            )
            waiver = self.plan.study["waiver"]
            consent.record(screening=line, waiver_number=waiver["number"], waived_on=date.fromisoformat(waiver["from"]), by=self.by)
            participant = enrollment.enroll(screening=line, by=self.by)
        self.known[token] = line.pk
        self.report.lines.append(line.pk)
        self.report.screened += 1
        self.report.enrolled += 1
        return participant

    def _find(self, line: int) -> Participant | None:
        return Participant.objects.select_related("center", "study", "screening").filter(screening=line).first()

    def _surgery(self, row: SourceRow) -> date:
        source = self.plan.surgery_date
        found = mapping.find(self.plan, source, row)
        try:
            return date.fromisoformat(found.text)
        except ValueError:
            sentence = _("The day of surgery is not known: the line is not taken.")
            self.report.add(_cell(row.line, source.name, "surgery_date", text=found.raw, fault=sentence))
            raise _Rejected from None

    def _age(self, row: SourceRow) -> int | None:
        source = self.plan.age_at_surgery
        if source is None:
            return None
        found = mapping.find(self.plan, source, row)
        if found.text.isascii() and found.text.isdigit() and int(found.text) <= OLDEST:
            self.report.add(_cell(row.line, source.name, "age_at_surgery", text=found.text))
            return int(found.text)
        if found.text or found.fault:
            sentence = _("An age is a whole number of years up to 120.")
            self.report.add(_cell(row.line, source.name, "age_at_surgery", text=found.raw, fault=sentence))
        return None

    def _sex(self, row: SourceRow) -> str:
        source = self.plan.sex
        if source is None:
            return Sex.UNKNOWN
        found = mapping.find(self.plan, source, row)
        fault = "" if not found.fault and found.text in ("", *Sex.values) else _not_mapped(found, source.name)
        self.report.add(_cell(row.line, source.name, "sex", text=found.raw, fault=fault))
        return found.text if found.text and not fault else Sex.UNKNOWN

    def _answers(self, row: SourceRow, surgery: date) -> dict[str, str]:
        given: dict[str, str] = {}
        for code, source in self.plan.answers.items():
            found = mapping.find(self.plan, source, row, surgery)
            answer = "unknown" if found.missing else found.text
            fault = _not_mapped(found, source.name) if found.fault else ""
            if answer and not fault:
                try:
                    screening.typed_answers(self.protocol, {code: answer})
                except ValidationError as error:
                    fault = " ".join(error.messages)
                else:
                    given[code] = answer
            if answer or fault:
                self.report.add(_cell(row.line, source.name, code, text=found.raw or answer, fault=fault))
        return given

    # -- values -------------------------------------------------------------------------------------------------------

    def _values(self, row: SourceRow, participant: Participant, held: Mapping[str, Value]) -> None:
        forms: dict[str, dict[str, _Coming]] = defaultdict(dict)
        for source in self.plan.items:
            found = mapping.find(self.plan, source.source, row, participant.screening.surgery_date)
            coming = _Coming(row.line, participant.study_number, source, found)
            try:
                value = self._value(coming, row, participant)
            except NotUnderstood as fault:
                self._tell(coming, Verdict.REJECTED, fault.say(get_language()))
                continue
            if value is None:
                if found.fault:
                    self._tell(coming, Verdict.REJECTED, _not_mapped(found, source.source.name))
                continue
            verdict = judge(held.get(source.item), value, overwrite=False)
            if verdict is Verdict.NEW:
                forms[self.dictionary.form_of(source.item).code][source.item] = replace(coming, value=value)
            else:
                self._tell(coming, verdict, held=shown(held.get(source.item)))
        for form, values in forms.items():
            self._record(participant, form, values)

    def _value(self, coming: "_Coming", row: SourceRow, participant: Participant) -> Value | None:
        item, found = self.dictionary.item(coming.source.item), coming.found
        if found.fault or not found:
            return None
        if found.missing:
            return replace(missing(item, found.missing), source="imported")
        value = understand(item, found.text, coming.source.source.unit)
        if coming.source.dated:
            value = replace(value, on=mapping.find(self.plan, coming.source.dated, row, participant.screening.surgery_date).text)
        return replace(value, source="imported")

    def _record(self, participant: Participant, form: str, coming: dict[str, "_Coming"]) -> None:
        """Write the values of one form; a value that the write function refuses is named, and the others are written."""
        refused = write(participant=participant, form=form, values={code: each.value for code, each in coming.items()}, by=self.by)
        for code, each in coming.items():
            self._tell(each, Verdict.REJECTED if code in refused else Verdict.NEW, refused.get(code, ""))
        written = [code for code in coming if code not in refused]
        if written and not self.fresh:  # what a new line brought goes with the line
            after = Entry.objects.get(participant=participant, form=form, occurrence="").values
            self.report.filled.append(
                {
                    "participant": str(participant.uuid),
                    "form": form,
                    "occurrence": "",
                    "before": dict.fromkeys(written),
                    "after": {code: after.get(code) for code in written},
                }
            )

    def _tell(self, coming: "_Coming", verdict: Verdict, fault: str = "", held: str = "") -> None:
        found, source = coming.found, coming.source
        self.report.add(Cell(coming.line, source.source.name, source.item, verdict, found.raw or found.text, held, fault, coming.subject))

    # -- events -------------------------------------------------------------------------------------------------------

    def _events(self, row: SourceRow, participant: Participant) -> None:
        for event in self.plan.events:
            if mapping.holds(event, row):
                self._event(row, participant, event)

    def _event(self, row: SourceRow, participant: Participant, event: EventSource) -> None:
        facts: dict[str, str] = {}
        for code, source in event.facts.items():
            found = mapping.find(self.plan, source, row, participant.screening.surgery_date)
            if found.text:
                facts[code] = found.text
            elif not source.optional:
                sentence = _("%(column)s says nothing: the event is not recorded.") % {"column": source.name or code}
                self._refuse(row, participant, f"{event.kind}.{code}", source.name, found.raw, sentence)
                return
        try:
            with transaction.atomic():
                self.kinds[event.kind].record(participant=participant, facts=facts, by=self.by)
        except ValidationError as error:
            columns = ", ".join(source.name for source in event.facts.values() if source.column)
            self._refuse(row, participant, event.kind, columns, " ".join(facts.values()), " ".join(error.messages))
        else:
            self.report.events[event.kind] += 1

    def _refuse(self, row: SourceRow, participant: Participant, target: str, *said: str) -> None:
        column, text, sentence = said
        self.report.add(_cell(row.line, column, target, text=text, fault=sentence, subject=participant.study_number))


def _held(participant: Participant) -> dict[str, Value]:
    rows = Entry.objects.filter(participant=participant, occurrence="")
    return {code: value for row in rows for code, value in entry.held(row).items()}


def _cell(line: int, column: str, target: str, *, text: str = "", fault: str = "", subject: str = "") -> Cell:
    return Cell(line, column, target, Verdict.REJECTED if fault else Verdict.NEW, text, "", fault, subject)


def _not_mapped(found: Found, column: str) -> str:
    if found.fault == "unmapped" or not found.fault:
        return _("The mapping of %(column)s has no meaning for “%(text)s”.") % {"column": column, "text": found.raw}
    return _("%(column)s holds “%(text)s”, which is no number of days, weeks or months after surgery.") % {
        "column": column,
        "text": found.raw,
    }
