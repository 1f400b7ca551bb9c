"""The doors: signing in and out, and how a person wants the pages to look."""

import time
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, guessing, people, second_factor, security_keys, step_up, totp
from accounts.models import AccessRecord, User

WAITING, PATIENCE = "waits_for_code", 300
"""Who gave the right password and not yet a code; for how many seconds."""
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
        demo_people = people.of_the_demonstration() if settings.PRIME_DEMO else {}
        return super().get_context_data(demo_people=demo_people, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if second_factor.has(user):
            self.request.session[WAITING] = {"who": str(user.uuid), "since": int(time.time()), "next": self.get_success_url()}
            return HttpResponseRedirect(resolve_url("sign-in-code"))
        return self.let_in(user)

    def let_in(self, user: User) -> HttpResponse:
        """Sign in somebody who has proved who he is."""
        response = super().form_valid(_Known(user))
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


class _Known:
    """What `LoginView` asks of a form, for a person who was found already."""

    def __init__(self, user: User) -> None:
        self.user = user

    def get_user(self) -> User:
        return self.user


@method_decorator((login_not_required, sensitive_post_parameters("code")), name="dispatch")
class SignInCode(SignIn):
    """The second question of the door, for who has a device: its code, within five minutes of the password."""

    template_name = "sign_in_code.html"
    http_method_names = ("get", "post", "head", "options")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if waiting(request) is None:
            return HttpResponseRedirect(resolve_url("sign-in"))
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = waiting(request)
        if user is None:
            return HttpResponseRedirect(resolve_url("sign-in"))
        if sentence := second_factor.check(user, request.POST.get("code", "")):
            asked = {"wrong": sentence, "has_keys": security_keys.are_asked_for(user)}
            return render(request, self.template_name, asked, status=HTTPStatus.BAD_REQUEST)
        there = request.session.pop(WAITING)["next"]
        user.backend = settings.AUTHENTICATION_BACKENDS[0]
        response = self.let_in(user)
        request.session[step_up.VERIFIED] = True
        step_up.note(request)
        response["Location"] = there
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return render(request, self.template_name, {"has_keys": security_keys.are_asked_for(waiting(request))})


def waiting(request: HttpRequest) -> User | None:
    """Who gave the right password at the door a moment ago, and not yet a code."""
    kept = request.session.get(WAITING, {})
    if time.time() - kept.get("since", 0) > PATIENCE:
        return None
    return User.objects.filter(uuid=kept["who"], is_active=True).first()


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("code")
def set_up_second_factor(request: HttpRequest) -> HttpResponse:
    """Set up a device: its secret, then its first code, then the codes for paper, once."""
    context: dict[str, Any] = {"done": second_factor.has(request.user)}
    status = HTTPStatus.OK
    if request.method == "POST" and not context["done"]:
        try:
            context |= {"paper": second_factor.confirm(request.user, request.POST.get("code", "")), "done": True}
            request.session[step_up.VERIFIED] = True
            step_up.note(request)
        except ValidationError as error:
            context["wrong"], status = " ".join(error.messages), HTTPStatus.BAD_REQUEST
    if not context["done"]:
        secret = second_factor.begin(request.user)
        context["secret"] = totp.as_text(secret)
        context["address"] = totp.address(secret, issuer="PRIME", name=request.user.username)
    else:
        context |= {"security_keys": list(security_keys.of(request.user)), "fresh": step_up.is_fresh(request)}
        context["can_be_used"] = security_keys.can_be_used()
    return render(request, "second_factor.html", context, status=status)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("code")
def step_up_page(request: HttpRequest) -> HttpResponse:
    """A code once more, before something leaves or is put in force; then back."""
    there = request.POST.get("next", "") or request.GET.get("next", "")
    if second_factor.is_missing(request.user):
        return HttpResponseRedirect(resolve_url("second-factor"))
    if request.method == "POST":
        wrong = second_factor.check(request.user, request.POST.get("code", ""))
        if not wrong:
            request.session[step_up.VERIFIED] = True
            step_up.note(request)
            return _back(request)
        asked = {"next": there, "wrong": wrong, "has_keys": security_keys.are_asked_for(request.user)}
        return render(request, "step_up.html", asked, status=HTTPStatus.BAD_REQUEST)
    return render(request, "step_up.html", {"next": there, "has_keys": security_keys.are_asked_for(request.user)})


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
