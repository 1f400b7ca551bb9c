"""Signing in and out, and the languages and looks of the pages."""

import re
from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.views.defaults import server_error

from accounts import guessing, people
from accounts.models import AccessRecord, User
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import World

PASSWORD = "correct horse battery"


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str) -> object:
    return client.post(reverse("sign-in"), {"username": username, "password": password, **more})


def test_wrong_name_and_wrong_password_answer_alike(world: World) -> None:
    """Nobody can list the users at the door: same status, same page but for what was typed."""
    names = [world.coordinator.username, "x" * len(world.coordinator.username)]
    known, unknown = (sign_in(Client(), name, "wrong") for name in names)
    plain = [
        re.sub(r'value="[^"]{64}"', "", answer.content.decode().replace(name, ""))
        for answer, name in zip((known, unknown), names, strict=True)
    ]
    assert known.status_code == unknown.status_code == 400  # type: ignore[attr-defined]
    assert plain[0] == plain[1]
    assert AccessRecord.objects.filter(kind="sign_in_failed", username="").count() == 2


def test_guessing_is_slowed_down_for_every_name_alike(world: World) -> None:
    """SE-02: after five failures a name waits, longer each time, known or not; a right password is not looked at meanwhile."""
    name = world.coordinator.username
    for _attempt in range(5):
        assert sign_in(Client(), name, "wrong").status_code == 400  # type: ignore[attr-defined]
    for _attempt in range(9):
        guessing.failed(name)
        guessing.failed("nobody of that name")
    answer = sign_in(Client(), name)
    assert answer.status_code == 429  # type: ignore[attr-defined]
    assert "sessionid" not in answer.cookies  # type: ignore[attr-defined]
    assert sign_in(Client(), "nobody of that name").status_code == 429  # type: ignore[attr-defined]
    assert guessing.wait(name, at=timezone.now() + timedelta(seconds=513)) == 0
    assert guessing.wait(world.people[Role.MONITOR].username) == 0
    assert not AccessRecord.objects.filter(subject__contains=name).exists()


def test_a_sign_in_forgets_the_failures_before_it(world: World) -> None:
    """SE-02: only failures in a row count."""
    name = world.coordinator.username
    for _attempt in range(4):
        sign_in(Client(), name, "wrong")
    sign_in(Client(), name)
    assert sign_in(Client(), name, "wrong").status_code == 400  # type: ignore[attr-defined]
    assert sign_in(Client(), name).status_code == 302  # type: ignore[attr-defined]


def test_sign_in_leads_to_the_page_asked_for_and_is_recorded(world: World) -> None:
    """AU-01: a sign-in is a row of the record."""
    client = Client()
    answer = sign_in(client, world.coordinator.username, next=reverse("participants"))
    assert answer["Location"] == reverse("participants")  # type: ignore[index]
    assert AccessRecord.objects.filter(kind="sign_in", username=world.coordinator.username).count() == 1


def test_sign_in_leads_nowhere_else(world: World) -> None:
    """An address of another site is not followed."""
    assert sign_in(Client(), world.coordinator.username, next="https://elsewhere.example/")["Location"] == "/"  # type: ignore[index]


def test_sign_out_takes_a_form(world: World) -> None:
    """A link or picture cannot sign anybody out."""
    client = Client()
    client.force_login(world.coordinator)
    assert client.get(reverse("sign-out")).status_code == 405
    assert client.post(reverse("sign-out")).status_code == 302
    assert client.get(reverse("worklist")).status_code == 302
    assert AccessRecord.objects.filter(kind="sign_out", username=world.coordinator.username).count() == 1


def test_language_is_kept_with_the_person(world: World) -> None:
    """Chosen once, found again in another browser."""
    client = Client()
    client.force_login(world.coordinator)
    assert "工作清单" in client.get(reverse("worklist")).content.decode()
    client.post(reverse("language"), {"language": "en", "next": reverse("worklist")})
    elsewhere = Client()
    elsewhere.force_login(User.objects.get(pk=world.coordinator.pk))
    assert "Worklist" in elsewhere.get(reverse("worklist")).content.decode()


def test_language_chosen_at_the_door_goes_in_with_the_person(world: World) -> None:
    """Who reads the sign-in page in English reads the next page in English."""
    client = Client()
    client.post(reverse("language"), {"language": "en", "next": reverse("sign-in")})
    assert "User name" in client.get(reverse("sign-in")).content.decode()
    sign_in(client, world.coordinator.username)
    assert "Worklist" in client.get(reverse("worklist")).content.decode()


def test_colours_are_the_readers_choice_and_written_by_the_server(world: World) -> None:
    """`data-theme` comes from a cookie; another value is not echoed."""
    client = Client()
    client.force_login(world.coordinator)
    client.post(reverse("look"), {"theme": "dark"})
    assert 'data-theme="dark"' in client.get(reverse("worklist")).content.decode()
    client.cookies["theme"] = '"><script>'
    assert 'data-theme="light"' in client.get(reverse("worklist")).content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_every_role_lands_on_a_page(world: World, role: Role) -> None:
    """Nobody signs in to an error."""
    client = Client()
    client.force_login(world.people[role])
    assert client.get(reverse("home"), follow=True).status_code == 200


def test_navigation_shows_what_a_role_may_open(world: World) -> None:
    """Every place in the navigation of every role opens, and its count is the length of its list."""
    for role, person in world.people.items():
        client = Client()
        client.force_login(person)
        page = client.get(reverse("home"), follow=True)
        for group in page.context["shell"]["nav"]:
            for entry in group.entries:
                opened = client.get(entry.url)
                assert opened.status_code == 200, (role, entry.url)
                if entry.count is not None:
                    assert opened.context["total"] == entry.count


def test_page_of_a_fault_needs_nothing(client: Client) -> None:
    """500 is drawn without database, session or catalogue, in both languages."""
    page = server_error(RequestFactory().get("/")).content.decode()
    assert "本次操作没有保存" in page
    assert "was not saved" in page
    assert "style=" not in page


def test_the_door_of_the_demonstration_names_its_people_by_kind(client: Client, db: None, settings: object) -> None:
    """One line for each kind of person, whatever center and study he is of; a real site names nobody."""
    for username, shown in (("anna01", "协调员甲"), ("berta02", "协调员乙"), ("carl", "监查员")):
        people.create_user(username=username, display_name=shown, password=PASSWORD, by=User.objects.system(), is_demo=True)
    settings.PRIME_DEMO = True  # type: ignore[attr-defined]
    lines = re.findall(r"<tr><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", client.get(reverse("sign-in")).content.decode())
    assert lines == [("协调员", "anna01 berta02"), ("监查员", "carl")]
    settings.PRIME_DEMO = False  # type: ignore[attr-defined]
    assert "anna01" not in client.get(reverse("sign-in")).content.decode()
