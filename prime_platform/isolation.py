"""Which rows the site's login sees and writes: row policies, one rule per table (SE-03, docs/isolation.md).

`manage.py grants` puts them in force after every migration, beside the privileges of `prime_platform.privileges`. A rule says how a
row finds its center. It is chosen from the most special to the most general: the model; the tracked model of a history table; a
foreign key that is never empty, `center` before `participant` before `screening`, then `study` beside a `center` that may be empty,
then the only one to a table that is itself kept apart, then `study`. A model that none fits has no rule: a test fails, and until it
has one the site sees none of its rows. The machines' logins see every row of the tables granted to them.
"""

from dataclasses import dataclass

from django.apps import apps
from django.db import models
from pghistory.models import Event

from accounts.models import User
from prime_platform import privileges
from studies.models import Center, Study

SITE = "prime_web"
ROOMS = ("accounts", "studies", "imaging", "followup", "predictions", "analysis")
"""The apps whose every table needs a rule; the others hold sessions, tokens and names of tables."""


def _keys(name: str) -> str:
    # A subquery of its own is asked once per statement, a bare current_setting once per row.
    return f"((SELECT nullif(current_setting('{name}', true), '')::bigint[])::bigint[])"


CENTERS, STUDIES = _keys("app.centers"), _keys("app.studies")
PERSON = "(SELECT nullif(current_setting('app.person', true), '')::bigint)"
_KEYS: dict[type[models.Model], str] = {Center: f"ANY {CENTERS}", Study: f"ANY {STUDIES}", User: PERSON}


@dataclass(frozen=True)
class Rule:
    """How a row is found to be somebody's: by one of these foreign keys, or by a condition; `open_because` shows it to everybody."""

    through: tuple[str, ...] = ()
    condition: str = ""
    open_because: str = ""


def through(*fields: str) -> Rule:
    """The row is seen when the row that one of its foreign keys points at is seen."""
    return Rule(through=fields)


def shown(reason: str) -> Rule:
    """Every row is seen by everybody, because…"""
    return Rule(open_because=reason)


def pointed_at_by(*columns: str) -> Rule:
    """The row is seen when a row that is seen points at it: `table.column`."""
    found = ("EXISTS (SELECT 1 FROM {} WHERE {} = {{table}}.id)".format(column.split(".")[0], column) for column in columns)  # noqa: S608
    return Rule(condition=" OR ".join(found))


OF_CENTER_OR_STUDY = f"{{table}}.center_id = ANY {CENTERS} OR ({{table}}.center_id IS NULL AND {{table}}.study_id = ANY {STUDIES})"
"""Of one center, or, where no center is named, of the whole study."""

BY_MODEL: dict[str, Rule] = {
    "accounts.User": shown("a person belongs to no center; names stand beside what people of the study entered"),
    "accounts.SecurityKey": shown("asked at the door, before anybody is known; a public key"),
    "accounts.SecondFactor": shown("asked at the door, before anybody is known; the secret is encrypted"),
    "accounts.AccessRecord": shown("text without keys, written by everybody, strangers at the door included"),
    "accounts.Heartbeat": shown("counts of parts of the platform"),
    "accounts.Installation": shown("one row that belongs to everybody"),
    "accounts.LedgerRow": Rule(condition="EXISTS (SELECT 1 FROM studies_study WHERE studies_study.code = {table}.study)"),
    "accounts.LedgerWriter": shown("granted to nobody; says which login may append what"),
    "studies.Study": Rule(condition=f"{{table}}.id = ANY {STUDIES}"),
    "studies.Center": Rule(condition=f"{{table}}.id = ANY {CENTERS}"),
    "studies.Membership": Rule(condition=f"{{table}}.user_id = {PERSON} OR {OF_CENTER_OR_STUDY}"),
    "studies.Milestone": through("center", "participant"),
    "studies.Reconsent": through("consent"),
    "imaging.Gateway": Rule(condition=f"{{table}}.center_id = ANY {CENTERS} OR {{table}}.code = current_setting('app.gateway', true)"),
    "imaging.ArchivedObject": pointed_at_by(
        "imaging_instance.object_id",
        "imaging_instanceconflict.object_id",
        "imaging_keyslice.object_id",
        "imaging_roi.object_id",
        "imaging_proposedoutline.object_id",
        "imaging_draft.object_id",
    ),
    "imaging.InstanceConflict": through("instance"),
    "imaging.PassMember": through("series"),
}


def rule(model: type[models.Model]) -> Rule | None:
    """The rule for one model; None where nobody has said how its rows find their center."""
    if model._meta.label in BY_MODEL:
        return BY_MODEL[model._meta.label]
    if model._meta.app_label not in ROOMS:
        return shown("no table of a room")
    if issubclass(model, Event) and (tracked := model.pgh_tracked_model) is not None:
        return rule(tracked)
    return _general(model)


def _general(model: type[models.Model]) -> Rule | None:
    pointers = {field.name: field.related_model for field in model._meta.fields if field.is_relation and not field.null}
    for name in ("center", "participant", "screening"):
        if name in pointers:
            return through(name)
    if "study" in pointers and any(field.name == "center" for field in model._meta.fields):
        return Rule(condition=OF_CENTER_OR_STUDY)
    parents = [name for name, target in pointers.items() if target not in (User, Study, model) and _keeps_apart(rule(target))]
    if len(parents) == 1:
        return through(parents[0])
    return through("study") if "study" in pointers and not parents else None


def _keeps_apart(rule: Rule | None) -> bool:
    """Whether rows of such a table have one owner: bytes that several rows point at have none."""
    return rule is not None and not rule.open_because and "EXISTS" not in rule.condition


def condition(model: type[models.Model]) -> str | None:
    """The SQL that is true for a row that the site sees; None where it sees every row; false without a rule."""
    found = rule(model)
    if found is None:
        return "false"
    if found.open_because:
        return None
    if found.condition:
        return found.condition.format(table=model._meta.db_table)
    return " OR ".join(_seen(model, name) for name in found.through)


def check(model: type[models.Model]) -> str | None:
    """What must also hold for a row that the site writes: nothing it points at is hidden from it.

    A foreign key is checked by the server with the owner's eyes; without this, writing would tell which keys exist elsewhere.
    """
    seen = condition(model)
    if seen is None:
        return None
    pointers = [field for field in model._meta.fields if field.is_relation and _is_checked(model, field)]
    return " AND ".join([f"({seen})", *(f"({_column(model, field)} IS NULL OR {_seen(model, field.name)})" for field in pointers)])


def _is_checked(model: type[models.Model], field: models.Field) -> bool:
    # A policy that asks its own table again, directly or on a way round, is refused by the server.
    target = field.related_model
    found = rule(target)
    asks_back = found is not None and model._meta.db_table in found.condition
    return target not in (User, model) and found is not None and not found.open_because and not asks_back


def _seen(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    target, column = field.related_model, _column(model, field)
    if target in _KEYS:
        return f"{column} = {_KEYS[target]}"
    table = target._meta.db_table
    # IN, not EXISTS: the keys of the parent are then hashed once per statement, whatever the planner thinks of the number of rows.
    return f"{column} IN (SELECT {table}.id FROM {table})"  # noqa: S608 - names of our own models


def _column(model: type[models.Model], field: models.Field) -> str:
    return f"{model._meta.db_table}.{field.column}"


def policies() -> dict[str, dict[str, tuple[str, str]]]:
    """{table: {login: (what it sees, what it may write)}} of every table whose rows are kept apart; no entry, no row."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for model in apps.get_models(include_auto_created=True):
        seen = condition(model)
        if not model._meta.managed or model._meta.proxy or seen is None:
            continue
        granted = privileges.rule(model)
        own = {login: ("true", "true") for login in privileges.LOGINS if granted.get(login)}
        if SITE in own:
            own[SITE] = (seen, check(model) or "")
        found[model._meta.db_table] = own
    return found


def rules() -> dict[str, Rule | None]:
    """Every managed table with its rule."""
    return {
        model._meta.db_table: rule(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
