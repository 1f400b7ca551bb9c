"""Addresses of the doors; unprefixed, because every page links to them."""

from django.urls import path

from accounts import key_views, views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/code/", views.SignInCode.as_view(), name="sign-in-code"),
    path("second-factor/", views.set_up_second_factor, name="second-factor"),
    path("second-factor/keys/", key_views.add, name="key-add"),
    path("second-factor/keys/begin/", key_views.begin, name="key-begin"),
    path("second-factor/keys/challenge/", key_views.challenge, name="key-challenge"),
    path("second-factor/keys/<uuid:uuid>/remove/", key_views.remove, name="key-remove"),
    path("step-up/", views.step_up_page, name="step-up"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("language/", views.choose_language, name="language"),
    path("look/", views.choose_look, name="look"),
]
