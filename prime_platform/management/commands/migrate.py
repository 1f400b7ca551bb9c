"""`manage.py migrate`: Django's own, which does not draw every model anew for what changes no field.

Between two operations Django draws again each model that is related to the one that changed, and here nearly all are related to
each other. A trigger, an index or a constraint changes no field and is applied from its own definition, so that the drawn models may
stay as they are, without knowing of it. Changing a field does ask its model which indexes and constraints are its own, to leave them
alone: that one model is drawn anew just before. The models that a data migration is given do not know of them either; what it
writes, the database checks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db.migrations.operations import AlterField
from django.db.migrations.state import ProjectState
from pgtrigger.migrations import AddTrigger, RemoveTrigger


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        with keeping_the_drawn_models():
            super().handle(*args, **options)


@contextmanager
def keeping_the_drawn_models() -> Iterator[None]:
    """Let the operations on triggers, indexes and constraints change a state without drawing its models anew; a change of a field does."""
    kept = [(ProjectState, "_append_option", 0), (ProjectState, "_remove_option", 0), (ProjectState, "_alter_option", 0)]
    kept += [(AddTrigger, "state_forwards", 2), (RemoveTrigger, "state_forwards", 2)]
    wrapped = {(owner, name): _undrawn(getattr(owner, name), place) for owner, name, place in kept}
    wrapped[AlterField, "database_forwards"] = _drawn_anew(AlterField.database_forwards)  # backwards goes through it too
    original = {(owner, name): getattr(owner, name) for owner, name in wrapped}
    for (owner, name), change in wrapped.items():
        setattr(owner, name, change)
    try:
        yield
    finally:
        for (owner, name), change in original.items():
            setattr(owner, name, change)


def _undrawn(change: Callable[..., None], place: int) -> Callable[..., None]:
    """`change` with the drawn models of its state, the argument at `place`, put out of its reach."""

    def changed(*args: Any) -> None:
        drawn = args[place].__dict__.pop("apps", None)
        change(*args)
        if drawn is not None:
            args[place].__dict__["apps"] = drawn

    return changed


def _drawn_anew(change: Callable[..., None]) -> Callable[..., None]:
    """`change` of a field, with its model drawn anew as it was before, all of its indexes and constraints included."""

    def changed(operation: AlterField, app_label: str, editor: Any, from_state: ProjectState, to_state: ProjectState) -> None:
        from_state.reload_model(app_label, operation.model_name_lower, delay=True)
        change(operation, app_label, editor, from_state, to_state)

    return changed
