"""What must hold in a protocol file beyond its schema: codes, expressions, the order of clinical time (EL-03). Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from studies import expressions
from studies.protocol import Protocol

KINDS = {expressions.Yes: "answer", expressions.Among: "choice", expressions.Between: "number", expressions.DaysBetween: "date"}
MONTH_DAYS = 30.4375
FIRST_REGULAR_MONTH = 3


def faults(protocol: Protocol) -> list[str]:
    """Every fault of a protocol, a sentence each; empty when it can be used."""
    checks = (_repeated, _criteria, _time, _strategies, _visits, _exclusion)
    return [fault for check in checks for fault in check(protocol)]


def _repeated(protocol: Protocol) -> Iterator[str]:
    lists: dict[str, Iterable[str]] = {
        "input": (item.code for item in protocol.inputs),
        "criterion": (item.code for item in protocol.criteria),
        "strategy": (item.code for item in protocol.strategies),
        "treatment": (item.code for item in protocol.treatments),
        "visit": (item.code for item in protocol.visits),
        "exclusion reason": (item.code for item in protocol.exclusion_reasons),
        "baseline item": protocol.baseline,
        "confounder": (item.code for item in protocol.confounders),
        "decision": (item.code for item in protocol.decisions),
    }
    for what, codes in lists.items():
        yield from (f"{what} {code} is there {count} times" for code, count in Counter(codes).items() if count > 1)


def _criteria(protocol: Protocol) -> Iterator[str]:
    kinds = {item.code: item.kind for item in protocol.inputs}
    for criterion in protocol.criteria:
        read = expressions.inputs(criterion.expression)
        if set(read) != set(criterion.inputs):
            yield f"criterion {criterion.code} declares {sorted(criterion.inputs)} and reads {sorted(read)}"
        if (criterion.kind == "inclusion") != criterion.code.startswith("I"):
            yield f"criterion {criterion.code} is an {criterion.kind} criterion: inclusion codes begin with I, exclusion codes with E"
        for leaf in expressions.leaves(criterion.expression):
            for code in expressions.inputs(leaf):
                if kinds.get(code) != KINDS[type(leaf)]:
                    yield f"criterion {criterion.code} reads {code} as {KINDS[type(leaf)]}, which is {kinds.get(code, 'no input')}"


def _time(protocol: Protocol) -> Iterator[str]:
    """EL-03: what is dated after the eligibility date may not be read, whatever the answer would be."""
    if protocol.eligibility_at not in protocol.timeline:
        yield f"eligibility_at {protocol.eligibility_at} is no point of the timeline"
        return
    known = protocol.timeline[: protocol.timeline.index(protocol.eligibility_at) + 1]
    dated = {item.code: item.dated for item in protocol.inputs}
    yield from (
        f"input {code} is dated {point}, which is no point of the timeline"
        for code, point in dated.items()
        if point not in protocol.timeline
    )
    for criterion in protocol.criteria:
        for code in expressions.inputs(criterion.expression):
            if code in dated and dated[code] not in known:
                yield f"criterion {criterion.code} reads {code}, which is dated {dated[code]}: after eligibility (EL-03)"


def _strategies(protocol: Protocol) -> Iterator[str]:
    codes = {item.code for item in protocol.strategies}
    if codes != set(protocol.intensity):
        yield f"intensity orders {sorted(protocol.intensity)}, the strategies are {sorted(codes)}"
    for components, count in Counter(item.components for item in protocol.strategies).items():
        if count > 1:
            yield f"{count} strategies have the components {sorted(components)}"
    if protocol.landmark_days < protocol.adjuvant_window_days:
        yield "the landmark lies before the end of the adjuvant window (TX-02)"


def _visits(protocol: Protocol) -> Iterator[str]:
    for visit in protocol.visits:
        if visit.month >= FIRST_REGULAR_MONTH and abs(visit.day - visit.month * MONTH_DAYS) > 0.5:
            yield f"visit {visit.code} is due on day {visit.day}; {visit.month} months are {visit.month * MONTH_DAYS:.1f} days"
    for earlier, later in zip(protocol.visits, protocol.visits[1:], strict=False):
        if later.first_day <= earlier.last_day:
            yield f"the windows of {earlier.code} and {later.code} overlap"
    last = protocol.visits[-1]
    if (last.month, last.last_day) != (protocol.horizon_months, protocol.horizon_read_day):
        yield f"the horizon is read on day {protocol.horizon_read_day}; the last visit, {last.code}, ends on day {last.last_day}"


def _exclusion(protocol: Protocol) -> Iterator[str]:
    if protocol.exclusion_reason(protocol.reason_not_eligible) is None:
        yield f"reason_not_eligible {protocol.reason_not_eligible} is none of the exclusion reasons"
    for criterion in protocol.criteria:
        for leaf in expressions.leaves(criterion.expression):
            limit = protocol.imaging.interval_days_max
            if isinstance(leaf, expressions.DaysBetween) and leaf.high != limit:
                yield f"criterion {criterion.code} allows {leaf.high} days, the imaging rule {limit}"
