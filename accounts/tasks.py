"""The task that proves clock, broker and worker are joined."""

from django.db import connection
from django.utils import timezone

from accounts.models import Heartbeat
from accounts.work import task


@task()
def heartbeat() -> None:
    """Note that a worker took a message of the clock just now."""
    Heartbeat.objects.update_or_create(
        name="worker", defaults={"at": timezone.now(), "detail": {"login": connection.settings_dict["USER"]}}
    )
