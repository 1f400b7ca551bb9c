"""What a coordinator types on the baseline page: one field per variable of the protocol, in its sections.

The page carries the values it was drawn with. Only what differs from them counts as typed, so that two people may fill in
different fields at the same time; where both changed the same one, the later is shown both values and nothing is saved.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from studies.forms import PageForm
from studies.protocol import Protocol, Variable

PREFIX = "value_"


@dataclass(frozen=True)
class Change:
    """A value before and after, in words."""

    label: str
    before: str
    after: str


class NumberField(forms.CharField):
    """A number as it was typed, with the unit that stands beside it; `studies.baseline` judges it."""

    def __init__(self, unit: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit = unit


class BaselineForm(PageForm):
    """The baseline variables; `stored` are the values of the database as of now."""

    reason = forms.CharField(
        max_length=200,
        required=False,
        label=gettext_lazy("Why it changes"),
        help_text=gettext_lazy("asked only where a stored value changes"),
    )

    def __init__(
        self, data: Mapping[str, str] | None = None, *, protocol: Protocol, stored: Mapping[str, str], recorded_by: str = ""
    ) -> None:
        self.protocol, self.stored, self.recorded_by = protocol, stored, recorded_by
        self.met: set[str] = set()
        super().__init__(self._merged(data) if data is not None else None, initial=self._named(stored))
        reason = self.fields.pop("reason")
        for variable in protocol.baseline:
            self.fields[PREFIX + variable.code] = _field(variable)
        self.fields["reason"] = reason
        if not self.is_bound:
            next(iter(self.fields.values())).widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for variable in self.protocol.baseline:
            if variable.code in self.met:
                words = {"who": self.recorded_by, "now": say(variable, self.stored) or _("empty")}
                self.add_error(PREFIX + variable.code, _("%(who)s changed this meanwhile to: %(now)s. Decide, and save again.") % words)
        return data

    @property
    def typed(self) -> dict[str, str]:
        """{code: value} of the fields that differ from what is stored."""
        values = {item.code: _plain(self.data.get(PREFIX + item.code, "")) for item in self.protocol.baseline}
        return {code: value for code, value in values.items() if value != self.stored.get(code, "")}

    @property
    def changes(self) -> list[Change]:
        """The stored values that the typed ones would replace."""
        if not self.is_bound:
            return []
        typed = self.typed
        return [
            Change(item.text.say(get_language()), say(item, self.stored), say(item, typed) or _("empty"))
            for item in self.protocol.baseline
            if item.code in typed and self.stored.get(item.code, "") not in ("", typed[item.code])
        ]

    @property
    def missing(self) -> list[Variable]:
        """The variables without a stored value."""
        return [item for item in self.protocol.baseline if item.code not in self.stored]

    @property
    def sections(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields by section of the protocol, for the page."""
        placed = [(item.section, self[PREFIX + item.code]) for item in self.protocol.baseline]
        sections = self.protocol.baseline_sections
        return [(section.text.say(get_language()), [field for code, field in placed if code == section.code]) for section in sections]

    @property
    def drawn_with(self) -> str:
        """The stored values of now, which the page carries along as `seen`."""
        return json.dumps(dict(self.stored), sort_keys=True)

    def _named(self, values: Mapping[str, str]) -> dict[str, str]:
        return {PREFIX + item.code: values.get(item.code, "") for item in self.protocol.baseline}

    def _merged(self, data: Mapping[str, str]) -> dict[str, str]:
        """What was sent, with the stored value of now in every field that the person left as the page was drawn."""
        seen = _read(data.get("seen", ""))
        merged = {"reason": data.get("reason", ""), **self._named(self.stored)}
        for item in self.protocol.baseline:
            code, sent = item.code, _plain(data.get(PREFIX + item.code, ""))
            if sent != seen.get(code, ""):
                merged[PREFIX + code] = sent
                if self.stored.get(code, "") not in (seen.get(code, ""), sent):
                    self.met.add(code)
        return merged


def say(variable: Variable, values: Mapping[str, str]) -> str:
    """A value in words: the option's text, or the number with its unit; nothing where there is none."""
    value = values.get(variable.code, "")
    if variable.kind == "choice":
        return next((option.text.say(get_language()) for option in variable.options if option.code == value), value)
    return f"{value} {variable.unit}".strip() if value else ""


def _field(variable: Variable) -> forms.Field:
    label = variable.text.say(get_language())
    if variable.kind == "choice":
        options = [(option.code, option.text.say(get_language())) for option in variable.options]
        choices = [*options, ("", _("not known yet"))]
        return forms.ChoiceField(choices=choices, widget=forms.RadioSelect, required=False, label=label)
    attrs = {"class": "n", "inputmode": "decimal", "autocomplete": "off"}
    help_text = _("%(low)s to %(high)s") % {"low": variable.low, "high": variable.high}
    return NumberField(variable.unit, required=False, max_length=20, label=label, help_text=help_text, widget=forms.TextInput(attrs=attrs))


def _plain(text: str) -> str:
    """Full-width digits as plain ones, without blanks around."""
    return unicodedata.normalize("NFKC", text).strip()


def _read(seen: str) -> dict[str, str]:
    """The values a page was drawn with; none when the page does not say so in JSON."""
    try:
        values = json.loads(seen or "{}")
    except ValueError:
        return {}
    return {str(code): str(value) for code, value in values.items()} if isinstance(values, dict) else {}
