"""Adopting another version of the data dictionary: what it would touch is counted first, and nothing recorded is changed by it.

Entries remember the version they were recorded under. A value of an item that is asked no more stays stored and readable; one that
no longer fits stays as it is until somebody corrects it, and is counted here.
"""

from collections import Counter
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies import dictionary, dictionary_lint
from studies.access import Permission, require_operator
from studies.dictionary_diff import Difference, differences
from studies.models import Entry, Study
from studies.values import Value


@dataclass(frozen=True, slots=True)
class Touched:
    """A difference with the number of forms that hold the item, and of those whose value the new version would refuse."""

    difference: Difference
    held: int
    unfit: int


def preview(study: Study, version: str) -> list[Touched]:
    """What the study would get with another version, and how many recorded forms each difference touches; one query.

    Raises DictionaryError for a version there is not.
    """
    found = differences(study.dictionary, dictionary.load(study.dictionary_id, version))
    by_code = {difference.code: difference for difference in found}
    held, unfit = Counter[str](), Counter[str]()
    for values in Entry.objects.filter(participant__study=study).values_list("values", flat=True).iterator():
        for code in values.keys() & by_code.keys():
            held[code] += 1
            unfit[code] += by_code[code].no_longer_fits(Value.from_json(values[code]))
    return [Touched(difference, held[difference.code], unfit[difference.code]) for difference in found]


@transaction.atomic
def adopt(*, study: Study, version: str, digest: str, reason: str, by: User) -> Study:
    """Record by another version from now on; `digest` is that of the file whose differences were shown.

    Raises ValidationError without a reason, when the file is another one than was shown, or when it does not ask what the
    protocol calls a baseline; DictionaryError for a version there is not.
    """
    require_operator(by, Permission.STUDY_SETUP, study)
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    chosen = dictionary.load(study.dictionary_id, version)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why this version is adopted.")})
    if chosen.digest != digest:
        raise ValidationError(_("This version is not the one whose differences were shown. Look at them again."))
    faults = dictionary_lint.protocol_faults(study.protocol, chosen)
    if faults:
        raise ValidationError(_("This version cannot be adopted: %(faults)s.") % {"faults": "; ".join(faults)})
    study.dictionary_version, study.dictionary_digest = chosen.version, chosen.digest
    with audit.act(by=by, action="study.dictionary_adopted", reason=reason):
        save_checked(study)
    return study
