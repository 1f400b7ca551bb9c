"""The closed vocabulary of states that a page may show: icon, ground and word of each (words first, then icon, then colour).

Red is for something overdue or refused; recurrence and death are facts, in plain ink; violet belongs to the seal alone.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class State:
    """How one state looks: `icon` names a symbol of the sprite, `tone` a ground of the stylesheet."""

    icon: str
    tone: str
    word: Promise


STATES: dict[str, State] = {
    # waiting, nothing wrong
    "screened": State("open", "open", _("screened")),
    "pathology_pending": State("open", "open", _("pathology pending")),
    "bookable": State("open", "open", _("bookable")),
    "not_yet_due": State("open", "open", _("not yet due")),
    "not_open": State("open", "open", _("not open")),
    "begins_later": State("open", "open", _("begins later")),
    "eligible": State("ok", "ok", _("eligible")),
    # something is missing
    "phase_missing": State("half", "warn", _("phase missing")),
    "images_missing": State("half", "warn", _("images missing")),
    "eligibility_unknown": State("half", "warn", _("eligibility unknown")),
    "consent_missing": State("half", "warn", _("consent missing")),
    "to_confirm": State("half", "warn", _("to confirm")),
    "draft": State("half", "warn", _("draft")),
    "settling": State("half", "info", _("settling")),
    "visit_due": State("half", "warn", _("due")),
    "treatment_unstated": State("half", "warn", _("not stated complete")),
    "treatment_window": State("half", "warn", _("treatment window")),
    "deviation_open": State("half", "warn", _("to be assessed")),
    "deviation_assessed": State("half", "info", _("assessed")),
    "deviation_closed": State("ok", "ok", _("deviation closed")),
    "deviation_minor": State("warn", "open", _("minor")),
    "deviation_major": State("warn", "warn", _("major")),
    "erasure_requested": State("half", "warn", _("erasure asked for")),
    "lacking": State("half", "warn", _("lacking")),
    "ethics_missing": State("half", "warn", _("no approval on file")),
    "ethics_ends_soon": State("late", "warn", _("ends soon")),
    "reconsent_due": State("half", "warn", _("to be signed")),
    "training_missing": State("half", "warn", _("training missing")),
    # done
    "center_open": State("ok", "ok", _("open")),
    "on_file": State("ok", "ok", _("on file")),
    "in_force": State("ok", "ok", _("in force")),
    "consented": State("ok", "ok", _("consented")),
    "enrolled": State("ok", "ok", _("enrolled")),
    "phases_complete": State("ok", "ok", _("phases complete")),
    "verified": State("ok", "ok", _("verified")),
    "accepted": State("ok", "ok", _("accepted")),
    "published": State("ok", "ok", _("published")),
    "visit_done": State("ok", "ok", _("done")),
    "visit_done_outside": State("ok", "open", _("done outside the window")),
    "treatment_complete": State("ok", "ok", _("treatment complete")),
    # one criterion of the protocol
    "pass": State("ok", "ok", _("met")),
    "fail": State("bad", "bad", _("fails")),
    "unknown": State("half", "warn", _("not known yet")),
    # the seal
    "sealed": State("seal", "seal", _("prediction sealed")),
    "opened": State("seal", "seal", _("opened")),
    # time
    "last_day": State("late", "warn", _("last day of the window")),
    "overdue": State("late", "bad", _("overdue")),
    "expired": State("late", "bad", _("expired")),
    "declaration_missing": State("late", "bad", _("declaration missing")),
    "sealed_late": State("late", "warn", _("sealed late")),
    "late_seal_risk": State("warn", "warn", _("risk of a late seal")),
    "above_reference": State("warn", "open", _("above reference")),
    "below_reference": State("warn", "open", _("below reference")),
    "to_decide": State("query", "warn", _("to decide")),
    "unusual": State("half", "warn", _("unusual: tick when right")),
    "lost_proposed": State("warn", "warn", _("lost, proposed")),
    # refused or broken
    "out_of_range": State("bad", "bad", _("out of possible range")),
    "ineligible": State("bad", "bad", _("a criterion fails")),
    "contradiction": State("bad", "bad", _("contradiction")),
    "rejected": State("bad", "bad", _("rejected")),
    "signature_void": State("bad", "bad", _("signature void")),
    # held, asked, signed, closed
    "quarantined": State("quar", "warn", _("quarantined")),
    "quarantined_long": State("quar", "bad", _("quarantined")),
    "query": State("query", "warn", _("query")),
    "query_overdue": State("query", "bad", _("query")),
    "verify_due": State("half", "warn", _("to be compared")),
    "verify_again": State("half", "warn", _("changed, compare again")),
    "query_answered": State("query", "info", _("answered")),
    "query_closed": State("ok", "open", _("closed")),
    "signed": State("pen", "", _("signed")),
    "unsigned": State("pen", "open", _("not signed")),
    "locked": State("lock", "", _("locked")),
    "frozen": State("lock", "warn", _("frozen")),
    "unlocked": State("lock", "warn", _("open for a while")),
    "not_locked": State("open", "open", _("not locked")),
    # models and their trainings
    "model_draft": State("half", "warn", _("draft")),
    "model_validated": State("ok", "info", _("validated")),
    "model_locked": State("lock", "", _("locked")),
    "model_retired": State("na", "", _("retired")),
    "training_running": State("half", "info", _("running")),
    "training_silent": State("late", "warn", _("not heard of for half an hour")),
    "training_stopped": State("na", "warn", _("stopped")),
    "training_trained": State("ok", "ok", _("trained")),
    "training_refused": State("bad", "bad", _("the data cannot answer")),
    # not in, and why
    "ended": State("na", "", _("ended")),
    "center_closed": State("na", "", _("closed")),
    "excluded": State("na", "", _("not enrolled")),
    "erasure_approved": State("na", "", _("erasure approved")),
    "erasure_refused": State("na", "", _("erasure refused")),
    "no_contact": State("na", "", _("no contact")),
    "withdrawn": State("na", "", _("withdrawn")),
    "lost": State("na", "", _("lost to follow-up")),
    "not_evaluable": State("na", "", _("not evaluable")),
    "not_estimable": State("na", "", _("not estimable (NE)")),
    "not_expected": State("na", "", _("not expected")),
    "not_applicable": State("na", "", _("not applicable")),
}
