"""No unique constraint tells one center what another has (SE-03): a clash would be an answer to a question nobody may ask.

Asked of the catalogue, so that what migrations made by hand counts too. Row policies refuse a foreign row before any index is asked; this
is about rows of one's own whose value is taken elsewhere.
"""

import pytest
from django.apps import apps
from django.db import connection, models

from tests.gates.two_hospitals import leads_to_center

pytestmark = pytest.mark.django_db
UNIQUE = """
SELECT i.relname, array_agg(a.attname ORDER BY a.attnum), array_agg(a.atttypid::regtype::text ORDER BY a.attnum)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(x.indkey::int2[])
WHERE t.relname = %s AND (x.indisunique OR x.indisexclusion) GROUP BY i.relname
"""
EXEMPT = {
    "studies_center.center_code_per_study": "centers are made by the operator, who sees them all",
    "studies_participant.participant_study_number": "the platform makes the number, and it begins with the center's code",
    "followup_adjudicationcase.followup_adjudicationcase_code_key": "letters that the platform draws, for cases that the operator opens",
    "followup_responsecase.followup_responsecase_code_key": "letters that the platform draws, for cases that the operator asks for",
    "imaging_gateway.imaging_gateway_code_key": "center and hash of the gateway's key, registered by the operator",
    "imaging_package.imaging_package_digest_key": "SHA-256 of a manifest that names the gateway: who knows it has the package",
    "imaging_archivedobject.imaging_archivedobject_sha256_key": "SHA-256 of bytes: who knows it has them; only the worker inserts",
}
"""Unique beyond a center, and why nobody learns anything by it."""


def constraints() -> dict[str, tuple[type[models.Model], dict[str, str]]]:
    """`table.index` → model and the columns with their types, of every unique index on a table of the centers."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and leads_to_center(model):
            with connection.cursor() as cursor:
                cursor.execute(UNIQUE, [model._meta.db_table])
                for name, columns, types in cursor.fetchall():
                    found[f"{model._meta.db_table}.{name}"] = model, dict(zip(columns, types, strict=True))
    return found


def is_within_a_center(model: type[models.Model], columns: dict[str, str]) -> bool:
    """Whether a clash can only be with a row of the same center, or with a value that the platform draws."""
    drawn = {model._meta.pk.column, *(name for name, kind in columns.items() if kind == "uuid")}
    leading = {field.column for field in model._meta.fields if field.is_relation and leads_to_center(field.related_model)}
    return bool(columns.keys() & (drawn | leading))


def test_unique_constraints_stay_within_a_center() -> None:
    """Each has the center, a key that leads to it, or a key or uuid that the platform draws; the rest is named with its reason."""
    found = constraints()
    assert {"studies_screening.screening_row_token_per_center", "imaging_series.series_uid_per_center"} <= found.keys()
    beyond = {name for name, (model, columns) in found.items() if not is_within_a_center(model, columns)}
    assert beyond == EXEMPT.keys()
