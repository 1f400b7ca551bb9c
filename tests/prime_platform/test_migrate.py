"""Migrating without drawing every model anew: what comes out is what Django's own migration makes."""

from contextlib import nullcontext

import pytest
from django.contrib.postgres.operations import CreateExtension
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState

from prime_platform.management.commands.migrate import keeping_the_drawn_models

LEAF = migrations.CreateModel("Leaf", [("id", models.BigAutoField(primary_key=True)), ("size", models.IntegerField(db_index=True))])
CHANGES = {
    "index": [
        migrations.AddIndex("Leaf", models.Index(fields=["size"], name="leaf_by_size")),
        migrations.AlterField("Leaf", "size", models.IntegerField()),
    ],
    "constraint": [
        migrations.AlterField("Leaf", "size", models.IntegerField(unique=True)),
        migrations.AddConstraint("Leaf", models.UniqueConstraint(fields=["size"], name="leaf_one_of_a_size")),
        migrations.AlterField("Leaf", "size", models.IntegerField()),
    ],
}


def made(change, how):
    """The indexes and constraints of the table after such a change, whatever their chance names are."""
    state = ProjectState()
    assert state.apps  # drawn, as in the middle of a run
    with how:
        for operations in ([LEAF], CHANGES[change]):
            migration = Migration("changes", "studies")
            migration.operations = operations
            with connection.schema_editor() as editor:
                migration.apply(state, editor)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "studies_leaf")
        cursor.execute("DROP TABLE studies_leaf")
    return sorted((name if name.startswith("leaf_") else "", each["columns"], each["unique"]) for name, each in found.items())


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
def test_field_changes_keep_the_indexes_and_constraints_that_were_added_before_them(change):
    assert made(change, keeping_the_drawn_models()) == made(change, nullcontext())


def test_no_step_back_drops_an_extension_that_another_step_stands_on():
    """`CreateExtension` drops on the way back what it may not have made: an extension is made by SQL that leaves it there."""
    steps = MigrationLoader(None).disk_migrations
    assert ("studies", "0016_reference_ranges") in steps
    assert [key for key, step in steps.items() for operation in step.operations if isinstance(operation, CreateExtension)] == []
