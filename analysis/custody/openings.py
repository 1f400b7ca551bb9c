"""Taking part in an opening: peel, open with replay, read a result; and in handing a custodian's part on."""

import importlib

from analysis import handover, opening, opening_report
from analysis.custody.acts import FAULT, NO, Options, Say, Stopped, heads_of, key_of, now, write, write_all
from analysis.custody.words import _
from analysis.opening_bundle import unpack

PREDICTOR = "analysis.opening_replay:predict"


def peel(options: Options, say: Say) -> None:
    """The first custodian takes off the outer layer of a bundle."""
    data = options["bundle"].read_bytes()
    half = opening.peel(data, key_of(options), now=now(), heads=heads_of(options, unpack(data).rows))
    write(options["out"], half, 0o600)
    say(_("Half written to %(file)s; it is for the second custodian alone.") % {"file": options["out"]})


def open_(options: Options, say: Say) -> None:
    """The second custodian opens, replays and writes the result."""
    predict, data = _predictor(options["predictor"]), options["half"].read_bytes()
    opened = opening.open_half(data, key_of(options), predict, now=now(), heads=heads_of(options, unpack(data).rows))
    write_all(options["out"], opening_report.results(opened))
    faults = [seal for seal in opened.seals if seal.fault]
    counts = {"count": len(opened.seals), "faults": len(faults), "folder": options["out"]}
    say(_("%(count)s seals, %(faults)s mismatches; tags and report in %(folder)s") % counts)
    if faults:
        named = "".join(f"\n  - seal {seal.index} of {seal.study_number}: {seal.fault}" for seal in faults)
        raise Stopped(_("These seals are not what the registered model gives:") + named, NO)


def read(options: Options, say: Say) -> None:
    """A recipient decrypts the result."""
    write_all(options["out"], opening_report.read_result(options["result"].read_bytes(), key_of(options)))
    say(_("Result written to %(folder)s") % {"folder": options["out"]})


def handover_peel(options: Options, say: Say) -> None:
    """The first of the two who stay takes off the outer layer of every seal's key."""
    data = options["bundle"].read_bytes()
    write(options["out"], handover.peel(data, key_of(options), now=now(), received=heads_of(options, handover.unpack(data).rows)), 0o600)
    say(_("Half written to %(file)s; it is for the second custodian alone.") % {"file": options["out"]})


def handover_wrap(options: Options, say: Say) -> None:
    """The second wraps every seal's key anew, for the three custodians that there will be."""
    data = options["half"].read_bytes()
    write(options["out"], handover.wrap(data, key_of(options), now=now(), received=heads_of(options, handover.unpack(data).rows)), 0o600)
    say(_("New wraps written to %(file)s; give them to the operator. No prediction was opened.") % {"file": options["out"]})


def _predictor(name: str) -> opening.Predict:
    module, _colon, function = name.partition(":")
    try:
        found: opening.Predict = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise Stopped(_("There is no program %(name)s to replay with: %(error)s") % {"name": name, "error": error}, FAULT) from None
    return found
