"""`manage.py model`: register what was trained, have two custodians approve it, lock it for its tier, retire it."""

import hashlib
import json
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.canonical import canonical
from accounts.models import User
from accounts.transitions import NotAllowedNow
from predictions import approval, registry
from predictions.models import ModelVersion
from predictions.sealing_keys import KeyRefused, needs_passphrase, read_private
from predictions.training.artefact import ArtefactRefused
from studies.models import Study

REFUSALS = (ArtefactRefused, approval.ApprovalRefused, KeyRefused, NotAllowedNow, ValidationError, OSError, ValueError)


class Command(BaseCommand):
    help = "The registry of models. `approve` runs on a custodian's own device and needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        register = acts.add_parser("register", help="take a trained model in, validated by its report")
        register.add_argument("--trained", type=Path, required=True, help="what `train --out` left: model.json and report.json")
        register.add_argument("--name", required=True)
        register.add_argument("--use", required=True, help="intended use, in words")
        register.add_argument("--commit", required=True, help="git commit of the program that trained it, 40 digits")
        acts.add_parser("list", help="every model of a study and its state")
        statement = acts.add_parser("statement", help="write what two custodians sign")
        statement.add_argument("--out", type=Path, required=True)
        approve = acts.add_parser("approve", help="sign a statement with a custodian's key")
        approve.add_argument("statement", type=Path)
        approve.add_argument("--key", type=Path, required=True)
        approve.add_argument("--out", type=Path, required=True)
        lock = acts.add_parser("lock", help="lock a model by two signatures")
        lock.add_argument("--signature", action="append", required=True, metavar="LETTER=FILE", help="twice")
        retire = acts.add_parser("retire", help="end a model's service; what it sealed stays")
        retire.add_argument("--reason", required=True)
        for name in ("register", "list", "statement", "lock", "retire"):
            acts.choices[name].add_argument("--study", required=True)
        for name in ("statement", "lock", "retire"):
            acts.choices[name].add_argument("--model", required=True, help="the first digits of its SHA-256")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            said = getattr(self, options["act"])(options)
        except REFUSALS as refusal:
            sentences = refusal.messages if isinstance(refusal, ValidationError) else [str(refusal)]
            raise CommandError(f"model: {' '.join(sentences)}", returncode=1) from None
        self.stdout.write(said)

    def register(self, options: dict[str, Any]) -> str:
        data, report = (options["trained"] / "model.json").read_bytes(), (options["trained"] / "report.json").read_bytes()
        said = json.loads(report)
        if said.get("model_sha256") != hashlib.sha256(data).hexdigest():
            raise ValueError("report.json is of another model")
        study, system = self.study(options), User.objects.system()
        named = {"name": options["name"], "commit": options["commit"], "intended_use": options["use"]}
        version = registry.register(study=study, data=data, data_sha256=said["data_sha256"], by=system, **named)
        version = registry.validate(version=version, report=report, by=system)
        registry.place(version, data)
        return f"{version.artefact_sha256} is validated for tier {version.tier}"

    def list(self, options: dict[str, Any]) -> str:
        rows = ModelVersion.objects.filter(study=self.study(options)).order_by("registered_at")
        return (
            "\n".join(f"{row.artefact_sha256[:16]}  tier {row.tier}  {row.status:10} {row.signed_by:2}  {row.name}" for row in rows)
            or "no model"
        )

    def statement(self, options: dict[str, Any]) -> str:
        version = self.version(options)
        options["out"].write_bytes(canonical(registry.to_sign(version)))
        return f"two custodians sign {options['out']}"

    def approve(self, options: dict[str, Any]) -> str:
        said, key = json.loads(options["statement"].read_bytes()), options["key"].read_bytes()
        self.stdout.write("\n".join(f"{name}: {value}" for name, value in sorted(said.items())))
        opened = read_private(key, getpass("Passphrase of the key: ") if needs_passphrase(key) else "")
        options["out"].write_text(approval.sign(said, opened))
        return f"signed: {options['out']}"

    def lock(self, options: dict[str, Any]) -> str:
        given = dict(each.split("=", 1) for each in options["signature"])
        signatures = {letter: Path(path).read_text().strip() for letter, path in given.items()}
        version = registry.lock(version=self.version(options), signatures=signatures, by=User.objects.system())
        return f"{version.artefact_sha256} is locked for tier {version.tier} by custodians {version.signed_by}"

    def retire(self, options: dict[str, Any]) -> str:
        version = registry.retire(version=self.version(options), reason=options["reason"], by=User.objects.system())
        return f"{version.artefact_sha256} is retired; what it sealed stays"

    def study(self, options: dict[str, Any]) -> Study:
        found = Study.objects.filter(code=options["study"]).first()
        if found is None:
            raise ValueError(f"there is no study {options['study']}")
        return found

    def version(self, options: dict[str, Any]) -> ModelVersion:
        found = ModelVersion.objects.filter(study=self.study(options), artefact_sha256__startswith=options["model"])
        if len(found) != 1:
            raise ValueError(f"{len(found)} models of the study begin with {options['model']}")
        return found[0]
