"""What is typed about treatment, visits and events. A form only reads; what is possible is decided by the write functions."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followup import drugs
from followup import vocabulary as words
from followup.partial_date import PartialDate
from studies import typed_dates
from studies.forms import PageForm, TypedDateBoundField, TypedDateField, read_date, say_date
from studies.models import Participant

NOTHING = ("", gettext_lazy("choose"))
SOURCE_HELP = gettext_lazy("where it is written: operation record, discharge letter, call with the patient")


class PartialBoundField(TypedDateBoundField):
    """A date that may stop at the month or year: beside what was typed stands what was understood."""

    @property
    def understood(self) -> str:
        """The date as far as it is known, or nothing."""
        try:
            return say_partial(read_partial(str(self.value() or "")))
        except ValidationError:
            return ""


class TypedPartialField(TypedDateField):
    """One text field for a date of which the day, or the month too, may be unknown; gives ISO 8601 text (EP-09)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widget.attrs["data-understand"] = reverse_lazy("understand-partial-date")

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> PartialBoundField:
        return PartialBoundField(form, self, field_name)

    def to_python(self, value: Any) -> Any:
        text = forms.CharField.to_python(self, value)
        return text if text in self.empty_values else read_partial(text)


def read_partial(text: str) -> str:
    """The ISO 8601 text of what a person typed. Raises ValidationError with a sentence that shows how to write it."""
    try:
        return typed_dates.understand_partial(text)
    except ValueError:
        return read_date(text).isoformat()


def say_partial(text: str) -> str:
    """The date that was understood, and what of it is not known."""
    given = PartialDate.parse(text)
    if given.day is not None:
        return say_date(given.earliest)
    return _("%(date)s, day not known") % {"date": text} if given.month else _("%(date)s, month and day not known") % {"date": text}


class EntryForm(PageForm):
    """A form about one participant; the first field has the focus when the page opens."""

    def __init__(self, *args: Any, participant: Participant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepare(participant)
        if participant.data_until is not None:
            self.fields["late_reason"] = forms.CharField(
                max_length=200,
                label=_("Why only now"),
                help_text=_("withdrew on %(day)s; only what happened until then is entered") % {"day": participant.data_until},
                widget=forms.TextInput(attrs={"class": "wide"}),
            )
        if not self.is_bound:
            next(iter(self.fields.values())).widget.attrs["autofocus"] = True

    def prepare(self, participant: Participant) -> None:
        """Fit the fields to the participant's protocol."""


def radio(choices: Any, label: Any, **kwargs: Any) -> forms.ChoiceField:
    """One answer of a few, each in sight."""
    return forms.ChoiceField(choices=choices, widget=forms.RadioSelect, label=label, **kwargs)


def listed(choices: Any, label: Any, **kwargs: Any) -> forms.ChoiceField:
    """One answer of many; nothing is chosen beforehand."""
    return forms.ChoiceField(choices=[NOTHING, *choices], label=label, **kwargs)


def source(**kwargs: Any) -> forms.CharField:
    """Where it is written."""
    return forms.CharField(
        max_length=200, label=gettext_lazy("Source"), help_text=SOURCE_HELP, widget=forms.TextInput(attrs={"class": "wide"}), **kwargs
    )


class CourseForm(EntryForm):
    """One course of treatment (TX-01)."""

    kind = listed(words.Treatment.choices, gettext_lazy("Treatment"))
    intent = radio(words.Intent.choices, gettext_lazy("Intent"))
    start = TypedPartialField(label=gettext_lazy("Start"), help_text=gettext_lazy("2026-05-03; 2026-05 or 2026 where no more is known"))
    end = TypedPartialField(label=gettext_lazy("End"), required=False, help_text=gettext_lazy("leave empty while it goes on"))
    drug = forms.CharField(
        max_length=100,
        required=False,
        label=gettext_lazy("Drug"),
        help_text=gettext_lazy("needed for systemic therapy: generic or trade name, Chinese or English"),
        widget=forms.TextInput(attrs={"list": "drugs", "autocomplete": "off"}),
    )
    drug_class = listed(
        words.DrugClass.choices,
        gettext_lazy("Class of the drug"),
        required=False,
        help_text=gettext_lazy("filled in for a drug of the list"),
    )
    decided_on = TypedDateField(
        label=gettext_lazy("Decided on"), required=False, help_text=gettext_lazy("where the file names the day of the decision")
    )
    place = radio(words.Place.choices, gettext_lazy("Place"), initial=words.Place.HERE)
    source = source()

    suggestions = {"drugs": drugs.drugs}
    """Lists that a field offers while one types, by the name that its `list` says."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        return data | {"decided_on": data.get("decided_on") or None}


class NoAdjuvantForm(EntryForm):
    """The statement that no adjuvant therapy was given in the window, here or elsewhere."""

    declared_on = TypedDateField(label=gettext_lazy("Ascertained on"))
    source = source()


class AssessmentForm(EntryForm):
    """One look for recurrence, at a planned visit or between visits."""

    visit = forms.ChoiceField(required=False, label=gettext_lazy("Visit"))
    on = TypedDateField(label=gettext_lazy("Date"))
    modality = listed(words.Modality.choices, gettext_lazy("Examination"))
    adequate = radio(
        [("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        gettext_lazy("Adequate"),
        help_text=gettext_lazy("could it have shown a recurrence?"),
    )
    finding = radio(words.Finding.choices, gettext_lazy("Finding"))
    place = radio(words.Place.choices, gettext_lazy("Place"), initial=words.Place.HERE)

    def prepare(self, participant: Participant) -> None:
        codes = [(visit.code, visit.code) for visit in participant.study.protocol.visits]
        self.fields["visit"].choices = [*codes, ("", _("between visits"))]  # type: ignore[attr-defined]

    def clean_adequate(self) -> bool:
        return bool(self.cleaned_data["adequate"] == "yes")


class RecurrenceForm(EntryForm):
    """The first recurrence: first seen, later confirmed (EP-02)."""

    first_seen_on = TypedDateField(
        label=gettext_lazy("First seen on"), help_text=gettext_lazy("the first examination that showed it, not the confirmation")
    )
    confirmed_on = TypedDateField(label=gettext_lazy("Confirmed on"), required=False, help_text=gettext_lazy("leave empty until it is"))
    site = radio(words.RecurrenceSite.choices, gettext_lazy("Site"))
    modality = listed(words.Modality.choices, gettext_lazy("Seen by"))
    number = radio(words.RecurrenceNumber.choices, gettext_lazy("Number of nodules"), required=False)
    pattern = listed(words.RecurrencePattern.choices, gettext_lazy("Pattern"), required=False)
    confirmed_by = listed(words.Confirmation.choices, gettext_lazy("Confirmed by"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        return data | {"confirmed_on": data.get("confirmed_on") or None}


class DeathForm(EntryForm):
    """A death, known to the month at least (EP-09)."""

    on = TypedPartialField(label=gettext_lazy("Date of death"), help_text=gettext_lazy("2026-05-03, or 2026-05 where the day is not known"))
    cause = radio(words.DeathCause.choices, gettext_lazy("Cause"))
    source = source(required=False)

    def clean_on(self) -> str:
        on = str(self.cleaned_data["on"])
        if PartialDate.parse(on).month is None:
            raise ValidationError(_("Give at least the month of the death."))
        return on


class ContactForm(EntryForm):
    """A call or another contact, and what came of it."""

    on = TypedDateField(label=gettext_lazy("Date"))
    outcome = radio(words.ContactOutcome.choices, gettext_lazy("Outcome"))
    vital = radio(
        words.Vital.choices,
        gettext_lazy("Participant"),
        required=False,
        help_text=gettext_lazy("what was learned; a death is recorded besides"),
    )
    channel = radio(words.Channel.choices, gettext_lazy("By"), initial=words.Channel.CALL, required=False)

    def clean_channel(self) -> str:
        return str(self.cleaned_data["channel"] or words.Channel.CALL)


class VoidForm(PageForm):
    """Why an entry is wrong."""

    reason = forms.CharField(
        max_length=200,
        label=gettext_lazy("Why the entry is wrong"),
        help_text=gettext_lazy("the entry stays to be read, with this reason"),
        widget=forms.TextInput(attrs={"class": "wide", "autofocus": True}),
    )
