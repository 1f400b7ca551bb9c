"""What each database login may do with each table: the second wall behind the program (AU-02, SE-09).

One table of rules, applied by `manage.py grants` after every migration and compared with the catalogue by a test. The
letters are S(elect) I(nsert) U(pdate) D(elete); nobody but the owner has any other privilege. A rule is chosen from the
most special to the most general: the model, its kind, its app. What no rule names is granted to nobody.
"""

from django.apps import apps
from django.db import models
from pghistory.models import Event

LOGINS = ("prime_web", "prime_worker", "prime_infer")
Rule = dict[str, str]  # login → letters

EVENT: Rule = {"prime_web": "S", "prime_worker": "S"}
"""History is written by triggers that run as the owner; no login can insert, change or remove it, or read that of a table closed to it."""

BY_MODEL: dict[str, Rule] = {
    "accounts.User": {"prime_web": "SIU", "prime_worker": "S", "prime_infer": "S"},
    "accounts.SecondFactor": {"prime_web": "SIU"},
    "accounts.SecurityKey": {"prime_web": "SIU"},
    "accounts.AccessRecord": {"prime_web": "SI", "prime_worker": "SI", "prime_infer": "SI"},
    "accounts.Heartbeat": {"prime_web": "SIU", "prime_worker": "SIU", "prime_infer": "SIU"},
    "accounts.Installation": {"prime_web": "S", "prime_worker": "S", "prime_infer": "S"},
    "accounts.LedgerRow": {"prime_web": "S", "prime_worker": "S", "prime_infer": "S"},
    "accounts.LedgerWriter": {},
    "studies.Milestone": {"prime_web": "SI", "prime_worker": "SI", "prime_infer": "SI"},
    "studies.Participant": {"prime_web": "SIU", "prime_worker": "SU", "prime_infer": "S"},
    "studies.Study": {"prime_web": "SU", "prime_worker": "S", "prime_infer": "S"},
    "studies.Center": {"prime_web": "SU", "prime_worker": "S", "prime_infer": "S"},
    "studies.Screening": {"prime_web": "SIU", "prime_worker": "S", "prime_infer": "S"},
    "studies.Progress": {"prime_web": "S", "prime_worker": "S"},
    "studies.Query": {"prime_web": "SIU", "prime_worker": "SIU"},
    "studies.Verification": {"prime_web": "SIU", "prime_worker": "SIU"},
    "studies.CheckRun": {"prime_web": "SI", "prime_worker": "SIU"},
    "studies.QueryMessage": {"prime_web": "SI", "prime_worker": "SI"},
    "studies.Entry": {"prime_web": "SIU", "prime_worker": "S", "prime_infer": "S"},
    "studies.Draft": {"prime_web": "SIUD"},
    "studies.Deviation": {"prime_web": "SIU", "prime_worker": "SI"},
    "predictions.ModelVersion": {"prime_web": "S", "prime_infer": "S"},
    "predictions.ModelVersionEvent": {},
    "predictions.TrainingRun": {"prime_web": "S"},
    "predictions.Custodian": {"prime_infer": "S"},
    "predictions.Batch": {"prime_infer": "SI"},
    "predictions.Snapshot": {"prime_infer": "SI"},
    "predictions.Seal": {"prime_infer": "SI"},
    "predictions.Rewrap": {"prime_infer": "S"},
    "analysis.Publication": {"prime_web": "S"},
    "analysis.PublishedFile": {"prime_web": "S"},
    "sessions.Session": {"prime_web": "SIUD"},
    "authtoken.Token": {"prime_web": "SID"},
    "contenttypes.ContentType": {"prime_web": "S", "prime_worker": "S"},
}

BY_APP: dict[str, Rule] = {
    "studies": {"prime_web": "SIU", "prime_worker": "S"},
    "imaging": {"prime_web": "SIU", "prime_worker": "SIU", "prime_infer": "S"},
    "followup": {"prime_web": "SIU", "prime_worker": "S"},
}
"""Clinical rows are never deleted by a login of the site; `predictions` and `analysis` are granted table by table."""

VERBS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}


def rule(model: type[models.Model]) -> Rule:
    """The rule for one model."""
    label = model._meta.label
    if label in BY_MODEL:
        return BY_MODEL[label]
    if issubclass(model, Event) and (tracked := model.pgh_tracked_model) is not None:
        return {login: letters for login, letters in EVENT.items() if "S" in rule(tracked).get(login, "")}
    general = BY_APP.get(model._meta.app_label, {})
    return {login: letters.replace("U", "") for login, letters in general.items()} if is_append_only(model) else general


def is_append_only(model: type[models.Model]) -> bool:
    """Whether a trigger refuses every change of its rows; then no login has the right to try."""
    return any(trigger.name == "append_only" for trigger in getattr(model._meta, "triggers", []))


def tables() -> dict[str, Rule]:
    """Every managed table of the installation with its rule."""
    return {
        model._meta.db_table: rule(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
