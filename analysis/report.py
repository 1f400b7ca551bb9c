"""The full report of a published result: all that the result page shows, with the items of STROBE and TRIPOD+AI filled (AN-21).

It stands alone (styles inside, no script, no address), so that it can be filed, printed, or turned into a PDF by any browser.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from analysis import result
from analysis.models import Publication
from studies.models import Center

LANGUAGES = ("zh-hans", "en")
GUIDELINES = (("STROBE", "strobe.yaml"), ("TRIPOD+AI", "tripod.yaml"))


def html(publication: Publication, *, language: str) -> str:
    """The report in one language as a document that stands alone."""
    with translation.override(language):
        shown = result.page(publication)
        styles = Path(str(finders.find("prime.css"))).read_text(encoding="utf-8")
        said = _facts(publication, shown)
        guidelines = [(name, _items(file, said, language)) for name, file in GUIDELINES]
        context = shown | {"guidelines": guidelines, "styles": styles, "language": language, "whole": True}
        return render_to_string("analysis/report.html", context)


def _items(file: str, said: Mapping[str, Any], language: str) -> list[dict[str, str]]:
    """Each item of a guideline, its title, and what this result says of it."""
    items = yaml.safe_load(files("analysis").joinpath(file).read_text(encoding="utf-8"))
    key = "zh" if language.startswith("zh") else "en"
    return [{"item": one["item"], "title": one["title"][key], "answer": one["answer"][key].format_map(said)} for one in items]


def _facts(publication: Publication, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the placeholders stand for; a result without a comparison says so in each."""
    study, flow = publication.study, publication.analysis["flow"]
    both, sensitivity = shown.get("both"), shown.get("sensitivity") or {}
    none = _("not estimable")
    rows = [f"{row['ratio']['value']} ({row['ratio']['interval']})" for row in both["rows"]] if both else [none, none]
    return {
        "study": study.code,
        "landmark": publication.analysis["rule"]["landmark_days"],
        "centers": Center.objects.filter(study=study).count(),
        "accrual": study.accrual_from,
        "protocol": f"{study.protocol_id} {study.protocol_version}",
        "left_out": sensitivity.get("left_out", none),
        "e_value": both["e_value"] if both else none,
        "target": study.protocol.target,
        "enrolled": flow["enrolled"],
        "analysed": flow["consistent"] + flow["inconsistent"],
        "replicates": both["replicates"] if both else none,
        "sensitivities": len(sensitivity.get("rows", ())),
        "events": both["rows"][0]["events"] if both else none,
        "naive": rows[0],
        "adjusted": rows[1],
        "read_at": both["read_at"] if both else none,
        "robust": _robust(sensitivity),
        "foretold": _("see How the sealed predictions came true") if shown.get("predictions") else _("not in this report"),
    }


def _robust(sensitivity: Mapping[str, Any]) -> str:
    """Whether the bounds hold 1; with nobody left out there are none."""
    if sensitivity.get("left_out") == 0:
        return _("nobody without a tag to bound")
    return _("robust") if sensitivity.get("robust") else _("not robust")
