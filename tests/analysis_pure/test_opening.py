"""The offline opening (UB-01 to UB-03, SL-01, SL-04): what two custodians get, and every way it is refused."""

import csv
import io
import json
from dataclasses import replace
from hashlib import sha256

import pytest

from accounts import chain
from accounts.canonical import digest
from analysis import opening, opening_report
from analysis.opening_bundle import BundleRefused, pack, unpack
from predictions.payload import decode
from predictions.sealing_envelope import enclose
from predictions.sealing_keys import KeyRefused, PrivateKey
from tests.analysis_pure import opened_study
from tests.analysis_pure.opened_study import ARTEFACT, KEYS, MODEL, NOW, PUBLIC, STUDY, at, line, predict, sealed_study, snapshot


def open_(data: bytes, pair: str = "AB", now: int = NOW) -> opening.Opening:
    return opening.open_half(opening.peel(data, KEYS[pair[0]], now=now), KEYS[pair[1]], predict, now=now)


def refused(data: bytes, key: PrivateKey = KEYS["A"], now: int = NOW) -> str:
    with pytest.raises(BundleRefused) as caught:
        opening.peel(data, key, now=now)
    return str(caught.value)


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("pair", ["AB", "AC", "BC"])
def test_any_pair_opens_replays_and_tags(pair):
    """UB-03: every seal of the scope opens and replays; the tags are those of the rule."""
    made = sealed_study()
    opened = open_(made.bundle(made.request(pair=pair)), pair)
    assert [seal.fault for seal in opened.seals] == [""] * 5
    assert opened.cut == made.cut
    found = {number: (tag.state, tag.reason) for number, tag in opening_report.tags(opened).items()}
    assert found == {
        "01-0001-01": ("CONSISTENT", ""),
        "01-0002-02": ("INCONSISTENT", ""),
        "01-0003-03": ("NOT_EVALUABLE", "ABSTAIN"),
        "02-0001-04": ("NOT_EVALUABLE", "ABSTAIN"),
        "02-0002-05": ("NOT_EVALUABLE", "KNOWN_TO_READER"),
        "02-0003-06": ("NOT_EVALUABLE", "NO_SEAL"),
        "02-0004-07": ("NOT_EVALUABLE", "OTHER_MODALITY"),
    }


def test_report_counts_everything_and_the_tables_have_every_row():
    made = sealed_study()
    opened = open_(made.bundle())
    files = opening_report.files(opened)
    report = json.loads(files["report.json"])
    assert report["seals"] == {"in_scope": 5, "mismatches": [], "outcomes": {"abstention": 1, "answer": 3, "failure": 1}}
    assert report["tags"] == {"CONSISTENT": 1, "INCONSISTENT": 1, "NOT_EVALUABLE": 5}
    assert report["not_evaluable"] == {"ABSTAIN": 2, "KNOWN_TO_READER": 1, "NO_SEAL": 1, "OTHER_MODALITY": 1}
    assert report["ledger"] == {"anchors": 2, "cut_rows": 0, "lock_rows": 1, "opening_rows": 1, "rows": 11}
    assert report["request"]["requester"] == "statistician"
    tags = list(csv.DictReader(io.StringIO(files["tags.csv"].decode())))
    predictions = list(csv.DictReader(io.StringIO(files["predictions.csv"].decode())))
    assert (len(tags), len(predictions)) == (7, 5)
    assert float(predictions[0]["TACE_36"]) == pytest.approx(2.718281828459045 ** (-0.015 * 36), abs=1e-15)
    assert predictions[3]["TACE_36"] == ""


def test_bundle_returns_from_its_file_and_equal_bundles_give_equal_bytes():
    data = sealed_study().bundle()
    assert pack(unpack(data)) == data


def test_bundle_holds_no_prediction_in_clear():
    """BL-02: before the two keys, neither a recommendation nor the model nor the cut can be read."""
    data = sealed_study().bundle()
    assert b"recommended" not in data
    assert ARTEFACT not in data
    assert b"01-0001-01,01," not in data


def test_one_custodian_alone_opens_nothing():
    """SL-01."""
    data = sealed_study().bundle()
    half = opening.peel(data, KEYS["A"], now=NOW)
    for key in (KEYS["A"], KEYS["C"], PrivateKey.generate()):
        with pytest.raises(BundleRefused):
            opening.open_half(half, key, predict, now=NOW)
    with pytest.raises(BundleRefused, match="has not peeled"):
        opening.open_half(data, KEYS["B"], predict, now=NOW)


def test_same_key_twice_is_refused_at_either_layer():
    data = sealed_study().bundle()
    assert "first layer of pair AB is that of A" in refused(data, KEYS["B"])
    with pytest.raises(BundleRefused, match="second layer of pair AB is that of B"):
        opening.open_half(opening.peel(data, KEYS["A"], now=NOW), KEYS["A"], predict, now=NOW)


def test_key_of_another_study_is_refused():
    assert "belongs to no custodian" in refused(sealed_study().bundle(), PrivateKey.generate())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"made_at": NOW + 1}, "dated in the future"),
        ({"requester": "custodian-two"}, "custodian-two made the request and may not approve it"),
        ({"study": "OTHER"}, "the ledger is not that of OTHER"),
        ({"plan": "6" * 64}, "analysis plan was not on the ledger before the first seal"),
        ({"cut": "6" * 64}, "not locked and anchored"),
        ({"head": {"index": 8, "h": "00" * 32}}, "does not contain the head"),
        ({"head": {"index": 999, "h": "00" * 32}}, "does not contain the head"),
        ({"seals": [4, 5, 6, 7]}, "exactly the seals that the request lists"),
        ({"seals": [5, 4, 6, 7, 8]}, "once each, in order"),
        ({"pair": "AA"}, "names no pair"),
        ({"pair": "BA"}, "names no pair"),
        ({"v": 2}, "not one of version 1"),
        ({"more": 1}, "not one of version 1"),
        ({"rule": {"version": "1", "window_days": 120}}, "rule or one of its recipients"),
        ({"rule": {"weeks": 13}}, "rule or one of its recipients"),
        ({"recipients": {"dmc": {}}}, "rule or one of its recipients"),
        ({"recipients": {"../dmc": PUBLIC["A"].as_json()}}, "one word"),
    ],
)
def test_request_that_may_not_be_opened_is_refused_with_its_reason(change, reason):
    """UB-01, UB-02."""
    made = sealed_study()
    asked = made.request(**change)
    signed = {letter: opening.approve(digest(asked), KEYS[letter]) for letter in "AB"}
    assert reason in refused(made.bundle(asked, signed))


def test_request_without_its_ledger_entry_is_refused():
    made = sealed_study()
    bundle = unpack(made.bundle())
    assert "not entered on the ledger" in refused(pack(replace(bundle, rows=bundle.rows[:-1])))


def test_approvals_are_signatures_of_both_custodians_on_this_request():
    """UB-01: one custodian, one person twice, another request, a foreign key."""
    made = sealed_study()
    bundle = unpack(made.bundle())
    ours = bundle.approvals
    other = opening.approve(digest(made.request(reason="another")), KEYS["B"])
    for approvals in (
        {"A": ours["A"]},
        {"A": ours["A"], "B": ours["A"]},
        {"A": ours["A"], "B": other},
        {"A": ours["A"], "C": ours["B"]},
        {},
    ):
        assert "custodian B" in refused(pack(replace(bundle, approvals=approvals)))


def test_one_person_with_two_keys_is_refused(monkeypatch):
    monkeypatch.setitem(opened_study.PERSONS, "B", "custodian-one")
    assert "one person holds two" in refused(sealed_study().bundle())


def test_cut_that_was_anchored_only_after_the_opening_is_refused():
    """UB-02."""
    bundle = unpack(sealed_study().bundle())
    late = chain.Anchor(10, bundle.rows[10].head, at(1160))
    assert "not locked and anchored" in refused(pack(replace(bundle, anchors=(bundle.anchors[0], late))))


def test_bundle_without_an_outside_anchor_is_refused():
    assert "no outside anchor" in refused(sealed_study().bundle(anchors=[]))


def test_cut_tail_of_the_ledger_is_found_by_the_anchor():
    """SL-04."""
    bundle = unpack(sealed_study().bundle())
    assert "tail was cut" in refused(pack(replace(bundle, rows=bundle.rows[:8])))


def test_swapped_rows_and_swapped_seals_are_refused():
    """SL-01: the envelope of one participant under the record of another."""
    bundle = unpack(sealed_study().bundle())
    rows = list(bundle.rows)
    rows[4], rows[5] = rows[5], rows[4]
    assert "row 5: stands where row 4 belongs" in refused(pack(replace(bundle, rows=tuple(rows))))
    seals = bundle.seals | {4: bundle.seals[5], 5: bundle.seals[4]}
    assert "seal 4: its ciphertext is not the one on the ledger" in refused(pack(replace(bundle, seals=seals)))


@pytest.mark.parametrize("part", ["ciphertext", "wrap", "record", "nonce", "commitment", "head", "snapshot", "anchor"])
def test_flipped_byte_anywhere_is_refused(part):
    bundle = unpack(sealed_study().bundle())
    row, envelope, rows = bundle.rows[4], bundle.seals[4], list(bundle.rows)
    name = bundle.body(4)["snapshot"]
    match part:
        case "ciphertext":
            changed = replace(bundle, seals=bundle.seals | {4: replace(envelope, ciphertext=flip(envelope.ciphertext, 100))})
        case "wrap":
            changed = replace(
                bundle, seals=bundle.seals | {4: replace(envelope, wraps=envelope.wraps | {"BC": flip(envelope.wraps["BC"], 9)})}
            )
        case "snapshot":
            changed = replace(bundle, snapshots=bundle.snapshots | {name: flip(bundle.snapshots[name], 3)})
        case "anchor":
            changed = replace(bundle, anchors=(replace(bundle.anchors[0], head=flip(bundle.anchors[0].head, 0)), bundle.anchors[1]))
        case _:
            field = {"record": "body"}.get(part, part)
            rows[4] = replace(row, **{field: flip(getattr(row, field), 5)})
            changed = replace(bundle, rows=tuple(rows))
    assert refused(pack(changed))


def test_flipped_byte_of_the_cut_or_the_artefact_stops_the_second_custodian():
    bundle = unpack(sealed_study().bundle())
    cut = replace(bundle.cut, ciphertext=flip(bundle.cut.ciphertext, 40))
    artefact = replace(bundle.artefacts[MODEL], ciphertext=flip(bundle.artefacts[MODEL].ciphertext, 40))
    for changed in (replace(bundle, cut=cut), replace(bundle, artefacts={MODEL: artefact})):
        half = opening.peel(pack(changed), KEYS["A"], now=NOW)
        with pytest.raises(BundleRefused, match="changed"):
            opening.open_half(half, KEYS["B"], predict, now=NOW)


def test_other_artefact_under_the_right_name_is_refused():
    bundle = unpack(sealed_study().bundle())
    associated = {"study": STUDY, "purpose": "artefact", "sha256": MODEL}
    changed = replace(bundle, artefacts={MODEL: enclose(ARTEFACT + b" ", associated, PUBLIC)})
    with pytest.raises(BundleRefused, match="another SHA-256"):
        open_(pack(changed))


def test_half_of_another_request_or_from_another_hand_is_refused():
    """A foreign half, and a half signed by somebody else."""
    made = sealed_study()
    ours = unpack(opening.peel(made.bundle(), KEYS["A"], now=NOW))
    other = sealed_study()
    theirs = unpack(opening.peel(other.bundle(other.request(reason="another")), KEYS["A"], now=NOW))
    forged = ours.half | {"signature": ""}
    for half in (theirs.half, forged, ours.half | {"files": {}}):
        with pytest.raises(BundleRefused, match="not made by the first custodian"):
            opening.open_half(pack(replace(ours, half=half)), KEYS["B"], predict, now=NOW)


def test_foreign_bundle_and_foreign_bytes_are_refused():
    for data in (b"", b"no tar", pack(unpack(sealed_study().bundle()))[:512]):
        assert "no opening bundle" in refused(data)


def test_seals_of_another_study_are_refused():
    made = sealed_study()
    bundle = unpack(made.bundle())
    ours = unpack(sealed_study().bundle())
    assert "is not the one on the ledger" in refused(pack(replace(bundle, seals=ours.seals)))


def forged_study(said_burden: str, shown_burden: str) -> opened_study.Study:
    """Somebody at the ledger seals, with the public keys alone, what another patient's inputs would give."""
    made = opened_study.study()
    content = snapshot(shown_burden)
    honest, wished = predict(ARTEFACT, content), predict(ARTEFACT, snapshot(said_burden))
    made.seal("01-0001-01", content, 10, said=replace(wished, provenance=honest.provenance))
    made.anchor(11)
    made.freeze([line("01-0001-01", "TACE")])
    return made


def test_forged_seal_passes_every_check_but_the_replay():
    """UB-03: the replay names it, and it does not count."""
    opened = open_(forged_study("0.1", "1.0").bundle())
    assert "recommended is sealed as SURG and replayed as TACE" in opened.seals[0].fault
    found = opening_report.tags(opened)
    assert (found["01-0001-01"].reason, found["01-0001-01"].recommended) == ("SEAL_UNOPENABLE", None)
    mismatches = json.loads(opening_report.files(opened)["report.json"])["seals"]["mismatches"]
    assert len(mismatches) == 1
    assert mismatches[0].startswith("seal 4 of 01-0001-01 (tier 1): recommended")


def test_forgery_that_keeps_the_recommendation_is_found_by_its_probabilities():
    opened = open_(forged_study("1.0000001", "1.0").bundle())
    assert opened.seals[0].fault.startswith("S of SURG differs by")


def test_sealed_failure_that_replays_as_an_answer_is_named_and_stays_a_failure():
    made = opened_study.study()
    content = snapshot("1.0")
    honest = predict(ARTEFACT, content)
    failed = replace(predict(ARTEFACT, snapshot("-1")), provenance=honest.provenance)
    made.seal("01-0001-01", content, 10, said=failed)
    made.anchor(11)
    made.freeze([line("01-0001-01", "TACE")])
    opened = open_(made.bundle())
    assert "outcome is sealed as failure and replayed as answer" in opened.seals[0].fault
    assert opening_report.tags(opened)["01-0001-01"].reason == "ABSTAIN"


def test_program_that_stops_is_a_mismatch_and_not_the_end():
    def broken(artefact: bytes, content: bytes):
        raise RuntimeError(content.decode())

    half = opening.peel(sealed_study().bundle(), KEYS["A"], now=NOW)
    opened = opening.open_half(half, KEYS["B"], broken, now=NOW)
    assert {seal.fault for seal in opened.seals} == {"the replay stopped with RuntimeError"}


def test_undeclared_model_second_seal_and_missing_artefact_are_refused():
    """MD-05, PR-06."""
    made = sealed_study()
    made.seal("01-0001-01", snapshot("1.1"), 1100)
    assert "01-0001-01 has 2 confirmatory seals of tier 1" in refused(made.bundle())
    undeclared = opened_study.study()
    undeclared.seal("01-0001-01", snapshot("1.0"), 10, tier="2")
    undeclared.anchor(11)
    undeclared.freeze([line("01-0001-01", "TACE")])
    assert "its model was not declared for its tier before it" in refused(undeclared.bundle())
    assert "the artefact of its model is missing" in refused(sealed_study().bundle(artefacts={}))


def test_participant_sealed_outside_the_scope_has_no_tag():
    """An interim opening of three of five seals: nobody is called unsealed who is sealed elsewhere."""
    made = sealed_study()
    scope = sorted(made.seals)[:3]
    data = made.bundle(made.request(seals=scope), seals={index: made.seals[index] for index in scope})
    opened = open_(data)
    assert set(opening_report.tags(opened)) == {"01-0001-01", "01-0002-02", "01-0003-03", "02-0003-06", "02-0004-07"}
    assert json.loads(opening_report.files(opened)["report.json"])["outside_scope"] == ["02-0001-04", "02-0002-05"]


def test_cut_without_its_columns_is_refused():
    made = opened_study.study()
    made.seal("01-0001-01", snapshot("1.0"), 10)
    made.anchor(11)
    made.cut = b"patient,center\n01-0001-01,01\n"
    made.append("lock", {"cut": sha256(made.cut).hexdigest()}, 1100)
    made.anchor(1100)
    with pytest.raises(BundleRefused, match="lacks the columns known_on"):
        opening_report.tags(open_(made.bundle()))


def test_opened_payload_is_what_was_sealed():
    opened = open_(sealed_study().bundle())
    assert opened.seals[0].payload == predict(ARTEFACT, snapshot("1.0"))
    assert decode(opened.seals[0].payload.encode()) == opened.seals[0].payload
    assert opened.seals[0].anchored_at == at(11, 3)
    assert chain.instant(opened.seals[0].sealed_at).day == 11


def test_custodians_own_heads_find_what_the_bundle_does_not_tell():
    """SL-04: whoever makes the bundle chooses its anchors, but not those in the custodian's own mail."""
    made = sealed_study()
    data = made.bundle()
    rolled_back = chain.Anchor(9, b"\0" * 32, at(1101))
    later = chain.Anchor(99, b"\0" * 32, at(1152))
    assert opening.peel(data, KEYS["A"], now=NOW, heads=tuple(made.anchors))
    for head, reason in ((rolled_back, "holds another head"), (later, "tail was cut")):
        with pytest.raises(BundleRefused, match=reason):
            opening.peel(data, KEYS["A"], now=NOW, heads=(head,))
        with pytest.raises(BundleRefused, match=reason):
            opening.open_half(opening.peel(data, KEYS["A"], now=NOW), KEYS["B"], predict, now=NOW, heads=(head,))


def test_result_is_encrypted_to_each_named_recipient_and_to_nobody_else():
    """`docs/sealing.md`: tags and report travel as files that their recipients alone read."""
    dmc, statistician = PrivateKey.generate(), PrivateKey.generate()
    made = sealed_study()
    named = {"dmc": dmc.public.as_json(), "statistician": statistician.public.as_json()}
    opened = open_(made.bundle(made.request(recipients=named)))
    written = opening_report.results(opened)
    assert sorted(written) == ["dmc.enc", "statistician.enc"]
    assert opening_report.read_result(written["dmc.enc"], dmc) == opening_report.files(opened)
    with pytest.raises(KeyRefused):
        opening_report.read_result(written["dmc.enc"], statistician)
    in_clear = {"tags.csv", "predictions.csv", "report.json", "analysis.json", "analysis_cut.csv"}
    assert opening_report.results(open_(sealed_study().bundle())).keys() == in_clear


def test_cut_with_an_unknown_strategy_is_refused():
    made = opened_study.study()
    made.seal("01-0001-01", snapshot("1.0"), 10)
    made.anchor(11)
    made.freeze([line("01-0001-01", "RADIATION")])
    with pytest.raises(BundleRefused, match="cut cannot be read"):
        opening_report.tags(open_(made.bundle()))


def test_payload_of_another_snapshot_under_a_seal_is_named():
    made = opened_study.study()
    made.seal("01-0001-01", snapshot("1.0"), 10, said=predict(ARTEFACT, snapshot("1.1")))
    made.anchor(11)
    made.freeze([line("01-0001-01", "TACE")])
    opened = open_(made.bundle())
    assert opened.seals[0].fault == "the record names another model or snapshot than its seal"
    assert opened.seals[0].payload is None


def test_exploratory_seal_is_opened_and_never_makes_a_tag():
    """PR-06."""
    made = opened_study.study()
    made.seal("01-0001-01", snapshot("1.0"), 10)
    made.seal("01-0001-01", snapshot("0.1"), 10, tier="2", purpose="exploratory")
    made.seal("01-0002-02", snapshot("1.0"), 10, purpose="exploratory")
    made.anchor(11)
    made.freeze([line("01-0001-01", "TACE"), line("01-0002-02", "TACE")])
    opened = open_(made.bundle())
    assert [seal.fault for seal in opened.seals] == ["", "", ""]
    found = opening_report.tags(opened)
    assert (found["01-0001-01"].state, found["01-0001-01"].tier) == ("CONSISTENT", 1)
    assert found["01-0002-02"].reason == "NO_SEAL"


def test_no_byte_of_a_seal_or_of_the_ledger_may_differ():
    """A sweep over the file: whatever is changed is refused, and never by another exception; the layers of the pair that is not
    asked, of cut and artefact, are the only bytes without a hash on the ledger."""
    data = sealed_study().bundle()
    free = [data.index(b"artefact.enc"), data.index(b"ledger.public")]
    for place in range(0, len(data), 499):
        if not free[0] < place < free[1]:
            refused(flip(data, place))
    for length in range(0, len(data), 9973):
        refused(data[:length])


@pytest.mark.parametrize("content", [b"[" * 9000, b"{}", b'{"burden":"1.0","inputs":[]}', b'{"burden":"1.0","inputs":[{"on":"soon"}]}'])
def test_one_unreadable_snapshot_spoils_its_own_seal_only(content):
    """A forger with the public keys must not be able to stop the opening of all others."""
    made = opened_study.study()
    honest = predict(ARTEFACT, snapshot("1.0"))
    made.seal("01-0001-01", snapshot("1.0"), 10)
    made.seal("01-0002-02", content, 10, said=replace(honest, provenance=replace(honest.provenance, snapshot=sha256(content).hexdigest())))
    made.anchor(11)
    made.freeze([line("01-0001-01", "TACE"), line("01-0002-02", "TACE")])
    opened = open_(made.bundle())
    assert [seal.fault for seal in opened.seals] == ["", "does not open: its snapshot does not date its inputs"]
    found = opening_report.tags(opened)
    assert [found[number].reason for number in ("01-0001-01", "01-0002-02")] == ["", "SEAL_UNOPENABLE"]
