"""Who can sign in to the demonstration, with one password that is random for each installation."""

import secrets
from pathlib import Path

from django.conf import settings

from accounts import people
from accounts.models import User
from studies import setup
from studies.models import Center, Study
from studies.vocabulary import Role

CENTER_PEOPLE = {"coordinator": ("coordinator", "协调员"), "site_pi": ("pi", "中心负责人"), "pacs_admin": ("pacs", "影像科")}
STUDY_PEOPLE = {
    "investigator": ("investigator", "研究负责人"),
    "data_manager": ("manager", "数据管理员"),
    "monitor": ("monitor", "监查员"),
    "blinded_statistician": ("statistician", "盲态统计师"),
    "model_owner": ("modelowner", "模型负责人"),
}
CENTER_WORDS = "甲乙丙丁"
ADJUDICATORS = (("adjudicator1", "裁定者甲"), ("adjudicator2", "裁定者乙"), ("adjudicator3", "裁定者丙"))
"""Two read a case, a third where they differ."""
INVESTIGATOR_OF_THE_PAST = "investigatorp"


def password() -> str:
    """The demonstration's password, made once and kept where the operator alone can read it."""
    path = password_file()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text("-".join(secrets.token_hex(2) for _ in range(4)))
    return path.read_text().strip()


def password_file() -> Path:
    return settings.VAR / "secrets" / "demo_password"


def populate(study: Study, centers: list[Center], *, suffix: str, by: User) -> None:
    """One person for each role that has a page: center roles at every center, study roles once; `suffix` tells studies apart."""
    since = study.accrual_from
    for center, word in zip(centers, CENTER_WORDS, strict=True):
        for role, (name, title) in CENTER_PEOPLE.items():
            user = person(f"{name}{center.code}{suffix}", f"{title}{word}", by=by)
            setup.add_member(study=study, user=user, role=role, center=center, by=by, since=since, delegated=True)
    for role, (name, title) in STUDY_PEOPLE.items():
        setup.add_member(study=study, user=person(f"{name}{suffix}", title, by=by), role=role, by=by, since=since)
    for name, title in ADJUDICATORS:
        setup.add_member(study=study, user=person(f"{name}{suffix}", title, by=by), role=Role.ADJUDICATOR, by=by, since=since)


def person(username: str, display_name: str, *, by: User) -> User:
    """The demonstration user of that name, made when there is none."""
    known = User.objects.filter(username=username).first()
    return known or people.create_user(username=username, display_name=display_name, password=password(), by=by, is_demo=True)
