"""What this room tells of a participant to queries, verification and edit checks: the screening line, consent, and the entered forms."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from studies.models import Consent, Participant, Study
from studies.quality.expression import Day, Value
from studies.quality.pointer import Pointer
from studies.quality.sources import Fact, Facts, Held, Source, Wanted

SCREENING, CONSENT, PARTICIPANT = "studies.Screening", "studies.Consent", "studies.Participant"
CRITICAL = ("surgery_date", "r0_resection")
"""What of the screening line is verified for everybody (AU-06); consent is too."""


def screening_pointer(participant: Participant, field: str) -> Pointer:
    """A field of the participant's line of the screening log."""
    return Pointer(SCREENING, participant.screening.uuid, field)


def fields(study: Study, language: str | None) -> list[tuple[str, str]]:
    """The fields of the screening line and the forms, code and words, for whom asks several participants the same."""
    asked = [("surgery_date", _("Date of surgery")), ("age_at_surgery", _("Age at surgery")), ("sex", _("Sex"))]
    attested = [(item.code, item.label.say(language)) for item in study.protocol.attested]
    return [*asked, *attested, *((item.code, item.text.say(language)) for item in study.dictionary.items)]


def _held(participants: Sequence[Participant], wanted: Wanted) -> Iterable[Held]:
    rows = Consent.objects.filter(screening__participant__in=participants) if wanted(CONSENT) else Consent.objects.none()
    consents = {row.screening_id: row for row in rows}
    for each in participants:
        yield from _screening(each)
        if consent := consents.get(each.screening_id):
            yield _consent(each, consent)


def _screening(participant: Participant) -> Iterable[Held]:
    line, protocol = participant.screening, participant.study.protocol
    words = {item.code: item.label.say(get_language()) for item in protocol.attested}
    age = "" if line.age_at_surgery is None else str(line.age_at_surgery)
    own = [
        ("surgery_date", _("Date of surgery"), line.surgery_date.isoformat(), line.surgery_date.isoformat()),
        ("age_at_surgery", _("Age at surgery"), age, age),
        ("sex", _("Sex"), line.sex, str(line.get_sex_display())),
    ]
    answers = [(code, words.get(code, code), answer, _answer(answer)) for code, answer in line.answers.items()]
    url, form = reverse("screening", args=[line.uuid]), _("Screening")
    for code, label, stored, shown in own + answers:
        verification = "critical" if code in CRITICAL else "none"
        if stored:
            yield Held(participant.pk, screening_pointer(participant, code), "screening", form, label, stored, shown, url, verification)


def _consent(participant: Participant, consent: Consent) -> Held:
    version = consent.form_version or consent.waiver_number
    stored, shown = f"{version} {consent.dated_on}", _("%(version)s of %(day)s") % {"version": version, "day": consent.dated_on}
    url = reverse("screening", args=[participant.screening.uuid]) + "#consent"
    pointer = Pointer(CONSENT, participant.screening.uuid, "consent")
    return Held(participant.pk, pointer, "consent", _("Informed consent"), _("Informed consent"), stored, shown, url, "critical")


def _answer(answer: str) -> str:
    return {"yes": _("yes"), "no": _("no"), "unknown": _("unknown")}.get(answer, answer)


def _facts(participants: Sequence[Participant]) -> Mapping[int, Facts]:
    found = {each.pk: _screening_facts(each) for each in participants}
    for row in Consent.objects.filter(screening__participant__in=participants).select_related("screening__participant"):
        pointer = Pointer(CONSENT, row.screening.uuid, "consent")
        found[row.screening.participant.pk]["consented_on"] = Fact(Day.on(row.dated_on), pointer, row.dated_on.isoformat())
    return found


def _screening_facts(participant: Participant) -> Facts:
    line = participant.screening
    known: dict[str, Value] = {
        "surgery_date": Day.on(line.surgery_date),
        "screened_on": Day.on(line.screened_on),
        "sex": line.sex,
        "enrolled_on": Day.on(participant.enrolled_on),
        "today": Day.on(participant.study.today()),
        **{code: answer for code, answer in line.answers.items() if answer != "unknown"},
    }
    if line.age_at_surgery is not None:
        known["age_at_surgery"] = Decimal(line.age_at_surgery)
    return {code: Fact(value, screening_pointer(participant, code), say(value)) for code, value in known.items()}


def say(value: Value) -> str:
    """A fact as text, for the record of what a rule saw."""
    match value:
        case Day(first, last):
            return first.isoformat() if first == last else f"{first} … {last}"
        case Decimal():
            return format(value, "f")
    return str(value or "")


def _kinds(study: Study) -> Mapping[str, str]:
    dates = dict.fromkeys(["surgery_date", "screened_on", "consented_on", "enrolled_on", "today"], "date")
    attested = {item.code: "date" if item.kind == "date" else "choice" for item in study.protocol.attested}
    return dates | {"age_at_surgery": "number", "sex": "choice"} | attested


OWN = Source("studies", _held, _facts, _kinds)
