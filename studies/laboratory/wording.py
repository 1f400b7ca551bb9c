"""The words of the page of a pasted report, by the codes of `studies.lab_paste`."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WHY_DECIDE: dict[str, Promise] = {
    "name": _("The name may mean more than one test, or holds a word that is not known."),
    "unit_missing": _("There is no unit."),
    "unit_unknown": _("The unit is none of this test's, and none that can be converted."),
    "unit_doubtful": _("With this unit the name may mean another quantity."),
    "impossible": _("Outside what is possible in this unit."),
    "range_contradicts": _("The printed reference range does not fit the printed unit."),
    "comparator": _("The form takes no “<” or “>” here."),
    "no_number": _("The result is no number that can be read one way only."),
    "not_detected": _("Not detected, and no limit of detection."),
    "borderline": _("Neither positive nor negative."),
    "number_for_words": _("A number where the form asks positive or negative."),
    "range_or_result": _("It may be the result or the reference range."),
    "two_results": _("There are several numbers; which is the result cannot be told."),
    "columns": _("A column may be empty; which number is the result cannot be told."),
    "specimen": _("It may be of urine: tests of urine stand beside it."),
    "twice": _("It stands here more than once, with different values or days."),
}
WHY_OTHER: dict[str, Promise] = {
    "not_asked": _("not asked by this form"),
    "unknown_name": _("name not known"),
    "other_specimen": _("of urine or another specimen"),
    "other_day": _("of another day"),
    "repeated": _("the same once more"),
    "no_result": _("without a result"),
}
HOW: dict[str, Promise] = {
    "as_printed": _("as printed"),
    "converted": _("converted"),
    "comparator_kept": _("comparator kept"),
    "exponent": _("exponent written out"),
    "full_width": _("full-width digits"),
}
