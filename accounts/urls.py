"""Addresses of the doors; unprefixed, because every page links to them."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("language/", views.choose_language, name="language"),
    path("look/", views.choose_look, name="look"),
]
