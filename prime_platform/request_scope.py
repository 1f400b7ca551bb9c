"""One request, one transaction, one person's rows: what every page and every call of the API runs in (docs/isolation.md).

The transaction is opened when the person is known and the form's body has been read, and closed when the answer has been drawn, so
that a template that is rendered late still sees its rows. What a refusal or a fault interrupted is undone before the answer
to it is drawn; the record of a refusal is written by `RefusalMiddleware`, outside, when this transaction has ended.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from django.db import transaction
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import moment, once, scope
from accounts.models import User

WITHOUT = ("/healthz", "/readyz", "/edge/v1/")
"""Requests of nobody: they say themselves what they need to see. The body of a gateway may take hours to come."""


class Scope:
    """The transaction of one request and, within it, the savepoint that holds the view's work."""

    def __init__(self, person: User, *, only_reads: bool, at_one_moment: bool) -> None:
        self.person, self.only_reads, self.at_one_moment = person, only_reads, at_one_moment
        self._transaction, self._work = ExitStack(), ExitStack()

    def open(self) -> None:
        if self.at_one_moment:
            self._transaction.enter_context(moment.one_moment())
        self._transaction.enter_context(scope.within_reach_of(self.person))
        if self.only_reads:
            self._transaction.enter_context(once.remembering())
        self._work.enter_context(transaction.atomic())
        self._transaction.push(self._work)

    def undo(self) -> None:
        """Take the view's work back; the transaction goes on and can draw the answer."""
        work = self._work.pop_all()
        transaction.set_rollback(True)
        work.close()

    def close(self) -> None:
        self._transaction.close()


class RequestScopeMiddleware:
    """Stands innermost: the view, the refusals it raises and what they render run in the transaction, and nothing else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        own: Scope | None = getattr(request, "scope", None)
        if own is None:
            return response
        if getattr(response, "exception", False):  # the REST framework has made an answer of a refusal by itself
            own.undo()
        own.close()
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            response.streaming_content = _in_its_own_scope(own.person, response.streaming_content)
        return response

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> None:
        person = _person(request)
        if person is not None and not request.path.startswith(WITHOUT):
            only_reads, at_one_moment = request.method in ("GET", "HEAD"), moment.is_at_one_moment(view_func)
            request.scope = Scope(person, only_reads=only_reads, at_one_moment=at_one_moment)  # type: ignore[attr-defined] # closed by __call__
            request.scope.open()  # type: ignore[attr-defined]

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        if hasattr(request, "scope"):
            request.scope.undo()


def _person(request: HttpRequest) -> User | None:
    """Who asks: the bearer of a token before the owner of a session, as the REST framework has it."""
    if request.path.startswith("/api/") and "Authorization" in request.headers:
        try:
            known = TokenAuthentication().authenticate(request)
        except AuthenticationFailed:  # the framework says so itself
            return None
        if known is not None:
            return known[0]
    return request.user if request.user.is_authenticated else None


def _in_its_own_scope(person: User, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A download is drawn after the request's transaction has ended: it gets another one, as long as it lasts."""
    with scope.within_reach_of(person):
        yield from pieces
