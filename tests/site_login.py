"""Letting Django's own connection be that of another login: what the site may do is tried as the site, never as the owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from django.db import connection

from tests import cluster


@contextmanager
def signed_in_as(login: str) -> Iterator[None]:
    """Sign in as `login` (web, worker, infer); the owner comes back afterwards. Only committed rows are there."""
    owner = dict(connection.settings_dict)
    url = urlsplit(cluster.urls()[login])
    connection.close()
    connection.settings_dict |= {"USER": url.username, "PASSWORD": unquote(url.password or "")}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(owner)
