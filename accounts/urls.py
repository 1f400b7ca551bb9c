"""Addresses of the doors; unprefixed, because every page links to them."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/code/", views.SignInCode.as_view(), name="sign-in-code"),
    path("second-factor/", views.set_up_second_factor, name="second-factor"),
    path("step-up/", views.step_up_page, name="step-up"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("language/", views.choose_language, name="language"),
    path("look/", views.choose_look, name="look"),
]
