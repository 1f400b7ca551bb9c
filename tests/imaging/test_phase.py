"""Proposed contrast phases: the bands of the LI-RADS technical recommendations, by hand."""

import pytest

from imaging.phase import Evidence, Phase, Proposal, Reason, propose

START = 36_000.0  # 10:00:00


@pytest.mark.parametrize(
    ("delay", "modality", "phase"),
    [
        (20, "CT", Phase.ARTERIAL),
        (35, "CT", Phase.ARTERIAL),
        (70, "CT", Phase.PORTAL_VENOUS),
        (180, "CT", Phase.DELAYED),
        (900, "CT", Phase.DELAYED),
        (1200, "MR", Phase.HEPATOBILIARY),
    ],
)
def test_delay_after_the_injection_tells_the_phase(delay: float, modality: str, phase: Phase) -> None:
    """EL-04: late arterial 35–40 s, portal venous 60–80 s, delayed 2–5 min, hepatobiliary about 20 min."""
    evidence = Evidence(modality, contrast_agent=True, contrast_start=START, acquired=START + delay)
    assert propose(evidence) == Proposal(phase, (Reason.DELAY,))


def test_delay_over_midnight_is_short() -> None:
    """EL-04: injected at 23:59:40, scanned at 00:00:15: 35 s."""
    assert propose(Evidence("CT", contrast_start=86_380, acquired=15)).phase is Phase.ARTERIAL


@pytest.mark.parametrize(
    ("words", "phase"),
    [
        ("late_arterial axial", Phase.ARTERIAL),
        ("portal_venous liver", Phase.PORTAL_VENOUS),
        ("unenhanced abdomen", Phase.PRECONTRAST),
        ("hepatobiliary t1", Phase.HEPATOBILIARY),
    ],
)
def test_description_names_the_phase(words: str, phase: Phase) -> None:
    """EL-04: the codes that the edge left of the series description."""
    assert propose(Evidence("CT", words=words)) == Proposal(phase, (Reason.DESCRIPTION,))


def test_description_that_names_two_phases_names_none() -> None:
    """EL-04: a protocol's name covers all its series."""
    assert propose(Evidence("CT", words="arterial portal_venous")).phase is Phase.UNKNOWN


def test_description_and_delay_that_agree_are_both_reasons() -> None:
    """EL-04."""
    evidence = Evidence("CT", words="arterial", contrast_start=START, acquired=START + 30)
    assert propose(evidence) == Proposal(Phase.ARTERIAL, (Reason.DESCRIPTION, Reason.DELAY))


def test_description_and_delay_that_disagree_propose_nothing() -> None:
    """EL-04: a person decides."""
    evidence = Evidence("CT", words="arterial", contrast_start=START, acquired=START + 75)
    assert propose(evidence) == Proposal(Phase.UNKNOWN, (Reason.CONFLICT, Reason.DESCRIPTION, Reason.DELAY))


def test_order_among_contrast_series_is_the_last_resort() -> None:
    """EL-04: three series of one injection, scanned at 0, 35 and 160 s."""
    times = (START, START + 35, START + 160)
    proposed = [
        propose(Evidence("CT", contrast_agent=True, acquired=mine, other_contrast=tuple(t for t in times if t != mine))) for mine in times
    ]
    assert proposed == [Proposal(phase, (Reason.ORDER,)) for phase in (Phase.ARTERIAL, Phase.PORTAL_VENOUS, Phase.DELAYED)]


def test_series_before_the_agent_is_precontrast() -> None:
    """EL-04: no agent in the header, another series of the examination names one and is later."""
    assert propose(Evidence("CT", acquired=START, other_contrast=(START + 60,))) == Proposal(Phase.PRECONTRAST, (Reason.NO_CONTRAST,))


def test_single_series_without_evidence_proposes_nothing() -> None:
    """EL-04."""
    assert propose(Evidence("CT", contrast_agent=True, acquired=START)) == Proposal(Phase.UNKNOWN, (Reason.NO_EVIDENCE,))
