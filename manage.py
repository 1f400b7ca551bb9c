#!/usr/bin/env python
"""The one door to every command of the platform."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prime_platform.settings")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - the sentence below is for who has no Django
    except ImportError:
        sys.exit("Django is not installed here. Run `make setup`, then use .venv/bin/python manage.py …")
    from django.db import OperationalError  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as fault:
        hint = "Start the platform with `make run`, or say in DATABASE_URL where its database is."
        sys.exit(f"The database does not answer: {fault}\n{hint}")


if __name__ == "__main__":
    main()
