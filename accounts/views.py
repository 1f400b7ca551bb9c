"""The doors: signing in and out, and how a person wants the pages to look."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import audit, guessing, people
from accounts.models import AccessRecord, User

CHOSEN_AT_THE_DOOR = "language_chosen_at_the_door"
YEAR = 365 * 24 * 3600
LOOKS = {"theme": {"light", "dark"}, "keys": {"on", "off"}}


class SignInForm(AuthenticationForm):
    """Name and password; after too many wrong ones the password is not looked at for a while."""

    def clean(self) -> dict[str, Any]:
        if seconds := guessing.wait(str(self.cleaned_data.get("username", ""))):
            raise ValidationError(
                _("Too many attempts under this name. Wait %(seconds)s seconds, then try again.") % {"seconds": seconds}, code="wait"
            )
        return super().clean()


class SignIn(LoginView):
    """The sign-in page; the same answer for a wrong name and a wrong password, so that nobody can list the users."""

    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        demo_users = User.objects.filter(is_demo=True).order_by("pk") if settings.PRIME_DEMO else User.objects.none()
        return super().get_context_data(demo_users=demo_users, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        response = super().form_valid(form)
        audit.record(kind=AccessRecord.Kind.SIGN_IN, by=user)
        if chosen := self.request.session.pop(CHOSEN_AT_THE_DOOR, ""):
            user = people.choose_language(user=user, language=chosen)
        return _remember(response, settings.LANGUAGE_COOKIE_NAME, user.language)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        waits = form.has_error(NON_FIELD_ERRORS, "wait")
        if not waits:
            guessing.failed(str(form.cleaned_data.get("username", "")))
        response = self.render_to_response(self.get_context_data(form=form, waits=waits))
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS if waits else HTTPStatus.BAD_REQUEST
        return response


class SignOut(LogoutView):
    """Ends the session; POST only, so that no link or picture can do it."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            audit.record(kind=AccessRecord.Kind.SIGN_OUT, by=request.user)
        return super().post(request, *args, **kwargs)


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Switch the language of the pages; a signed-in person finds it again at the next sign-in."""
    language = request.POST.get("language", "")
    if language not in dict(settings.LANGUAGES) or not check_for_language(language):
        raise ValidationError(_("This language is not offered; choose 中文 or English."))
    if request.user.is_authenticated:
        people.choose_language(user=request.user, language=language)
    else:
        request.session[CHOSEN_AT_THE_DOOR] = language
    return _remember(_back(request), settings.LANGUAGE_COOKIE_NAME, language)


@require_POST
def choose_look(request: HttpRequest) -> HttpResponse:
    """Light or dark colours, single keys on or off: kept in this browser."""
    response = _back(request)
    for name, choices in LOOKS.items():
        if request.POST.get(name) in choices:
            _remember(response, name, request.POST[name])
    return response


def _back(request: HttpRequest) -> HttpResponseRedirect:
    there = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(there, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(there if allowed else resolve_url(settings.LOGIN_REDIRECT_URL))


def _remember(response: HttpResponse, name: str, value: str) -> HttpResponse:
    response.set_cookie(name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE)
    return response
