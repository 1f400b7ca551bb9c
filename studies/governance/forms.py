"""What is typed about the conduct of a center; a form only reads, what is possible is decided by the write functions."""

from typing import Any

from django import forms
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import User
from studies.forms import PageForm, TypedDateField
from studies.governance.conduct import Conduct
from studies.models import Center, EthicsApproval
from studies.quality import masking
from studies.vocabulary import DeviationCategory, EthicsKind, Resigning, Task, Withdrawal

NOTHING = ("", gettext_lazy("choose"))


def reason(label: Any) -> forms.CharField:
    """Why something is done; it stays in the history."""
    return forms.CharField(max_length=200, label=label, widget=forms.TextInput(attrs={"class": "wide"}))


class PersonForm(PageForm):
    """A form about one of the people of a center."""

    user = forms.ChoiceField(label=gettext_lazy("Person"))

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.people = {str(user.uuid): user for user in people}
        self.fields["user"].choices = [NOTHING, *((uuid, str(user)) for uuid, user in self.people.items())]  # type: ignore[attr-defined]

    def clean_user(self) -> User:
        return self.people[self.cleaned_data["user"]]


class DelegateForm(PersonForm):
    """Which tasks a person takes on, from when to when."""

    tasks = forms.MultipleChoiceField(choices=Task.choices, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Tasks"))
    since = TypedDateField(label=gettext_lazy("From"))
    until = TypedDateField(label=gettext_lazy("Until"), required=False, help_text=gettext_lazy("leave empty while it goes on"))

    def clean_until(self) -> Any:
        return self.cleaned_data["until"] or None


class TrainingForm(PersonForm):
    """A training that somebody has had."""

    code = forms.ChoiceField(label=gettext_lazy("Training"))
    trained_on = TypedDateField(label=gettext_lazy("Trained on"))
    expires_on = TypedDateField(
        label=gettext_lazy("Valid until"), required=False, help_text=gettext_lazy("leave empty where it has no end")
    )
    certificate = forms.CharField(
        max_length=100, label=gettext_lazy("Certificate"), help_text=gettext_lazy("its number, or where it is filed")
    )

    def __init__(self, *args: Any, rules: Conduct | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        trainings = [(item.code, item.text.say(get_language())) for item in (rules.trainings if rules else ())]
        self.fields["code"].choices = [("", _("choose")), *trainings]  # type: ignore[attr-defined]

    def clean_expires_on(self) -> Any:
        return self.cleaned_data["expires_on"] or None


class EndForm(PageForm):
    """The last day of a delegation, and why it ends."""

    last_day = TypedDateField(label=gettext_lazy("Last day"))
    reason = reason(gettext_lazy("Why it ends"))


class ApprovalForm(PageForm):
    """An approval of the ethics committee."""

    kind = forms.ChoiceField(choices=EthicsKind.choices, widget=forms.RadioSelect, label=gettext_lazy("Decision on"))
    number = forms.CharField(max_length=100, label=gettext_lazy("Approval number"))
    valid_from = TypedDateField(label=gettext_lazy("Valid from"))
    valid_until = TypedDateField(label=gettext_lazy("Valid until"))


class VersionForm(PageForm):
    """A version of the consent form that was approved, and who signs it again."""

    code = forms.CharField(
        max_length=40, label=gettext_lazy("Version"), help_text=gettext_lazy("as it is printed on the form, such as 2.1")
    )
    approval = forms.ChoiceField(label=gettext_lazy("Approved by"))
    valid_from = TypedDateField(label=gettext_lazy("Valid from"))
    reconsent = forms.ChoiceField(
        choices=Resigning.choices, widget=forms.RadioSelect, initial=Resigning.NONE, label=gettext_lazy("Who signs it")
    )
    reconsent_by = TypedDateField(
        label=gettext_lazy("Signed by all until"), required=False, help_text=gettext_lazy("only where everybody signs again")
    )
    covers_earlier = forms.ChoiceField(
        choices=[("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        widget=forms.RadioSelect,
        initial="yes",
        label=gettext_lazy("Earlier data"),
        help_text=gettext_lazy("whether it also covers what was collected before the signature"),
    )

    def __init__(self, *args: Any, approvals: list[EthicsApproval], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.approvals = {str(approval.uuid): approval for approval in approvals}
        choices = [(uuid, approval.number) for uuid, approval in self.approvals.items()]
        self.fields["approval"].choices = [NOTHING, *choices]  # type: ignore[attr-defined]

    def clean_approval(self) -> EthicsApproval:
        return self.approvals[self.cleaned_data["approval"]]

    def clean_reconsent_by(self) -> Any:
        return self.cleaned_data["reconsent_by"] or None

    def clean_covers_earlier(self) -> bool:
        return bool(self.cleaned_data["covers_earlier"] == "yes")


class PaperForm(PageForm):
    """A document of the gate."""

    item = forms.ChoiceField(label=gettext_lazy("Document"))
    number = forms.CharField(max_length=100, label=gettext_lazy("Number"), help_text=gettext_lazy("by which it is found again"))
    dated_on = TypedDateField(label=gettext_lazy("Dated"))
    expires_on = TypedDateField(
        label=gettext_lazy("Valid until"), required=False, help_text=gettext_lazy("leave empty where it has no end")
    )
    file = forms.FileField(
        required=False, label=gettext_lazy("File"), help_text=gettext_lazy("PDF, JPEG or PNG, at most 20 MiB; the number alone will do")
    )
    no_patient = forms.BooleanField(required=False, label=gettext_lazy("The file names no patient"))

    def __init__(self, *args: Any, rules: Conduct, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].widget.attrs["accept"] = "application/pdf,image/jpeg,image/png"
        items = [(item.code, item.text.say(get_language())) for item in rules.gate if item.kind == "document"]
        self.fields["item"].choices = [("", _("choose")), *items]  # type: ignore[attr-defined]

    def clean_expires_on(self) -> Any:
        return self.cleaned_data["expires_on"] or None

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        return bytes(file.read(masking.LARGEST + 1)) if file else b""


class DayForm(PageForm):
    """A day, by default the study's today."""

    on = TypedDateField(label=gettext_lazy("Opens on"))


class ReconsentForm(PageForm):
    """A newer version that was signed."""

    form_version = forms.ChoiceField(label=gettext_lazy("Version signed"))
    signed_on = TypedDateField(label=gettext_lazy("Signed on"))

    def __init__(self, *args: Any, codes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["form_version"].choices = [NOTHING, *((code, code) for code in codes)]  # type: ignore[attr-defined]


class WithdrawForm(PageForm):
    """How far a participant withdraws, from which day, and why."""

    how_far = forms.ChoiceField(widget=forms.RadioSelect, label=gettext_lazy("How far"))
    on = TypedDateField(label=gettext_lazy("Withdrawn on"))
    reason = reason(gettext_lazy("Reason, as given"))

    def __init__(self, *args: Any, levels: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["how_far"].choices = [(level, Withdrawal(level).label) for level in levels]  # type: ignore[attr-defined]


class ErasureForm(PageForm):
    """The law by which erasure is asked for, and why."""

    legal_basis = forms.CharField(max_length=200, label=gettext_lazy("Law and article"), widget=forms.TextInput(attrs={"class": "wide"}))
    reason = reason(gettext_lazy("Why it is asked for"))


class DecideForm(PageForm):
    """Whether the erasure is approved, and why."""

    approve = forms.ChoiceField(
        choices=[("yes", gettext_lazy("approve")), ("no", gettext_lazy("refuse"))], widget=forms.RadioSelect, label=gettext_lazy("Decision")
    )
    reason = reason(gettext_lazy("Why it is decided so"))

    def clean_approve(self) -> bool:
        return bool(self.cleaned_data["approve"] == "yes")


class DeviationForm(PageForm):
    """A deviation that somebody noticed."""

    study_number = forms.CharField(
        max_length=20, required=False, label=gettext_lazy("Study number"),
        help_text=gettext_lazy("leave empty where it concerns nobody alone"), widget=forms.TextInput(attrs={"class": "code"}),
    )  # fmt: skip
    kind = forms.ChoiceField(label=gettext_lazy("Kind of deviation"))
    occurred_on = TypedDateField(label=gettext_lazy("Occurred on"))
    detected_on = TypedDateField(label=gettext_lazy("Noticed on"), required=False, help_text=gettext_lazy("leave empty for today"))
    category = forms.ChoiceField(choices=DeviationCategory.choices, widget=forms.RadioSelect, label=gettext_lazy("Category"))
    description = forms.CharField(
        max_length=1000, label=gettext_lazy("What happened"), widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("no name and no hospital number"),
    )  # fmt: skip

    def __init__(self, *args: Any, rules: Conduct, centers: list[Center], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.centers = {str(center.uuid): center for center in centers}
        kinds = [(kind.code, kind.text.say(get_language())) for kind in rules.deviation_kinds]
        self.fields["kind"].choices = [NOTHING, *kinds]  # type: ignore[attr-defined]
        if len(centers) > 1:
            choices = [NOTHING, *((uuid, f"{center.code} {center.name}") for uuid, center in self.centers.items())]
            self.fields = {"center": forms.ChoiceField(choices=choices, label=_("Center")), **self.fields}

    def clean_detected_on(self) -> Any:
        return self.cleaned_data["detected_on"] or None

    @property
    def chosen_center(self) -> Center:
        """The center chosen, or the only one there is."""
        return self.centers[self.cleaned_data["center"]] if "center" in self.cleaned_data else next(iter(self.centers.values()))


class AssessForm(PageForm):
    """How grave a deviation is, what caused it, what is done about it and against the next one."""

    category = forms.ChoiceField(choices=DeviationCategory.choices, widget=forms.RadioSelect, label=gettext_lazy("Category"))
    cause = forms.CharField(max_length=1000, label=gettext_lazy("Cause"), widget=forms.Textarea(attrs={"rows": 2}))
    corrective = forms.CharField(
        max_length=1000, required=False, label=gettext_lazy("Corrective action"), widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("needed before it is closed"),
    )  # fmt: skip
    preventive = forms.CharField(
        max_length=1000, required=False, label=gettext_lazy("Preventive action"), widget=forms.Textarea(attrs={"rows": 2})
    )


class ReopenForm(PageForm):
    """Why a closed deviation is taken up again."""

    reason = reason(gettext_lazy("Why it is reopened"))
