"""Checking and saving one row: the database judges its constraints once, and Django's checks find the sentence where it refuses.

Asking the database for every constraint before saving costs a query each and decides nothing: between the question and the row
somebody else may have written (docs/adr/0005-one-write-one-function.md).
"""

from django.db import IntegrityError, models, transaction


def save_checked(row: models.Model) -> None:
    """Save a row whose fields are clean. Raises ValidationError for what its fields or a constraint refuse; the transaction goes on.

    IntegrityError comes through where a constraint refuses that the model has no sentence for.
    """
    row.clean_fields()
    row.clean()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.full_clean()
        raise
