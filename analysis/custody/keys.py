"""A custodian's key: making it, proving that it is held, and the drill that shows in time whether a key was lost."""

import json
import os
from pathlib import Path

from accounts.canonical import canonical
from analysis.custody.acts import FAULT, NO, Options, Say, Stopped, key_of, now, passphrase, write
from analysis.custody.words import _
from predictions import sealing_keys
from predictions.sealing_envelope import CUSTODIANS, disclose, enclose, envelope_json, peel, read_envelope
from predictions.sealing_keys import PrivateKey, PublicKey

DRILL = {"purpose": "drill"}
WORD = 16  # bytes of the word that a drill hides


def keygen(options: Options, say: Say) -> None:
    """Make a key file, and beside it the public part to hand out."""
    secret = passphrase(options, ask=options["passphrase"], twice=True)
    key, public = PrivateKey.generate(), Path(f"{options['out']}.pub")
    write(options["out"], sealing_keys.write_private(key, secret), 0o600)
    write(public, json.dumps(key.public.as_json(), indent=1).encode() + b"\n", 0o644)
    say(_("Key file (stays on this device): %(file)s") % {"file": options["out"]})
    say(_("Public key file (hand it out): %(file)s") % {"file": public})
    say(_("Fingerprint (read it aloud to compare): %(digits)s") % {"digits": key.public.fingerprint})
    if not secret:
        say(_("The key file is not locked by a passphrase: only its file mode protects it."))


def prove(options: Options, say: Say) -> None:
    """Answer a challenge."""
    proof = sealing_keys.prove(key_of(options), options["challenge"].read_bytes())
    write(options["out"], json.dumps(proof, indent=1).encode() + b"\n", 0o644)
    say(_("Proof written to %(file)s") % {"file": options["out"]})


def confirm(options: Options, say: Say) -> None:
    """An outside holder confirms that a head was received by now."""
    try:
        head = json.loads(options["head"].read_bytes())
        receipt = sealing_keys.confirm_head(key_of(options), head, now())
    except (ValueError, KeyError, TypeError) as error:
        raise Stopped(_("This is no head: %(error)r") % {"error": error}, FAULT) from None
    write(options["out"], json.dumps(receipt, indent=1).encode() + b"\n", 0o644)
    say(_("Receipt written to %(file)s; keep the head and the bundles where the platform cannot reach them.") % {"file": options["out"]})


def drill_make(options: Options, say: Say) -> None:
    """Hide a word for the three public keys; any two custodians find it again, and nothing of the study is in it."""
    try:
        keys = [PublicKey.from_json(json.loads(path.read_bytes())) for path in options["public"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Stopped(_("This is no public key: %(error)r") % {"error": error}, FAULT) from None
    word = os.urandom(WORD)
    envelope = enclose(word, DRILL, dict(zip(CUSTODIANS, keys, strict=True)))
    write(options["out"], canonical(envelope_json(envelope)), 0o644)
    say(_("Drill written to %(file)s. The word to be found: %(word)s") % {"file": options["out"], "word": word.hex()})


def drill_peel(options: Options, say: Say) -> None:
    """The first custodian of a pair takes off the outer layer."""
    pair, envelope = options["pair"], read_envelope(json.loads(options["drill"].read_bytes()))
    half = peel(envelope, DRILL, pair, key_of(options))
    write(options["out"], half, 0o600)
    say(_("Half written to %(file)s; it is for the second custodian alone.") % {"file": options["out"]})


def drill_open(options: Options, say: Say) -> None:
    """The second custodian finds the word, or the pair has learnt that it could open nothing."""
    pair, envelope = options["pair"], read_envelope(json.loads(options["drill"].read_bytes()))
    word = disclose(envelope, DRILL, pair, options["half"].read_bytes(), key_of(options))
    if len(word) != WORD:
        raise Stopped(_("This is no drill."), NO)
    say(_("The pair %(pair)s can open. The word: %(word)s") % {"pair": pair, "word": word.hex()})
