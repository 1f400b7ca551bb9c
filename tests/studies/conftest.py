"""Fixtures of this room."""

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    """No test here signs in through a password; Argon2's deliberate slowness would be most of their time."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()
