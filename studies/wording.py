"""What a page says about one line of the screening log: who, in which state, and why."""

from dataclasses import dataclass

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from studies.eligibility import Verdict
from studies.models import Screening
from studies.protocol import Criterion, Protocol
from studies.vocabulary import ScreeningStatus

ORDER = {Verdict.FAIL: 0, Verdict.UNKNOWN: 1, Verdict.PASS: 2}
STATES = {Verdict.PASS: "eligible", Verdict.FAIL: "ineligible", Verdict.UNKNOWN: "eligibility_unknown"}
NAMED = 3
TONES = {Verdict.FAIL: "bad", Verdict.UNKNOWN: "warn", Verdict.PASS: ""}


@dataclass(frozen=True)
class CriterionRow:
    """One criterion as the page shows it."""

    code: str
    text: str
    kind: str
    because: str
    verdict: str
    tone: str


def person(screening: Screening) -> str:
    """Sex and age on the day of surgery, in one phrase."""
    if screening.age_at_surgery is None:
        return str(screening.get_sex_display())
    return _("%(sex)s, %(age)s years at surgery") % {"sex": screening.get_sex_display(), "age": screening.age_at_surgery}


def days_after_surgery(screening: Screening) -> int:
    """Which day after surgery the study's today is."""
    return (screening.center.study.today() - screening.surgery_date).days


def verdict(screening: Screening) -> Verdict:
    """The verdict of the last evaluation."""
    return Verdict(screening.eligibility["verdict"])


def state(screening: Screening) -> str:
    """The word of the status vocabulary for a line of the log."""
    if awaits_pathology(screening):
        return "pathology_pending"
    return STATES[verdict(screening)] if screening.status == ScreeningStatus.SCREENED else str(screening.status)


def awaits_pathology(screening: Screening) -> bool:
    """Whether the patient has consented, no criterion fails, and the report on the specimen is not there yet."""
    waits = "pathology" in screening.eligibility.get("awaits", ())
    return waits and screening.status == ScreeningStatus.SCREENED and hasattr(screening, "consent")


def why(screening: Screening) -> str:
    """One phrase behind the state: the reason, the criteria that fail, or what is not known."""
    protocol = screening.center.study.protocol
    if screening.status == ScreeningStatus.EXCLUDED:
        return exclusion_reason(screening)
    if screening.status == ScreeningStatus.ENROLLED:
        return ""
    judged = [item for item in screening.eligibility["criteria"] if item["verdict"] == verdict(screening) != Verdict.PASS]
    codes = dict.fromkeys(code for item in judged for code in (item["failed"] or item["unknown"]))
    labels = [protocol.input(code).label.say(get_language()) for code in codes]
    if not labels:
        return "" if hasattr(screening, "consent") else _("consent is missing")
    return _shorten(labels)


def exclusion_reason(screening: Screening) -> str:
    """The protocol's words for why the patient is not enrolled."""
    reason = screening.center.study.protocol.exclusion_reason(screening.exclusion_reason)
    return reason.text.say(get_language()) if reason else screening.exclusion_reason


def criteria(screening: Screening, protocol: Protocol) -> list[CriterionRow]:
    """Every criterion with its verdict, what fails first, then what is unknown."""
    judged = {item["code"]: item for item in screening.eligibility["criteria"]}
    rows = [_row(item, judged[item.code], screening, protocol) for item in protocol.criteria if item.code in judged]
    return sorted(rows, key=lambda row: ORDER[Verdict(row.verdict)])


def summary(screening: Screening) -> str:
    """How the criteria stand, as a sentence."""
    verdicts = [item["verdict"] for item in screening.eligibility["criteria"]]
    failed, unknown = verdicts.count(Verdict.FAIL), verdicts.count(Verdict.UNKNOWN)
    if failed:
        return ngettext("%(n)s criterion is not met", "%(n)s criteria are not met", failed) % {"n": failed}
    if unknown:
        return ngettext("%(n)s criterion cannot be judged yet", "%(n)s criteria cannot be judged yet", unknown) % {"n": unknown}
    return _("All %(n)s criteria are met") % {"n": len(verdicts)}


def _row(criterion: Criterion, judged: dict[str, object], screening: Screening, protocol: Protocol) -> CriterionRow:
    found = Verdict(str(judged["verdict"]))
    kind = _("inclusion") if criterion.kind == "inclusion" else _("exclusion")
    codes = list(judged["failed"]) or list(judged["unknown"])  # type: ignore[call-overload] # lists of codes, see as_json
    because = _("; ").join(protocol.input(code).label.say(get_language()) for code in codes)
    if found is Verdict.UNKNOWN and because:
        because = _("not known: %(what)s") % {"what": because}
    return CriterionRow(criterion.code, criterion.text.say(get_language()), kind, because, found.value, TONES[found])


def _shorten(labels: list[str]) -> str:
    named, more = labels[:NAMED], len(labels) - NAMED
    if more <= 0:
        return _("; ").join(named)
    return ngettext("%(named)s and %(n)s more", "%(named)s and %(n)s more", more) % {"named": _("; ").join(named), "n": more}
