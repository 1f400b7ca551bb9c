"""`manage.py prepare`: what `up` does before it starts processes, for installations whose processes something else starts (`docker/`)."""

import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from prime_platform.embedded import keys, state
from prime_platform.embedded.refusal import Refused
from studies.models import Study


class Command(BaseCommand):
    """Exit status 0: prepared; 1: refused, with a sentence. Safe to repeat."""

    help = "As the owner: lay out the state directory, migrate, grant, make the demonstration in an empty database, and the keys."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        who = state.identities(settings.BASE_DIR, int(os.environ.get("PRIME_UID_BASE", "64100")))
        try:
            state.lay_out(settings.VAR, who)
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from None
        call_command("migrate", verbosity=0, interactive=False)
        call_command("grants", stdout=self.stdout)
        if settings.PRIME_DEMO and not Study.objects.exists():
            self.make_demo(who)
        study = Study.objects.order_by("pk").first()
        if study is not None:
            keys.ensure(settings.VAR, who, study=study.code, url=settings.PRIME_PUBLIC_URL)

    def make_demo(self, who: state.Identities) -> None:
        """The synthetic studies, unless anchors here vouch for a database that is gone: those are evidence, and a person moves them."""
        if any((settings.VAR / "anchors").iterdir()):
            raise CommandError("The database is empty but there are anchors of an earlier one. Keep them elsewhere first.", returncode=1)
        call_command("demo", stdout=self.stdout)
        state.settle(settings.VAR, who)
