"""The tag (TX-05 to TX-07) and the order in real time (SL-03)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from accounts.chain import microseconds
from analysis.consistency import Sealed, SealedReason, State, order, primary, tag
from analysis.strategy import Actual, Rule, SiteReason
from predictions.decision import INTENSITY
from tests.predictions.payloads import answer, failure

SURGERY = date(2026, 1, 1)
ZONE = ZoneInfo("Asia/Shanghai")
RULE = Rule("1")
TACE = answer(0.50, 0.60, 0.55, 0.58)  # recommends TACE, accepts TACE and TACE_SYS
TREATED = 20


def day(number: int) -> date:
    return SURGERY + timedelta(number)


def at(number: int, hour: int = 0, minute: int = 0, *, zone=ZONE) -> int:
    return microseconds(datetime(2026, 1, 1, hour, minute, tzinfo=zone) + timedelta(number))


def sealed(sealed_day: int = 15, anchored_day: int | None = 16, **more: object) -> Sealed:
    anchored = None if anchored_day is None else at(anchored_day, 3)
    return Sealed(
        **(
            {
                "tier": 1,
                "sealed_at": at(sealed_day, 2),
                "anchored_at": anchored,
                "inputs_until": day(10),
                "known_to_reader": False,
                "payload": TACE,
            }
            | more
        )
    )


def given(strategy="TACE", reason=None, known: int | None = TREATED) -> Actual:
    return Actual(None if strategy is None else INTENSITY[INTENSITY.index(strategy)], reason, None if known is None else day(known))


def made(*seals: Sealed, actual: Actual | None = None, on: int = 400):
    return tag(seals, actual or given(), surgery=SURGERY, zone=ZONE, rule=RULE, on=day(on))


@pytest.mark.parametrize(
    ("strategy", "state", "acceptable", "intensity"),
    [
        ("SURG", "INCONSISTENT", False, -1),
        ("TACE", "CONSISTENT", True, 0),
        ("SYS", "INCONSISTENT", False, 1),
        ("TACE_SYS", "INCONSISTENT", True, 2),
    ],
)
def test_tag_compares_the_strategy_given_with_the_one_recommended(strategy, state, acceptable, intensity):
    """TX-05, TX-07."""
    found = made(sealed(), actual=given(strategy))
    assert (found.state, found.acceptable, found.intensity, found.reason) == (state, acceptable, intensity, "")


@pytest.mark.parametrize("reason", SiteReason)
def test_every_reason_of_the_treatment_side_makes_the_tag_not_evaluable(reason):
    found = made(sealed(), actual=given(None, reason))
    assert (found.state, found.reason) == (State.NOT_EVALUABLE, reason)


@pytest.mark.parametrize(
    ("seals", "reason"),
    [
        ([], SealedReason.NO_SEAL),
        ([sealed(15, None)], SealedReason.UNANCHORED),
        ([sealed(15, 21)], SealedReason.UNANCHORED),
        ([sealed(20, 21)], SealedReason.SAME_DAY),
        ([sealed(19, 20)], SealedReason.SAME_DAY),
        ([sealed(21, 22)], SealedReason.LATE_SEAL),
        ([sealed(21, None)], SealedReason.LATE_SEAL),
        ([sealed(known_to_reader=True)], SealedReason.KNOWN_TO_READER),
        ([sealed(inputs_until=day(20))], SealedReason.INPUT_AFTER_TREATMENT),
        ([sealed(payload=None)], SealedReason.SEAL_UNOPENABLE),
        ([sealed(payload=answer(out_of_distribution=True))], SealedReason.ABSTAIN),
        ([sealed(payload=failure())], SealedReason.ABSTAIN),
    ],
)
def test_each_reason_of_the_prediction_side(seals, reason):
    """TX-05."""
    found = made(*seals)
    assert (found.state, found.reason) == (State.NOT_EVALUABLE, reason)


def test_treatment_typed_in_later_than_the_seal_but_given_earlier_makes_it_late():
    """SL-03: treated on day 20, sealed on day 25, entered on day 26 as day 20: what was typed when does not enter at all."""
    assert made(sealed(25, 26)).reason == SealedReason.LATE_SEAL


@pytest.mark.parametrize(
    ("anchored", "reason"),
    [
        (at(19, 23, 59), None),
        (at(20, 0, 0), SealedReason.SAME_DAY),
        (at(20, 23, 59), SealedReason.SAME_DAY),
        (at(21), SealedReason.UNANCHORED),
    ],
)
def test_day_of_treatment_begins_at_midnight_of_the_center(anchored, reason):
    assert order(sealed(anchored_at=anchored), day(TREATED), ZONE) == reason


def test_midnight_of_shanghai_is_not_midnight_utc():
    """17:00 UTC of day 19 is 01:00 of day 20 in Shanghai."""
    moment = at(19, 17, zone=UTC)
    assert order(sealed(anchored_at=moment), day(TREATED), ZONE) == SealedReason.SAME_DAY
    assert order(sealed(anchored_at=moment), day(TREATED), UTC) is None


def test_surgery_alone_is_in_order_before_the_window_is_declared_closed():
    """The knowledge event of surgery alone is the declaration on day 95."""
    surg = answer(0.6, 0.6, 0.6, 0.6)
    assert made(sealed(94, 94, payload=surg), actual=given("SURG", known=95)).state == State.CONSISTENT
    assert made(sealed(95, 95, payload=surg), actual=given("SURG", known=95)).reason == SealedReason.SAME_DAY


def test_highest_tier_in_order_before_treatment_is_primary():
    """`docs/sealing.md`: tier 2 counts where it came in time, else tier 1; a late second seal harms nobody."""
    first, second = sealed(), sealed(17, 18, tier=2)
    assert primary([first, second], day(TREATED), ZONE) == second
    assert primary([replace(second, anchored_at=at(30)), first], day(TREATED), ZONE) == first
    assert made(first, replace(second, anchored_at=at(30), payload=answer(0.9, 0.1, 0.1, 0.1))).state == State.CONSISTENT


def test_tag_is_pending_until_the_landmark_whatever_is_known():
    """TX-05: a model-based walk over everything that may be known; no path leads to a tag before day 90."""
    seals = [(), (sealed(),), (sealed(25, 26),), (sealed(payload=failure()),)]
    actuals = [given(strategy) for strategy in INTENSITY] + [given(None, reason) for reason in SiteReason]
    for some, actual, on in product(seals, actuals, (0, 30, 89, 90, 400)):
        found = made(*some, actual=actual, on=on)
        assert (found.state == State.PENDING) == (on < 90)
        assert (found.state == State.NOT_EVALUABLE) == (found.reason != "")
        if found.state == State.PENDING:
            assert (found.recommended, found.given, found.acceptable) == (None, None, None)


def test_tag_is_recomputed_from_its_inputs_and_a_corrected_date_flips_it():
    """TX-06: both versions stay apart by the digest of what they were made from."""
    before, corrected = made(sealed()), made(sealed(), actual=given(known=10))
    assert (before.state, corrected.reason) == (State.CONSISTENT, SealedReason.LATE_SEAL)
    assert before == made(sealed())
    assert before.inputs != corrected.inputs
    assert made(sealed(), sealed(17, 18, tier=2)).inputs == made(sealed(17, 18, tier=2), sealed()).inputs


def test_every_reason_of_the_rules_exists():
    """TX-05 lists fifteen."""
    assert {*SiteReason, *SealedReason} == {
        *(
            "DEATH_BEFORE_L",
            "RECUR_BEFORE_L",
            "CENSORED_BEFORE_L",
            "WITHDRAWN",
            "TREATMENT_INCOMPLETE",
            "OTHER_MODALITY",
            "NO_SEAL",
            "UNANCHORED",
        ),
        *("SAME_DAY", "LATE_SEAL", "KNOWN_TO_READER", "SEAL_UNOPENABLE", "INPUT_AFTER_TREATMENT", "ABSTAIN", "INELIGIBLE_POSTHOC"),
    }
