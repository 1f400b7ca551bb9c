"""Fixtures of this room."""

import pytest
from pytest_django.fixtures import SettingsWrapper

from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture(autouse=True)
def quick_passwords(settings: SettingsWrapper) -> None:
    """No test here signs in through a password; Argon2's deliberate slowness would be most of their time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()
