"""What a person types to sign, to lock, to ask for an unlock, and to decide."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import second_factor, security_keys
from accounts.models import User
from accounts.reauthentication import Proof
from studies.forms import PageForm
from studies.models import Meaning


class SignForm(PageForm):
    """The meaning, and the proof that it is still the same person: password, and the code, or the key, of who has a second factor."""

    has_keys = False

    meaning = forms.ChoiceField(
        choices=Meaning.choices, widget=forms.RadioSelect, initial=Meaning.APPROVED, label=_("What your signature means")
    )
    password = forms.CharField(
        max_length=200,
        strip=False,
        label=_("Your password"),
        help_text=_("asked at every signature"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    code = forms.CharField(
        max_length=4000,  # of what a security key answers
        label=_("Code of your device"),
        help_text=_("six digits; each serves once"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "class": "n"}),
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not second_factor.has(by) and not second_factor.is_missing(by):
            del self.fields["code"]
        elif security_keys.are_asked_for(by):
            self.fields["code"].widget.attrs["data-key-challenge"] = reverse("key-challenge")
            self.has_keys = True

    @property
    def proof(self) -> Proof:
        return Proof(password=self.cleaned_data["password"], code=self.cleaned_data.get("code", ""))


class WhyForm(PageForm):
    """A reason; which button was pressed says what for."""

    reason = forms.CharField(max_length=200, required=False, label=_("Reason"), widget=forms.TextInput(attrs={"class": "wide"}))


class UnlockForm(PageForm):
    """Why a lock has to be opened, and for how long."""

    reason = forms.CharField(
        max_length=200,
        label=_("Why it has to be opened"),
        help_text=_("the second person reads it"),
        widget=forms.TextInput(attrs={"class": "wide"}),
    )
    days = forms.IntegerField(
        min_value=1, max_value=30, initial=3, label=_("Keep it open for"), help_text=_("days; then it is locked again by itself")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].widget = forms.TextInput(attrs={"class": "n", "inputmode": "numeric", "autocomplete": "off", "maxlength": 2})


class DecideForm(PageForm):
    """The answer of the second person."""

    answer = forms.CharField(max_length=200, label=_("Your reason"), widget=forms.TextInput(attrs={"class": "wide"}))
