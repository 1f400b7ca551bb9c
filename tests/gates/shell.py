"""The frame around every page, drawn up once for each person: for sweeps of thousands of requests that change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest

from accounts.models import User
from prime_platform import navigation
from studies import access


@contextmanager
def counted_once() -> Iterator[None]:
    """While no request leaves anything behind, a person's permissions and the numbers of the navigation are the same on every page."""
    menu_of = navigation.menu_for
    whole = cache(lambda user: menu_of(user, ""))

    def menu_for(user: User, path: str) -> list[navigation.Group]:
        return [
            replace(group, entries=[replace(each, current=path.startswith(each.url)) for each in group.entries]) for group in whole(user)
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(navigation, "menu_for", menu_for)
        patch.setattr(access, "permissions_of", cache(access.permissions_of))
        yield
