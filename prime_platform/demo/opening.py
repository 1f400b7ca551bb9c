"""The past study's opening, as its custodians would do it: request, two approvals, peel, open, publish.

Every step is the command that people would type; the demo keys lie on this machine, which is why the banner says so.
"""

import io
import tempfile
from pathlib import Path

from django.core.management import call_command

from predictions import registry
from prime_platform.demo import cohort, custody, people
from studies.models import Study

PAIR = "AB"
ASKED = ("--reason", "demonstration", "--requester", people.INVESTIGATOR_OF_THE_PAST)


def open_past() -> None:
    """Open and publish DEMO-PAST. Raises CommandError where one of the steps refuses."""
    with tempfile.TemporaryDirectory() as scratch:
        _open(Study.objects.get(code=cohort.PAST), Path(scratch))


def _open(study: Study, folder: Path) -> None:
    cut, asked, bundle, half, result = (folder / name for name in ("cut", "request", "bundle.tar", "half.tar", "result"))
    keys = {letter: custody.folder() / f"{letter}.key" for letter in PAIR}
    _say("cut", "--study", study.code, "--kind", "opening", "--out", cut)
    cohort.anchor(study)  # what is frozen must be known outside before the request is entered
    _say("opening", "request", "--study", study.code, "--cut", cut, "--out", asked, "--pair", PAIR, "--days", 7, *ASKED)
    for letter, key in keys.items():
        _say("custodian", "approve", asked / "request.json", "--key", key, "--out", folder / f"{letter}.sig")
    approvals = ",".join(str(folder / f"{letter}.sig") for letter in PAIR)
    artefacts = ",".join(str(registry.folder() / f"{model.artefact_sha256}.json") for model in registry.locked(study))
    _say("opening", "bundle", "--request", asked, "--approvals", approvals, "--artefact", artefacts, "--out", bundle)
    _say("custodian", "peel", bundle, "--key", keys["A"], "--out", half)
    _say("custodian", "open", half, "--key", keys["B"], "--out", result)
    _say("publish", result, "--study", study.code)


def _say(command: str, *words: object) -> None:
    call_command(command, *(str(word) for word in words), stdout=io.StringIO())
