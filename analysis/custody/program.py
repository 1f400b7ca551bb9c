"""The custodian's program: every act with its arguments, the same for `manage.py custodian` and for a laptop without a platform."""

import importlib
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from pathlib import Path

from analysis.custody import asking, words
from analysis.custody.acts import FAULT, NO, Options, Say, Stopped, refusal
from predictions.sealing_envelope import PAIRS
from predictions.sealing_keys import KeyRefused

PREDICTOR = "analysis.opening_replay:predict"
ACTS = {
    "keygen": "keys:keygen",
    "prove": "keys:prove",
    "drill-make": "keys:drill_make",
    "drill-peel": "keys:drill_peel",
    "drill-open": "keys:drill_open",
    "confirm": "keys:confirm",
    "approve": "requests:approve",
    "peel": "openings:peel",
    "open": "openings:open_",
    "read": "openings:read",
    "handover-peel": "openings:handover_peel",
    "handover-wrap": "openings:handover_wrap",
}
"""What a person asks for → the function that does it; only that one's module is loaded, so that a key can be made on little."""
FILES = {
    "prove": ("challenge", "the challenge that you were sent"),
    "confirm": ("head", "the head that was received"),
    "approve": ("request", "request.json"),
    "peel": ("bundle", "the bundle"),
    "open": ("half", "what the first custodian has peeled"),
    "read": ("result", "the encrypted result"),
    "drill-peel": ("drill", "the drill"),
    "drill-open": ("drill", "the drill"),
    "handover-peel": ("bundle", "the bundle of the handover"),
    "handover-wrap": ("half", "what the first custodian has peeled"),
}
DOES = {
    "keygen": "make a key file, and beside it FILE.pub to hand out",
    "prove": "answer a challenge: proof that this key is really held",
    "confirm": "an outside holder: confirm that a head was received by now",
    "approve": "show a request and sign it",
    "peel": "the first custodian: take off the outer layer of a bundle",
    "open": "the second custodian: open what the first has peeled, replay it, write tags and report",
    "read": "a recipient: decrypt the result of an opening",
    "drill-make": "make a drill for three public keys: can each pair still open?",
    "drill-peel": "drill: the first custodian of a pair",
    "drill-open": "drill: the second custodian of a pair",
    "handover-peel": "a custodian is replaced: the first of the two who stay",
    "handover-wrap": "a custodian is replaced: the second of the two who stay",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one act, or ask step by step where none is named; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = ArgumentParser("custodian", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--lang", choices=("zh", "en"), default=words.of_this_machine(), help="language of the program · 语言")
    add_acts(parser.add_subparsers(dest="command"))
    options = vars(parser.parse_args(given))
    words.speak(options["lang"])
    try:
        if options["command"] is None:
            options = vars(parser.parse_args(asking.arguments(options["lang"])))
            words.speak(options["lang"])
        perform(options, print)
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except (EOFError, KeyboardInterrupt):
        return FAULT
    return 0


def add_acts(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """The acts with their arguments."""
    parsers = {name: commands.add_parser(name, help=DOES[name]) for name in ACTS}
    for name, one in parsers.items():
        if name in FILES:
            one.add_argument(FILES[name][0], type=Path, help=FILES[name][1])
        if name not in ("keygen", "drill-make"):
            one.add_argument("--key", type=Path, required=True, help="this custodian's key file")
        if name not in ("keygen", "drill-open"):
            one.add_argument("--out", type=Path, required=True, help="a directory" if name in ("open", "read") else "the file to write")
        if name in ("peel", "open", "handover-peel", "handover-wrap"):
            one.add_argument("--heads", type=Path, help="a directory of heads that this custodian received directly")
        if name in ("drill-peel", "drill-open"):
            one.add_argument("--pair", choices=PAIRS, required=True, help="the two custodians, the first one first")
        one.add_argument("--passphrase-file", type=Path, help="read the passphrase from the first line of this file")
    parsers["keygen"].add_argument("--out", type=Path, default=Path("custodian.key"), help="the key file (default: custodian.key)")
    parsers["keygen"].add_argument("--passphrase", action="store_true", help="ask for a passphrase that locks the key file")
    parsers["drill-make"].add_argument("public", type=Path, nargs=3, help="A.pub B.pub C.pub, in this order")
    parsers["drill-open"].add_argument("--half", type=Path, required=True, help="what the first custodian has peeled")
    help_ = f"MODULE:FUNCTION that replays the artefact (default: {PREDICTOR})"
    parsers["open"].add_argument("--predictor", default=PREDICTOR, help=help_)


def perform(options: Options, say: Say) -> None:
    """Do what was asked. Raises Stopped with the sentence for the person and the exit status."""
    module, _colon, function = ACTS[options["command"]].partition(":")
    try:
        getattr(importlib.import_module(f"analysis.custody.{module}"), function)(options, say)
    except KeyRefused as refused:
        raise Stopped(f"{words._('Refused:')} {refused}", NO) from None
    except OSError as error:
        raise Stopped(str(error), FAULT) from None
    except ValueError as error:
        reasons = getattr(error, "reasons", None)  # BundleRefused, whose module only openings load
        if reasons is None:
            raise
        raise Stopped(refusal(reasons), NO) from None
