"""Why a package is refused: the closed vocabulary of codes in receipts, with the words for the platform's pages."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from imaging.edge.package import PackageRefused
from imaging.parsing import Unparseable

REASONS: dict[str, Promise] = {
    "not_a_package": _("The package was altered on its way, or is not signed by its gateway."),
    "other_gateway": _("The package names another gateway than the one that sent it."),
    "other_center": _("The package belongs to another center or study."),
    "unknown_participant": _("Nobody is enrolled under this study number."),
    "withdrawn": _("The participant has withdrawn and gives no new data."),
    "identity_left": _("An object still says who the patient is."),
    "not_as_listed": _("An object is not the one that the manifest lists."),
    "other_participant": _("These images were already archived for another study number."),
    "other_examination": _("A series was already archived as part of another examination."),
    "bomb": _("An object is nested too deeply or needs too much memory to read."),
    "too_long": _("An object takes too long to read."),
    "crash": _("An object cannot be read."),
    "malformed": _("An object is not valid DICOM."),
    "transfer_syntax": _("An object is compressed in a way the platform does not accept."),
    "sop_class": _("An object is not a CT or MR image."),
}


class Refused(Exception):
    """A package must not be archived; `code` is one of REASONS."""

    def __init__(self, code: str) -> None:
        if code not in REASONS:
            raise ValueError(f"{code} is not a reason")
        super().__init__(code)
        self.code = code

    @classmethod
    def of(cls, error: Exception) -> "Refused":
        """The refusal that an error of opening or reading amounts to."""
        match error:
            case Refused():
                return error
            case Unparseable():
                return cls(error.code)
            case PackageRefused():
                return cls("not_a_package")
        raise error
