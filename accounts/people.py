"""Making and changing users: the writes behind sign-in."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.models import AccessRecord, User

COUNTING = "甲乙丙丁戊己庚辛壬癸"


@transaction.atomic
def create_user(*, username: str, display_name: str, password: str, by: User, language: str = "zh-hans", is_demo: bool = False) -> User:
    """Make a person who can sign in; what he may do comes from memberships. Raises ValidationError on bad input or a weak password."""
    user = User(username=username, display_name=display_name, language=language, is_demo=is_demo)
    _check(password, user)
    user.set_password(password)
    user.full_clean()
    with audit.act(by=by, action="user.created"):
        user.save()
    return user


@transaction.atomic
def give_password(*, user: User, password: str, by: User) -> User:
    """Give a person a new password; whoever is signed in by the old one is signed out. Raises ValidationError for a weak one."""
    _check(password, user)
    user.set_password(password)
    with audit.act(by=by, action="user.password_given"):
        user.save(update_fields=["password"])
    audit.record(kind=AccessRecord.Kind.SIGN_OUT, by=user, subject="new password")
    return user


@transaction.atomic
def choose_language(*, user: User, language: str) -> User:
    """Remember the language a person works in."""
    with audit.act(by=user, action="user.language_chosen"):
        user.language = language
        user.full_clean()
        user.save(update_fields=["language"])
    return user


def of_the_demonstration() -> dict[str, list[str]]:
    """The names to sign in to the demonstration with, by what their people are; who differs by a counting sign (甲, 乙, …) is one kind."""
    names: dict[str, list[str]] = {}
    for user in User.objects.filter(is_demo=True).order_by("pk"):
        names.setdefault(user.display_name.rstrip(COUNTING), []).append(user.username)
    return names


def _check(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from None
