"""Making and changing users: the writes behind sign-in."""

from django.db import transaction

from accounts import audit
from accounts.models import User


@transaction.atomic
def create_user(*, username: str, display_name: str, password: str, by: User, language: str = "zh-hans", is_demo: bool = False) -> User:
    """Make a person who can sign in; what he may do comes from memberships. Raises ValidationError on bad input."""
    user = User(username=username, display_name=display_name, language=language, is_demo=is_demo)
    user.set_password(password)
    user.full_clean()
    with audit.act(by=by, action="user.created"):
        user.save()
    return user


@transaction.atomic
def choose_language(*, user: User, language: str) -> User:
    """Remember the language a person works in."""
    with audit.act(by=user, action="user.language_chosen"):
        user.language = language
        user.full_clean()
        user.save(update_fields=["language"])
    return user
