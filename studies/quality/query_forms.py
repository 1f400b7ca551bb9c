"""What is typed about a query."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studies.forms import PageForm
from studies.quality import queries
from studies.quality.pointer import Pointer
from studies.quality.sources import Held

WIDE = {"rows": 3, "maxlength": queries.LONGEST}
NO_IDENTITY = gettext_lazy("No name, telephone or hospital number: the other side knows the study number")


class TextForm(PageForm):
    """One text that goes to the other side, and the confirmation that a number in it is no identity, asked when it seems to be one."""

    text = forms.CharField(label=gettext_lazy("Text"), help_text=NO_IDENTITY, widget=forms.Textarea(attrs=WIDE))
    confirmed = forms.BooleanField(required=False, label=gettext_lazy("The number is no identity"), widget=forms.HiddenInput)

    def ask_to_confirm(self) -> None:
        """Show the confirmation: the text holds a number that looks like an identity."""
        self.fields["confirmed"].widget = forms.CheckboxInput()


class AnswerForm(TextForm):
    """The site's answer."""

    CHOICES = [("yes", gettext_lazy("the value was corrected")), ("no", gettext_lazy("the value is right as it stands"))]
    corrected = forms.ChoiceField(choices=CHOICES, widget=forms.RadioSelect, label=gettext_lazy("Outcome"))
    field_order = ["corrected", "text", "confirmed"]


class AskForm(TextForm):
    """A question about one field of one participant."""

    at = forms.ChoiceField(label=gettext_lazy("Field"))
    field_order = ["at", "text", "confirmed"]

    def __init__(self, *args: Any, held: Sequence[Held], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        forms_of: dict[str, list[tuple[str, str]]] = {}
        for each in held:
            forms_of.setdefault(each.form_text, []).append((written(each.pointer), _(": ").join([each.label, each.shown])))
        self.fields["at"].choices = [("", ""), *forms_of.items()]

    def clean_at(self) -> Pointer:
        return read(self.cleaned_data["at"])


class AskManyForm(TextForm):
    """One question for several participants."""

    numbers = forms.CharField(
        label=gettext_lazy("Study numbers"),
        help_text=gettext_lazy("one a line, or separated by blanks"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    field = forms.ChoiceField(label=gettext_lazy("Field"))
    field_order = ["numbers", "field", "text", "confirmed"]

    def __init__(self, *args: Any, fields: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["field"].choices = [("", ""), *fields]

    def clean_numbers(self) -> list[str]:
        return list(dict.fromkeys(self.cleaned_data["numbers"].replace(",", " ").replace("，", " ").split()))


def written(pointer: Pointer) -> str:
    """A pointer as the value of a form field."""
    return f"{pointer.record}|{pointer.uuid}|{pointer.field}"


def read(text: str) -> Pointer:
    """The pointer that such a value says. Raises ValidationError."""
    try:
        record, uuid, field = text.split("|")
        return Pointer(record, UUID(uuid), field)
    except ValueError:
        raise ValidationError(_("Choose one of the fields.")) from None
