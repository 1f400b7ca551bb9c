"""The composition as a Django app: it makes the one Celery app the default of every process."""

from django.apps import AppConfig


class PrimePlatformConfig(AppConfig):
    """Nothing is stored here; importing the Celery app lets `@task` functions be sent from web processes and commands."""

    name = "prime_platform"

    def ready(self) -> None:
        """Make the Celery app known, and join what the rooms tell about their rows and records."""
        from prime_platform import celery, posture, quality, records  # noqa: F401, PLC0415  (all need the settings complete)

        quality.join()
        posture.join()
        records.register()
