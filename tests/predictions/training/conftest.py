"""What the tests of training begin with."""

import pytest


@pytest.fixture(autouse=True)
def database(db: None) -> None:
    """`train` asks the database, where one answers, whether a real study is blinded there."""
