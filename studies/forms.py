"""What a coordinator types at screening and enrolment: fields that accept how people write, and say back what was understood.

A form only reads; whether the patient may be screened or enrolled is decided by `screening`, `consent` and `enrollment`.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from studies import typed_dates
from studies.models import Center, Screening
from studies.protocol import Protocol
from studies.vocabulary import Sex

ANSWERS = [("yes", gettext_lazy("yes")), ("no", gettext_lazy("no")), ("unknown", gettext_lazy("unknown"))]
PREFIX = "answer_"


class PageForm(forms.Form):
    """A form whose first error takes the focus and whose fields point at their messages.

    What was sent where a choice was asked for is not said back: it came from no page of ours, and may be anything.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)

    def full_clean(self) -> None:
        for field in self.fields.values():
            if "invalid_choice" in field.error_messages:
                field.error_messages["invalid_choice"] = _("Choose one of the answers on offer.")
        super().full_clean()
        self._mark()

    def refuse(self, field: str, sentences: list[str]) -> None:
        """Put what a write refused at the field it names, or on top of the form."""
        self.add_error(field if field in self.fields else None, sentences)
        self._mark()

    def _mark(self) -> None:
        wrong = [name for name in self.fields if name in self.errors]
        for name in wrong:
            self.fields[name].widget.attrs.update({"aria-invalid": "true", "aria-describedby": f"{self[name].auto_id}_error"})
        if wrong:
            self.fields[wrong[0]].widget.attrs["autofocus"] = True

    @property
    def wrong(self) -> list[forms.BoundField]:
        """The fields with errors, in the order of the page, for the list on top."""
        return [field for field in self if field.errors]


class TypedDateBoundField(forms.BoundField):
    """A date on a page: beside what was typed stands what was understood."""

    is_date = True

    @property
    def understood(self) -> str:
        """The date with its weekday, or nothing."""
        try:
            return say_date(read_date(str(self.value() or "")))
        except ValidationError:
            return ""


class TypedDateField(forms.CharField):
    """One text field for a whole date; `understood` is said by the server as soon as the field is left."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"class": "d", "autocomplete": "off", "data-understand": reverse_lazy("understand-date")}
        super().__init__(widget=forms.TextInput(attrs=attrs), max_length=20, **kwargs)

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> "TypedDateBoundField":
        return TypedDateBoundField(form, self, field_name)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return text if text in self.empty_values else read_date(text)

    def run_validators(self, value: Any) -> None:
        """The length was checked by reading the date."""


def read_date(text: str) -> date:
    """The date a person typed. Raises ValidationError with a sentence that shows how to write it."""
    try:
        return typed_dates.understand(text)
    except typed_dates.NotUnderstood:
        raise ValidationError(
            _("“%(text)s” is not understood as a date. Write year, month and day: 2026-11-19 or 2026年11月19日.") % {"text": text}
        ) from None
    except ValueError:
        raise ValidationError(_("“%(text)s” is a day that does not exist. Compare it with the source.") % {"text": text}) from None


def say_date(day: date) -> str:
    """The date that was understood, with its weekday so that a slip of the finger is noticed."""
    return _("%(date)s, %(weekday)s") % {"date": day.isoformat(), "weekday": date_format(day, "l")}


class AnswersForm(PageForm):
    """The attestations that the protocol asks for, one field per input."""

    def __init__(self, *args: Any, protocol: Protocol, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for item in protocol.attested:
            label, help_text = item.label.say(get_language()), item.help.say(get_language())
            if item.kind == "date":
                field: forms.Field = TypedDateField(required=False, label=label, help_text=help_text)
            else:
                field = forms.ChoiceField(
                    choices=ANSWERS, widget=forms.RadioSelect, initial="unknown", required=False, label=label, help_text=help_text
                )
            self.fields[PREFIX + item.code] = field

    @property
    def answers(self) -> dict[str, str]:
        """{input code: "yes" | "no" | "unknown" | ISO date}; a date left empty is unknown."""
        given = {name: self.cleaned_data[name] for name in self.cleaned_data if name.startswith(PREFIX)}
        return {
            name.removeprefix(PREFIX): value.isoformat() if isinstance(value, date) else value or "unknown" for name, value in given.items()
        }

    @property
    def attested(self) -> Iterable[forms.BoundField]:
        """The attestations, for the page."""
        return [field for field in self if field.name.startswith(PREFIX)]


class PatientForm(AnswersForm):
    """The facts of the screening row beside the attestations; a birth date is used once and kept nowhere."""

    surgery_date = TypedDateField(label=gettext_lazy("Date of surgery"))
    age = forms.IntegerField(required=False, min_value=0, max_value=120, label=gettext_lazy("Age at surgery"))
    birth_date = TypedDateField(required=False, label=gettext_lazy("or birth date"))
    sex = forms.ChoiceField(choices=Sex.choices, widget=forms.RadioSelect, initial=Sex.UNKNOWN, label=gettext_lazy("Sex"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["age"].widget = forms.TextInput(attrs={"class": "n", "inputmode": "numeric", "autocomplete": "off", "maxlength": 3})

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("age") is not None and data.get("birth_date"):
            self.add_error("birth_date", _("Give the age or the birth date, not both."))
        return data

    @property
    def facts(self) -> dict[str, Any]:
        """The arguments that `screening.screen` and `screening.amend` share."""
        data = self.cleaned_data
        return {
            "surgery_date": data["surgery_date"],
            "birth_date": data["birth_date"] or None,
            "age_at_surgery": data["age"],
            "sex": data["sex"],
            "answers": self.answers,
        }


class ScreeningForm(PatientForm):
    """A new line of the screening log."""

    def __init__(self, *args: Any, centers: list[Center], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.centers = {str(center.uuid): center for center in centers}
        if not self.is_bound:
            self.fields["surgery_date"].widget.attrs["autofocus"] = True
        if len(centers) > 1:
            choices = [(uuid, f"{center.code} {center.name}") for uuid, center in self.centers.items()]
            self.fields = {"center": forms.ChoiceField(choices=choices, label=_("Center")), **self.fields}

    @property
    def chosen_center(self) -> Center:
        """The center chosen, or the only one there is."""
        return self.centers[self.cleaned_data["center"]] if "center" in self.cleaned_data else next(iter(self.centers.values()))


class AmendForm(PatientForm):
    """A line of the log as it stands, to be completed, or corrected with a reason."""

    reason = forms.CharField(
        required=False, max_length=200, label=gettext_lazy("Why it changes"), help_text=gettext_lazy("for example: pathology report came")
    )

    @classmethod
    def of(cls, line: Screening) -> "AmendForm":
        """The form filled with what the line says now."""
        answered = {PREFIX + code: answer for code, answer in line.answers.items() if answer != "unknown"}
        row = {"surgery_date": line.surgery_date.isoformat(), "age": line.age_at_surgery, "sex": line.sex}
        return cls(protocol=line.center.study.protocol, initial=row | answered)


class ReasonForm(PageForm):
    """Why something is taken back."""

    reason = forms.CharField(max_length=200, label=gettext_lazy("Why it is taken back"))


class ConsentForm(PageForm):
    """The signed form with its version, or the ethics committee's waiver with its number; one date for either."""

    kind = forms.ChoiceField(
        choices=[("signed", gettext_lazy("signed form")), ("waiver", gettext_lazy("waiver"))],
        widget=forms.RadioSelect,
        initial="signed",
        label=gettext_lazy("Kind"),
    )
    reference = forms.CharField(max_length=100, label=gettext_lazy("Form version or waiver number"))
    dated_on = TypedDateField(label=gettext_lazy("Signed or waived on"))

    def name_versions(self, codes: list[str]) -> None:
        """Say beside the field which versions may be signed today."""
        self.fields["reference"].help_text = _("approved here today: %(codes)s") % {"codes": ", ".join(codes) or "–"}

    @property
    def as_recorded(self) -> dict[str, Any]:
        """The arguments of `consent.record`."""
        reference, day = self.cleaned_data["reference"], self.cleaned_data["dated_on"]
        if self.cleaned_data["kind"] == "waiver":
            return {"waiver_number": reference, "waived_on": day}
        return {"form_version": reference, "signed_on": day}


class ExcludeForm(PageForm):
    """Why a screened patient is not enrolled; the reasons are the protocol's."""

    reason_code = forms.ChoiceField(label=gettext_lazy("Reason not to enrol"))

    def __init__(self, *args: Any, protocol: Protocol, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reasons = [(reason.code, reason.text.say(get_language())) for reason in protocol.exclusion_reasons]
        self.fields["reason_code"].choices = [("", _("choose a reason")), *reasons]  # type: ignore[attr-defined]
