"""The custodian's program: make a key, prove it, approve a request, and take part in an opening. Needs no database and no network."""

import getpass
import importlib
import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import chain
from accounts.canonical import digest
from analysis import opening, opening_report
from analysis.opening_bundle import BundleRefused
from predictions import sealing_keys
from predictions.sealing_keys import KeyRefused, PrivateKey

PREDICTOR = "analysis.opening_replay:predict"
NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Make a custodian's key, prove its possession, approve an opening, peel or open a bundle; offline, without a database."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        keygen = commands.add_parser("keygen", help="make a key file, and beside it FILE.pub to hand out")
        keygen.add_argument("--out", type=Path, default=Path("custodian.key"), help="the key file (default: custodian.key)")
        prove = commands.add_parser("prove", help="answer a challenge: proof that this key is really held")
        prove.add_argument("challenge", type=Path)
        approve = commands.add_parser("approve", help="show a request for an opening and sign it")
        approve.add_argument("request", type=Path, help="request.json")
        peel = commands.add_parser("peel", help="the first custodian: take off the outer layer of a bundle")
        peel.add_argument("bundle", type=Path)
        opens = commands.add_parser("open", help="the second custodian: open what the first has peeled, replay it, write tags and report")
        opens.add_argument("half", type=Path)
        opens.add_argument("--predictor", default=PREDICTOR, help=f"MODULE:FUNCTION that replays the artefact (default: {PREDICTOR})")
        reads = commands.add_parser("read", help="a recipient: decrypt the result of an opening")
        reads.add_argument("result", type=Path)
        for one in (peel, opens):
            one.add_argument("--heads", type=Path, help="a directory of anchors that this custodian received directly")
        for one in (prove, approve, peel, opens, reads):
            one.add_argument("--key", type=Path, required=True, help="this custodian's key file")
            one.add_argument("--out", type=Path, required=True, help="a directory" if one in (opens, reads) else "the file to write")
        keygen.add_argument("--passphrase", action="store_true", help="ask for a passphrase that locks the key file")
        for one in (keygen, prove, approve, peel, opens, reads):
            one.add_argument("--passphrase-file", type=Path, help="read the passphrase from the first line of this file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["command"])(options)
        except BundleRefused as refused:
            raise CommandError(_("Refused:") + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except KeyRefused as refused:
            raise CommandError(_("Refused:") + f" {refused}", returncode=NO) from None
        except OSError as error:
            raise CommandError(str(error), returncode=FAULT) from None

    def keygen(self, options: dict[str, Any]) -> None:
        passphrase = _passphrase(options, ask=options["passphrase"], twice=True)
        key, public = PrivateKey.generate(), Path(f"{options['out']}.pub")
        _write(options["out"], sealing_keys.write_private(key, passphrase), 0o600)
        _write(public, json.dumps(key.public.as_json(), indent=1).encode() + b"\n", 0o644)
        self.stdout.write(_("Key file (stays on this device): %(file)s") % {"file": options["out"]})
        self.stdout.write(_("Public key file (hand it out): %(file)s") % {"file": public})
        self.stdout.write(_("Fingerprint (read it aloud to compare): %(digits)s") % {"digits": key.public.fingerprint})
        if not passphrase:
            self.stdout.write(_("The key file is not locked by a passphrase: only its file mode protects it."))

    def prove(self, options: dict[str, Any]) -> None:
        proof = sealing_keys.prove(_key(options), options["challenge"].read_bytes())
        _write(options["out"], json.dumps(proof, indent=1).encode() + b"\n", 0o644)
        self.stdout.write(_("Proof written to %(file)s") % {"file": options["out"]})

    def approve(self, options: dict[str, Any]) -> None:
        try:
            request = json.loads(options["request"].read_bytes())
            asked = {name: request[name] for name in ("study", "requester", "reason", "pair", "expires_at", "seals")}
            expires = chain.instant(asked["expires_at"]).isoformat()
            signature = opening.approve(digest(request), _key(options))
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(_("This is no request: %(error)r") % {"error": error}, returncode=FAULT) from None
        self.stdout.write(f"{asked['study']}: {asked['requester']}: {asked['reason']}")
        self.stdout.write(
            _("%(count)s seals, custodians %(pair)s, until %(expires)s")
            % {"count": len(asked["seals"]), "pair": asked["pair"], "expires": expires}
        )
        _write(options["out"], signature, 0o644)
        self.stdout.write(_("Approval written to %(file)s") % {"file": options["out"]})

    def peel(self, options: dict[str, Any]) -> None:
        half = opening.peel(options["bundle"].read_bytes(), _key(options), now=chain.microseconds(timezone.now()), heads=_heads(options))
        _write(options["out"], half, 0o600)
        self.stdout.write(_("Half written to %(file)s; it is for the second custodian alone.") % {"file": options["out"]})

    def read(self, options: dict[str, Any]) -> None:
        _write_all(options["out"], opening_report.read_result(options["result"].read_bytes(), _key(options)))
        self.stdout.write(_("Result written to %(folder)s") % {"folder": options["out"]})

    def open(self, options: dict[str, Any]) -> None:
        now, predict = chain.microseconds(timezone.now()), _predictor(options["predictor"])
        opened = opening.open_half(options["half"].read_bytes(), _key(options), predict, now=now, heads=_heads(options))
        _write_all(options["out"], opening_report.results(opened))
        faults = [seal for seal in opened.seals if seal.fault]
        self.stdout.write(
            _("%(count)s seals, %(faults)s mismatches; tags and report in %(folder)s")
            % {"count": len(opened.seals), "faults": len(faults), "folder": options["out"]}
        )
        if faults:
            named = "".join(f"\n  - seal {seal.index} of {seal.study_number}: {seal.fault}" for seal in faults)
            raise CommandError(_("These seals are not what the registered model gives:") + named, returncode=NO)


def _heads(options: dict[str, Any]) -> tuple[chain.Anchor, ...]:
    if options["heads"] is None:
        return ()
    try:
        return tuple(chain.Anchor.decode(path.read_bytes()) for path in sorted(options["heads"].iterdir()))
    except ValueError as error:
        raise CommandError(str(error), returncode=FAULT) from None


def _key(options: dict[str, Any]) -> PrivateKey:
    data = options["key"].read_bytes()
    return sealing_keys.read_private(data, _passphrase(options, ask=sealing_keys.needs_passphrase(data)))


def _passphrase(options: dict[str, Any], *, ask: bool, twice: bool = False) -> str:
    if options["passphrase_file"]:
        lines = options["passphrase_file"].read_text("utf-8").splitlines()
        return lines[0] if lines else ""
    if not ask:
        return ""
    said = getpass.getpass(_("Passphrase of the key file: "))
    if twice and said != getpass.getpass(_("Once more: ")):
        raise KeyRefused(_("the two passphrases differ"))
    return said


def _predictor(name: str) -> opening.Predict:
    module, _colon, function = name.partition(":")
    try:
        found: opening.Predict = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(
            _("There is no program %(name)s to replay with: %(error)s") % {"name": name, "error": error}, returncode=FAULT
        ) from None
    return found


def _write_all(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        _write(folder / name, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; an existing one is never replaced."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
