"""What is typed about the response at a scan: which two scans are compared, and what a reader measures. A form only reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from followup import response_words
from followup.case_package import Look
from followup.response_words import day_of
from followup.targets import LARGEST_MM, MOST_TARGETS, Assessed, Fault, NonTarget, Seen, Target, assess, faults
from followup.vocabulary import NonTargets, NotAssessable, TargetOrgan
from studies.forms import PageForm

_CHOOSE = ("", "–")


class AskForm(PageForm):
    """Baseline, and the scan whose response is asked for."""

    baseline_day = forms.TypedChoiceField(
        coerce=int, label=gettext_lazy("Baseline"), help_text=gettext_lazy("the last scan before the treatment whose response is asked for")
    )
    scan_day = forms.TypedChoiceField(
        coerce=int, label=gettext_lazy("Scan"), help_text=gettext_lazy("the scans between are read for the lowest sum")
    )

    def __init__(self, *args: Any, looks: Sequence[Look], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = [(look.day, f"{day_of(look.day)}{_(', ')}{look.label}") for look in looks]
        for field in self.fields.values():
            field.choices = [("", gettext_lazy("choose")), *days]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        baseline, scan = data.get("baseline_day"), data.get("scan_day")
        if baseline is not None and scan is not None and scan <= baseline:
            self.add_error("scan_day", _("The scan comes after baseline."))
        return data


@dataclass(frozen=True)
class Line:
    """One target on the page: its organ, and a diameter for each scan with the words above it."""

    number: int
    organ: forms.BoundField
    diameters: list[tuple[str, forms.BoundField]]


class TargetsForm(PageForm):
    """A reader's targets in a table of one row each, what is not measured, and whether there is anything new.

    Nothing is answered beforehand: an answer that stands there already is one that nobody gave.
    """

    not_assessable = forms.ChoiceField(
        choices=[("", gettext_lazy("it can be judged")), *NotAssessable.choices],
        required=False,
        label=gettext_lazy("Can the scan be judged?"),
    )
    non_target = forms.ChoiceField(choices=NonTargets.choices, widget=forms.RadioSelect, label=gettext_lazy("Lesions not measured"))
    new_lesion = forms.TypedChoiceField(
        choices=[("no", gettext_lazy("no")), ("yes", gettext_lazy("yes"))],
        coerce=lambda text: text == "yes",
        widget=forms.RadioSelect,
        label=gettext_lazy("New lesion"),
    )
    note = forms.CharField(
        max_length=300, required=False, label=gettext_lazy("Note"), widget=forms.TextInput(attrs={"class": "wide", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, days: Sequence[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.days = list(days)
        beside = dict(self.fields)
        self.fields.clear()
        for row in range(MOST_TARGETS):
            self.fields[f"organ_{row}"] = forms.ChoiceField(
                choices=[_CHOOSE, *TargetOrgan.choices], required=False, label=self._named(row, _("organ"))
            )
            for scan, day in enumerate(self.days):
                attrs = {"class": "n", "inputmode": "decimal", "autocomplete": "off"}
                self.fields[f"mm_{row}_{scan}"] = forms.DecimalField(
                    max_digits=4, decimal_places=1, min_value=0, max_value=LARGEST_MM, required=False,
                    label=self._named(row, day_of(day)), widget=forms.TextInput(attrs=attrs),
                )  # fmt: skip
        self.fields.update(beside)
        for name, field in self.fields.items():
            if name not in beside:
                field.widget.attrs["aria-label"] = str(field.label)

    @staticmethod
    def _named(row: int, what: str) -> str:
        return f"{_('Target %(n)s') % {'n': row + 1}}{_(', ')}{what}"

    def heads(self) -> list[str]:
        """The words above each scan: what it is, and its day."""
        words = [_("Baseline"), *[_("Scan between")] * (len(self.days) - 2), _("Scan")]
        return [f"{word}{_(', ')}{day_of(day)}" for word, day in zip(words, self.days, strict=True)]

    def lines(self) -> list[Line]:
        """The rows of the table."""
        heads = self.heads()
        return [
            Line(row + 1, self[f"organ_{row}"], [(head, self[f"mm_{row}_{scan}"]) for scan, head in enumerate(heads)])
            for row in range(MOST_TARGETS)
        ]

    def beside(self) -> Iterator[forms.BoundField]:
        """The fields below the table."""
        return (self[name] for name in ("not_assessable", "non_target", "new_lesion", "note"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        rows = [row for row in range(MOST_TARGETS) if self._filled(data, row)]
        targets = [Target(data.get(f"organ_{row}", ""), self._diameters(data, row)) for row in rows]
        for row, target in zip(rows, targets, strict=True):
            if not target.organ:
                self.add_error(f"organ_{row}", _("Say where this target lies."))
        for kind, place in faults(targets) if not self.errors else ():
            field = f"organ_{rows[place]}" if kind == Fault.TOO_MANY_IN_ORGAN else f"mm_{rows[place]}_{self._scan_of(kind, targets[place])}"
            self.add_error(field, response_words.fault(kind, rows[place]))
        if not self.errors and bool(targets) == bool(data.get("not_assessable")):
            self.add_error("not_assessable", _("Measure at least one target, or say why the scan cannot be judged; not both."))
        return data | {"targets": targets}

    def assessed(self) -> Assessed:
        """The category of what was typed; only of a valid form."""
        data = self.cleaned_data
        seen = Seen(tuple(data["targets"]), data["new_lesion"], NonTarget(data["non_target"]), not data["not_assessable"])
        return assess(seen)

    def sums(self) -> list[Decimal | None]:
        """The sum of every scan, None where it is not complete; only of a valid form."""
        columns = zip(*(each.diameters for each in self.cleaned_data["targets"]), strict=True)
        return [None if None in column else sum(filter(None, column), Decimal(0)) for column in columns]

    def _filled(self, data: dict[str, Any], row: int) -> bool:
        return bool(data.get(f"organ_{row}")) or any(mm is not None for mm in self._diameters(data, row))

    def _diameters(self, data: dict[str, Any], row: int) -> tuple[Decimal | None, ...]:
        return tuple(data.get(f"mm_{row}_{scan}") for scan in range(len(self.days)))

    @staticmethod
    def _scan_of(kind: Fault, target: Target) -> int:
        """The scan to which the sentence of a fault belongs."""
        if kind != Fault.SCAN_HALF_MEASURED:
            return 0
        return next(scan for scan, mm in enumerate(target.diameters[1:-1], start=1) if mm is None)
