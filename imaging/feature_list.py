"""Which features readers measure alike: ICC(2,1) between two readers and of one reader with himself, per phase; kept above a threshold.

Both readers measure the same series by the study's profile; the outline in force is held against a second reader's and, apart from it,
against the same reader's repeat (docs/radiomics.md). The list holds every figure, is numbered and hashed, and is what models
may choose from. It knows nothing of treatment, outcome or prediction.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from accounts import audit
from accounts.canonical import digest, number
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from imaging import agreement
from imaging.features import INPUTS, PROFILE, profile
from imaging.models import FeatureList, FeatureSet, Roi
from studies.access import require_operator, studies_for
from studies.models import Study

VIEW, MAKE = "agreement.view", "agreement.make"
THRESHOLD, LEAST = 0.75, 10
"""Kept above this ICC, by both comparisons; and how many tumours each comparison needs."""
COMPARISONS = {"inter": Roi.Session.SECOND, "intra": Roi.Session.REPEAT}

Pair = tuple[FeatureSet, FeatureSet]


@dataclass(frozen=True)
class Compared:
    """How many tumours two outlines were drawn of, by phase and comparison, and how far a list needs more."""

    phase: str
    comparison: str
    pairs: int
    least: int = LEAST


def lists_for(user: User) -> QuerySet[FeatureList]:
    """The lists of the studies in which a person may see them, the newest first."""
    return FeatureList.objects.filter(study__in=studies_for(user, VIEW)).select_related("study", "made_by").order_by("study", "-version")


def progress(study: Study) -> list[Compared]:
    """How many tumours of each phase were outlined twice, by two readers and by one; in one question."""
    twice = _measured(study).filter(roi__series__rois__state=Roi.State.COMPARED).order_by().distinct()
    rows = set(twice.values_list("roi__series__phase", "roi__session", "roi__series", "roi__series__participant"))
    counted = {series for _phase, session, series, _person in rows if session == Roi.Session.COUNTS}
    people: dict[tuple[str, str], set[int]] = defaultdict(set)
    for phase, session, series, person in rows:
        if series in counted:
            people[phase, session].add(person)
    return [
        Compared(name, comparison, len(people[str(phase), session]))
        for phase, name in INPUTS.items()
        for comparison, session in COMPARISONS.items()
    ]


@transaction.atomic
def make(*, study: Study, by: User, threshold: float = THRESHOLD) -> FeatureList:
    """Draw up the list from all pairs measured by now; the newest one again where nothing changed.

    Raises NotAllowedNow while a comparison has fewer than `LEAST` tumours.
    """
    require_operator(by, MAKE, study)
    study = Study.objects.select_for_update().get(pk=study.pk)  # numbers without gaps
    content = said(study, threshold)
    sha256 = digest(content)
    last = study.feature_lists.order_by("version").last()
    if last is not None and last.sha256 == sha256:
        return last
    made = FeatureList(study=study, version=last.version + 1 if last else 1, content=content, sha256=sha256, made_by=by)
    with audit.act(by=by, action="features.listed"):
        save_checked(made)
    return made


def said(study: Study, threshold: float) -> dict[str, Any]:
    """The content of a list: settings, the measurements that went in, and per feature both ICCs with intervals and whether it stays."""
    pairs = {(name, kind): _pairs(study, phase, session) for phase, name in INPUTS.items() for kind, session in COMPARISONS.items()}
    if short := [f"{name} {kind} {len(found)}" for (name, kind), found in pairs.items() if len(found) < LEAST]:
        text = _("Agreement needs %(least)d tumours outlined twice in each comparison; there are: %(short)s.")
        raise NotAllowedNow(text % {"least": LEAST, "short": ", ".join(short)})
    return {
        "v": 1,
        "study": study.code,
        "method": "ICC(2,1), two-way random, absolute agreement, single measurement; 95 % interval",
        "threshold": number(threshold),
        "profile": PROFILE,
        "profile_sha256": profile().sha256,
        "pairs": {f"{name}_{kind}": len(found) for (name, kind), found in pairs.items()},
        "measurements": sorted({one.sha256 for found in pairs.values() for pair in found for one in pair}),
        "features": [row for name in INPUTS.values() for row in _rows(name, {kind: pairs[name, kind] for kind in COMPARISONS}, threshold)],
    }


def _rows(phase: str, pairs: Mapping[str, list[Pair]], threshold: float) -> Iterable[dict[str, Any]]:
    values = {kind: _table(found) for kind, found in pairs.items()}
    for i, feature in enumerate(pairs["inter"][0][0].by_name):
        found = {kind: _icc(table[:, :, i]) for kind, table in values.items()}
        kept = all(one is not None and one.estimate > threshold for one in found.values())
        yield {"name": f"{phase}_{feature}", "kept": kept, **{kind: _stated(one) for kind, one in found.items()}}


def _table(pairs: list[Pair]) -> agreement.Floats:
    """(tumours, 2, features)"""
    return np.array([[[float(value) for value in one.by_name.values()] for one in pair] for pair in pairs])


def _icc(ratings: agreement.Floats) -> agreement.Icc | None:
    """None where too few tumours have a value in both outlines."""
    complete = np.isfinite(ratings).all(axis=1)
    return agreement.icc(ratings[complete]) if int(complete.sum()) >= LEAST else None


def _stated(found: agreement.Icc | None) -> dict[str, Any]:
    if found is None:
        return {"icc": None, "lower": None, "upper": None, "n": None}
    shown = [None if np.isnan(value) else number(value) for value in (found.estimate, found.lower, found.upper)]
    return {"icc": shown[0], "lower": shown[1], "upper": shown[2], "n": found.n}


def _pairs(study: Study, phase: str, session: str) -> list[Pair]:
    """The measurement that counts and the one it is compared with, of one series of each participant: the outline uploaded last."""
    here = _measured(study).filter(roi__series__phase=phase)
    counts = {one.roi.series_id: one for one in here.filter(roi__session=Roi.Session.COUNTS)}
    found: dict[int, Pair] = {}
    for other in here.filter(roi__session=session):
        if other.roi.series_id in counts:
            found[other.roi.series.participant_id] = counts[other.roi.series_id], other
    return [found[key] for key in sorted(found)]


def _measured(study: Study) -> QuerySet[FeatureSet]:
    """The measurements of outlines in force and for comparison, on the series as they are now, in the order of upload."""
    return FeatureSet.objects.filter(
        profile_sha256=profile().sha256, roi__state__in=[Roi.State.ALIGNED, Roi.State.COMPARED], roi__series__phase__in=INPUTS,
        roi__series__participant__study=study, revision=F("roi__series__revision"),
    ).select_related("roi__series").order_by("roi__uploaded_at", "roi_id")  # fmt: skip
