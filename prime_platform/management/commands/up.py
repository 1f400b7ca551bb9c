"""`manage.py up`: run the whole platform on this machine until it is told to stop."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from prime_platform.demo import images
from prime_platform.embedded import machine


class Command(BaseCommand):
    help = "Start PostgreSQL, migrate, grant, and run web, worker, beat and edge here; restart what dies; stop all on Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        plan = machine.Plan(
            checkout=settings.BASE_DIR,
            var=settings.VAR,
            bind=settings.PRIME_BIND,
            http_port=settings.PRIME_HTTP_PORT,
            dicom_port=settings.PRIME_DICOM_PORT,
            edge_port=settings.PRIME_EDGE_PORT,
            dicom_aet=settings.PRIME_DICOM_AET,
            public_url=settings.PRIME_PUBLIC_URL,
            demo=settings.PRIME_DEMO,
            uid_base=int(os.environ.get("PRIME_UID_BASE", "64100")),
            demo_center=images.CENTER,
        )
        sys.exit(machine.up(plan))
