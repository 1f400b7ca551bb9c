"""What is typed about a reference range; a form only reads, what holds is decided by `studies.laboratory.ranges`."""

import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from studies.dictionary import Item
from studies.forms import PageForm, TypedDateField
from studies.models import Center, ReferenceRange
from studies.values import decimal
from studies.vocabulary import Sex

SEXES = [("", gettext_lazy("men and women")), (Sex.MALE.value, gettext_lazy("men")), (Sex.FEMALE.value, gettext_lazy("women"))]


class LimitField(forms.CharField):
    """A limit as it is printed: a decimal number, full-width digits too."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"class": "n", "inputmode": "decimal", "autocomplete": "off"}
        super().__init__(required=False, max_length=20, widget=forms.TextInput(attrs=attrs), **kwargs)

    def to_python(self, value: Any) -> Any:
        text = unicodedata.normalize("NFKC", super().to_python(value)).strip()
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValidationError(_("“%(text)s” is no number. Write it like 12.5.") % {"text": text}) from None
        if not number.is_finite() or number != round(number, 6) or abs(number) >= Decimal(10) ** 12:
            raise ValidationError(_("“%(text)s” is no number. Write it like 12.5.") % {"text": text})
        return number

    def run_validators(self, value: Any) -> None:
        """The length was checked by reading the number."""


class RangeForm(PageForm):
    """A new reference range of one of the person's centers."""

    center = forms.ChoiceField(label=gettext_lazy("Center"))
    item = forms.ChoiceField(label=gettext_lazy("Test"))
    unit = forms.ChoiceField(label=gettext_lazy("Unit"), required=False)
    low = LimitField(label=gettext_lazy("Lower limit"))
    high = LimitField(label=gettext_lazy("Upper limit"))
    sex = forms.ChoiceField(label=gettext_lazy("Holds for"), choices=SEXES, required=False)
    method = forms.CharField(
        label=gettext_lazy("Method"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("only where the laboratory uses several: the instrument or reagent"),
    )
    valid_from = TypedDateField(label=gettext_lazy("Valid from"))
    valid_until = TypedDateField(label=gettext_lazy("Valid until"), required=False, help_text=gettext_lazy("leave empty while it holds"))

    def __init__(self, *args: Any, centers: list[Center], items: list[Item], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.centers = {str(center.uuid): center for center in centers}
        units = dict.fromkeys(unit for item in items for unit in item.units)
        choices = {
            "center": [(uuid, f"{center.code} {center.name}") for uuid, center in self.centers.items()],
            "item": [("", _("choose")), *((item.code, item.text.say(get_language())) for item in items)],
            "unit": [(unit, unit or _("without a unit")) for unit in ["", *(unit for unit in units if unit)]],
        }
        for name, listed in choices.items():
            self.fields[name].choices = listed  # type: ignore[attr-defined]
        if len(self.centers) == 1:
            self.fields["center"].initial = next(iter(self.centers))

    def clean_center(self) -> Center:
        return self.centers[self.cleaned_data["center"]]

    def clean_valid_until(self) -> Any:
        return self.cleaned_data["valid_until"] or None


class EndRangeForm(PageForm):
    """The last day of a range."""

    last_day = TypedDateField(label=gettext_lazy("Last day"), help_text=gettext_lazy("the day before the laboratory changed it"))


class CorrectRangeForm(PageForm):
    """The right limits of a range that was entered wrongly."""

    low = LimitField(label=gettext_lazy("Lower limit"))
    high = LimitField(label=gettext_lazy("Upper limit"))
    reason = forms.CharField(max_length=200, label=gettext_lazy("Why it changes"), widget=forms.TextInput(attrs={"class": "wide"}))

    @classmethod
    def of(cls, row: ReferenceRange) -> "CorrectRangeForm":
        """The form with the limits of now."""
        return cls(initial={"low": shown(row.low), "high": shown(row.high)}, auto_id="id_correct_%s")


def shown(limit: Decimal | None) -> str:
    """A limit without the zeros that the column adds."""
    return "" if limit is None else decimal(limit)
