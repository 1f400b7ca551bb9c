"""Which contrast phase is a series? A proposal with its reasons; a person decides (`imaging.series.pick_phase`).

Delays are seconds from the start of the injection to the acquisition. The bands follow the LI-RADS v2018 technical recommendations
(late arterial 35–40 s, portal venous 60–80 s, delayed 2–5 min, hepatobiliary about 20 min), widened to where one passes into the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The closed vocabulary of contrast phases."""

    PRECONTRAST = "precontrast"
    ARTERIAL = "arterial"
    PORTAL_VENOUS = "portal_venous"
    DELAYED = "delayed"
    HEPATOBILIARY = "hepatobiliary"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a phase is proposed, as a code that pages put into words."""

    DESCRIPTION = "description"
    DELAY = "delay"
    ORDER = "order"
    NO_CONTRAST = "no_contrast"
    NOT_ORIGINAL = "not_original"
    CONFLICT = "conflict"
    NO_EVIDENCE = "no_evidence"


BANDS: tuple[tuple[float, float, Phase], ...] = (
    (15, 50, Phase.ARTERIAL),
    (50, 110, Phase.PORTAL_VENOUS),
    (110, 600, Phase.DELAYED),
    (600, 2400, Phase.HEPATOBILIARY),
)
DESCRIBED = {
    "unenhanced": Phase.PRECONTRAST,
    "late_arterial": Phase.ARTERIAL,
    "arterial": Phase.ARTERIAL,
    "portal_venous": Phase.PORTAL_VENOUS,
    "delayed": Phase.DELAYED,
    "hepatobiliary": Phase.HEPATOBILIARY,
}
"""The words of `imaging.edge.vocabulary` that name a phase."""
NO_PHASE = frozenset({"localizer", "bolus_timing", "subtraction", "projection"})
"""Words for what shows no phase of its own or is worked out of others: such a series is never proposed."""
SAME_RUN = 900.0  # s; contrast series of one injection lie closer together, another injection further apart
ONE_DAY = 86_400.0


@dataclass(frozen=True)
class Evidence:
    """What the headers of one series tell. Times are seconds after midnight, None where the header is silent.

    `words` are the codes that the edge left of the series description and protocol name; `other_contrast` are the acquisition times of
    the other contrast series of the same examination.
    """

    modality: str
    words: str = ""
    contrast_agent: bool = False
    contrast_start: float | None = None
    acquired: float | None = None
    other_contrast: tuple[float, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A phase and why; UNKNOWN with CONFLICT where two kinds of evidence disagree."""

    phase: Phase
    reasons: tuple[Reason, ...]


def propose(evidence: Evidence) -> Proposal:
    """The phase most of the evidence speaks for. Order among series is asked only where nothing else speaks."""
    if NO_PHASE.intersection(evidence.words.split()):
        return Proposal(Phase.UNKNOWN, (Reason.NOT_ORIGINAL,))
    said: dict[Reason, Phase] = {}
    if (described := _described(evidence)) is not None:
        said[Reason.DESCRIPTION] = described
    if (timed := _from_delay(evidence)) is not None:
        said[Reason.DELAY] = timed
    if not said and (bare := _without_contrast(evidence)) is not None:
        said[Reason.NO_CONTRAST] = bare
    if not said and (placed := _from_order(evidence)) is not None:
        said[Reason.ORDER] = placed
    phases = set(said.values())
    if not phases:
        return Proposal(Phase.UNKNOWN, (Reason.NO_EVIDENCE,))
    if len(phases) > 1:
        return Proposal(Phase.UNKNOWN, (Reason.CONFLICT, *said))
    return Proposal(phases.pop(), tuple(said))


def _described(evidence: Evidence) -> Phase | None:
    """The one phase that the description names; none where it names several (a series for two phases, a protocol for all)."""
    named = {DESCRIBED[word] for word in evidence.words.split() if word in DESCRIBED}
    return named.pop() if len(named) == 1 else None


def _from_delay(evidence: Evidence) -> Phase | None:
    if evidence.contrast_start is None or evidence.acquired is None:
        return None
    delay = (evidence.acquired - evidence.contrast_start) % ONE_DAY
    found = [phase for low, high, phase in BANDS if low <= delay < high]
    if found and found[0] is Phase.HEPATOBILIARY and evidence.modality != "MR":
        return Phase.DELAYED
    return found[0] if found else None


def _without_contrast(evidence: Evidence) -> Phase | None:
    """No agent in this header though other series of the examination name one: scanned before the injection."""
    if evidence.contrast_agent or evidence.acquired is None or not evidence.other_contrast:
        return None
    return Phase.PRECONTRAST if evidence.acquired < min(evidence.other_contrast) else None


def _from_order(evidence: Evidence) -> Phase | None:
    """With agent but without its time: the first of the run is arterial, the second portal venous, later ones delayed."""
    if not evidence.contrast_agent or evidence.acquired is None or not evidence.other_contrast:
        return None
    acquired = evidence.acquired
    run = sorted({acquired, *(other for other in evidence.other_contrast if abs(other - acquired) < SAME_RUN)})
    if len(run) == 1:
        return None
    return _by_place(run, run.index(acquired))


def _by_place(run: Sequence[float], place: int) -> Phase:
    return (Phase.ARTERIAL, Phase.PORTAL_VENOUS)[place] if place < len(run[:2]) else Phase.DELAYED
