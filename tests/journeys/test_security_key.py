"""A security key in a real browser: added, asked at the door, and asked for a signature (SE-02). Chromium lends the key."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse

from accounts import people, second_factor, security_keys
from studies.models import Signature
from studies.vocabulary import Role
from tests.journeys import scene as scenes
from tests.studies import world as worlds

pytestmark = pytest.mark.django_db(transaction=True)
KEY = {"options": {"protocol": "ctap2", "transport": "usb", "automaticPresenceSimulation": True}}


@pytest.fixture
def pi(scene, settings, live_server, tmp_path):
    """The center's principal investigator with a device, at a platform that is opened by a name."""
    settings.VAR, settings.PRIME_PUBLIC_URL = tmp_path, live_server.url
    made = people.create_user(username="chen", display_name="主要研究者", password=scenes.PASSWORD, by=scene.world.system)
    worlds.join(scene.world.study, made, Role.SITE_PI, scene.world.own, scene.world.system)
    secret = second_factor.begin(made)
    made.paper = second_factor.confirm(made, second_factor.totp.code(secret, second_factor.totp.step_at(second_factor.time.time())))
    return made


def plug_in(page):
    """A key in the socket of this page's computer, that somebody touches whenever it blinks."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    return session, session.send("WebAuthn.addVirtualAuthenticator", KEY)


def with_key(visit, pi):
    """The page on which the person, let in by a code on paper, has just added the key; its socket, and the key."""
    page = visit("chen")
    session, authenticator = plug_in(page)
    page.fill("#id_code", pi.paper[0])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.goto("/second-factor/")
    page.fill("#id_key_name", "蓝色密钥")
    page.keyboard.press("Enter")
    page.wait_for_selector("td:has-text('蓝色密钥')")
    return page, session, authenticator


def give_password(page):
    """At the door again, as a stranger's browser, up to the second question."""
    page.context.clear_cookies()
    page.goto("/sign-in/")
    page.fill("#id_username", "chen")
    page.fill("#id_password", scenes.PASSWORD)
    page.click("main button.pri")


def serious(page):
    return [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in ("serious", "critical")]


def test_key_is_added_opens_the_door_and_signs(visit, scene, pi, tmp_path):
    page, session, authenticator = with_key(visit, pi)
    assert serious(page) == []
    page.screenshot(path=tmp_path / "keys-zh.png", full_page=True)
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.screenshot(path=tmp_path / "keys-zh-400.png", full_page=True)

    give_password(page)
    page.wait_for_selector("[data-key-use]")
    assert serious(page) == []
    page.screenshot(path=tmp_path / "door-zh-400.png", full_page=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button beside the field
    page.wait_for_url(lambda url: "/sign-in/" not in url)

    page.goto(reverse("sign", args=[scene.people["sealed"].uuid]))
    page.fill("#id_password", scenes.PASSWORD)
    page.click("[data-key-use]")
    page.wait_for_selector("#id_code[readonly]")
    page.screenshot(path=tmp_path / "sign-zh-400.png", full_page=True)
    page.click("#sign-form button.pri")
    page.wait_for_load_state()
    assert Signature.objects.get().signed_by == pi
    assert security_keys.of(pi).get().counter >= 2
    session.send("WebAuthn.removeVirtualAuthenticator", authenticator)


def test_key_that_is_not_there_leaves_the_code(visit, scene, pi):
    """Without the key the page says what to do; a code on paper opens the door."""
    page, session, authenticator = with_key(visit, pi)
    session.send("WebAuthn.removeVirtualAuthenticator", authenticator)
    session.send("WebAuthn.addVirtualAuthenticator", KEY)
    give_password(page)
    page.click("[data-key-use]")
    page.wait_for_selector("[data-key-told]:has-text('密钥未应答')")
    page.fill("#id_code", pi.paper[1])
    page.click("main button.pri")
    page.wait_for_url(lambda url: "/sign-in/" not in url)
