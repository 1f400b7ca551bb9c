"""What the page of a pasted report shows: the kept text by line, what is to be decided, what can be filled in and what it would change."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from studies import lab_paste
from studies.dictionary import Item
from studies.entries.sheet import drawn_with
from studies.lab_paste import Candidate, Reading, Report
from studies.laboratory import names, pasting, ranges
from studies.laboratory.wording import HOW, WHY_DECIDE, WHY_OTHER
from studies.models import Participant
from studies.values import NotUnderstood, Value

TONES = {"rows": "", "header": "", "date": "", "title": "", "empty": "", "identity": "e", "unread": "x"}


@dataclass(frozen=True)
class Fill:
    """A value that can be filled in: what was pasted, what will stand there, and what stands there now."""

    key: str
    line: int
    test: str
    pasted: str
    value: str
    unit: str
    range: str
    how: Promise
    factor: str
    place: str
    unusual: bool
    on: str
    before: str
    ticked: bool


@dataclass(frozen=True)
class Answer:
    """One answer to a question, in words. `limit` asks for a number beside it."""

    key: str
    words: str
    limit: bool
    typed: str
    chosen: bool


@dataclass(frozen=True)
class Question:
    """A row that a person has to decide; none of its answers is chosen beforehand."""

    key: str
    lines: str
    test: str
    pasted: str
    why: Promise
    answers: list[Answer]
    correct_unit: str
    typed: str
    chosen: str
    bad: bool


@dataclass(frozen=True)
class Shown:
    """One line of the kept text."""

    number: int
    text: str
    css: str


@dataclass(frozen=True)
class _Around:
    """What a row is held against: the stored values, the center's ranges, the days of sampling and of the form, what was chosen before."""

    held: dict[str, Value]
    limits: dict[str, ranges.Limits]
    day: str
    form_day: str
    sent: Any


def context(participant: Participant, report: Report, day: str, sent: Any) -> dict[str, Any]:
    """The page of a block that was read; `sent` is what the person chose before, where the page is drawn again."""
    form = pasting.form_of(participant)
    held = pasting.stored(participant)
    line = participant.screening
    limits = ranges.limits_of_form(center=participant.center, items=list(form.items), on=_whole(day) or line.surgery_date, sex=line.sex)
    numbered = list(enumerate(report.readings))
    form_day = pasting.form_day(form, held, day)
    around = _Around(held, limits, day, form_day, sent)
    fills = [_fill(number, each, form.by_code[each.item], around) for number, each in numbered if each.kind == "fill"]
    return {
        "lines": [_line(each, report) for each in report.lines],
        "fills": [each for each in fills if each is not None],
        "already": sum(each is None for each in fills),
        "questions": [_question(number, each, form.by_code, sent) for number, each in numbered if each.kind == "decide"],
        "others": [(each.line, _test(each), WHY_OTHER[each.why]) for _, each in numbered if each.kind == "other"],
        "taken_out": report.taken_out,
        "days": report.days,
        "other_days": report.other_days,
        "form_day": form_day if form_day != day else "",
        "drawn_with": drawn_with(held),
    }


def chosen(participant: Participant, report: Report, day: str, sent: Any) -> tuple[dict[str, pasting.Filled], list[str]]:
    """The values that a person ticked or answered, by item, and a sentence for each that cannot be."""
    form = pasting.form_of(participant)
    items, days = form.by_code, (day, pasting.form_day(form, pasting.stored(participant), day))
    values, faults = dict[str, pasting.Filled](), list[str]()
    for number, reading in enumerate(report.readings):
        try:
            found = _chosen(str(number), reading, items, days, sent)
        except NotUnderstood as fault:
            faults.append(_("Line %(line)s: %(fault)s") % {"line": reading.line, "fault": fault.say(get_language())})
            continue
        if found is None:
            continue
        code, filled = found
        if code in values:
            faults.append(_("%(test)s is chosen twice: keep one.") % {"test": items[code].text.say(get_language())})
        values[code] = filled
    return values, faults


def _chosen(key: str, reading: Reading, items: Any, days: tuple[str, str], sent: Any) -> tuple[str, pasting.Filled] | None:
    """What was ticked or answered of one row; `days` are the days of sampling and of the form."""
    day, form_day = days
    if reading.kind == "fill" and reading.value and key in sent.getlist("take"):
        value = pasting.value_of(items[reading.item], reading.value, reading.on or day, form_day)
        return reading.item, pasting.Filled(value, reading.line)
    answer = sent.get(f"answer_{key}", "") if reading.kind == "decide" else ""
    if answer == "correct" and reading.item:
        value = pasting.typed(items[reading.item], sent.get(f"correct_{key}", ""), reading.on or day, form_day)
        return (reading.item, pasting.Filled(value, reading.line)) if value else None
    if not answer.isdecimal() or int(answer) >= len(reading.candidates):
        return None
    place = int(answer)
    candidate, line = reading.candidates[place], reading.of_lines[place] if reading.of_lines else reading.line
    on = (reading.days[place] if reading.days else reading.on) or day
    item = items[candidate.item]
    if candidate.limit:
        text = sent.get(f"limit_{key}_{answer}", "")
        return candidate.item, pasting.Filled(pasting.typed(item, f"<{text} {candidate.unit}", on, form_day), line)
    return candidate.item, pasting.Filled(pasting.value_of(item, candidate, on, form_day), line)


def _fill(number: int, reading: Reading, item: Item, around: _Around) -> Fill | None:
    """A row of what can be filled in; None where the form holds the same already."""
    assert reading.value is not None  # noqa: S101 - what can be filled in has a value
    value = pasting.value_of(item, reading.value, reading.on or around.day, around.form_day)
    before = around.held.get(item.code)
    if before and pasting.same(before, value):
        return None
    known = around.limits.get(item.code)
    place = known.place(Decimal(value.value), value.comparator) if known and item.kind != "choice" else ""
    conversion = item.conversion(reading.value.unit)
    unusual = "unusual" in reading.notes
    ticked = str(number) in around.sent.getlist("take") if around.sent else not unusual and not before
    return Fill(
        key=str(number),
        line=reading.line,
        test=item.text.say(get_language()),
        pasted=f"{reading.result} {reading.unit}".strip(),
        value=say(item, value),
        unit=item.unit,
        range=reading.range,
        how=HOW[reading.why],
        factor=str(conversion.factor) if conversion and reading.why == "converted" else "",
        place={"high": "above_reference", "low": "below_reference"}.get(place, ""),
        unusual=unusual,
        on=value.on,
        before=_before(item, before, value, around.form_day) if before else "",
        ticked=ticked,
    )


def _before(item: Item, before: Value, value: Value, form_day: str) -> str:
    """The value that stands there, with its day where the new one has another."""
    return say(item, before) if before.on == value.on else f"{say(item, before)} ({before.on or form_day})"


def _question(number: int, reading: Reading, items: Any, sent: Any) -> Question:
    key = str(number)
    chosen_now = sent.get(f"answer_{key}", "") if sent else ""
    answers = [
        Answer(
            key=str(place),
            words=_words(candidate, items[candidate.item], reading, place),
            limit=candidate.limit,
            typed=sent.get(f"limit_{key}_{place}", "") if sent else "",
            chosen=chosen_now == str(place),
        )
        for place, candidate in enumerate(reading.candidates)
    ]
    lines = reading.with_lines or (reading.line,)
    correctable = reading.item if reading.why in ("impossible", "no_number", "comparator", "unit_unknown", "two_results") else ""
    return Question(
        key=key,
        lines=", ".join(map(str, lines)),
        test=_test(reading),
        pasted=f"{reading.result} {reading.unit}".strip(),
        why=WHY_DECIDE[reading.why],
        answers=answers,
        correct_unit=items[correctable].unit or "-" if correctable else "",
        typed=sent.get(f"correct_{key}", "") if sent else "",
        chosen=chosen_now,
        bad=reading.why == "impossible",
    )


def _words(candidate: Candidate, item: Item, reading: Reading, place: int) -> str:
    """An answer: `0.9 mg/dL → 79.56 µmol/L`, with the test or the day where these are what is asked."""
    label = item.text.say(get_language())
    several = len({each.item for each in reading.candidates}) > 1
    if candidate.limit:
        return _("below the limit, which is (%(unit)s):") % {"unit": candidate.unit}
    if item.kind == "choice":
        option = item.option(candidate.value)
        words = option.text.say(get_language()) if option else candidate.value
    else:
        stored = f"{candidate.comparator}{candidate.value} {item.unit}".strip()
        printed = f"{candidate.comparator}{candidate.typed.lstrip('<>≤≥＜＞ ')} {candidate.unit}".strip()
        words = stored if candidate.unit == item.unit else f"{printed} → {stored}"
    on = reading.days[place] if reading.days else ""
    return " ".join(part for part in (label if several else "", words, on) if part)


def _test(reading: Reading) -> str:
    zh, en = names.table().texts.get(reading.test, ("", ""))
    return (zh if (get_language() or "").startswith("zh") else en) or reading.name


def _line(line: lab_paste.PastedLine, report: Report) -> Shown:
    asked = {number for each in report.of("decide") for number in (each.with_lines or (each.line,))}
    wrong = {each.line for each in report.of("decide") if each.why == "impossible"}
    css = "e" if line.number in wrong else "q" if line.number in asked else TONES[line.kind]
    return Shown(line.number, line.kept, css)


def say(item: Item, value: Value) -> str:
    """A value in words, without its unit."""
    if item.kind == "choice":
        option = item.option(value.value)
        return option.text.say(get_language()) if option else value.value
    return f"{value.comparator} {value.value}".strip() or value.missing


def _whole(day: str) -> date | None:
    return date.fromisoformat(day) if day else None
