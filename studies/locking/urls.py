"""Addresses of signing and locking; `<uuid>` is a participant or one of his records."""

from django.urls import path

from studies.locking import views

urlpatterns = [
    path("signatures/", views.sign_list, name="sign-list"),
    path("signatures/center/<uuid:uuid>/", views.sign_center, name="sign-center"),
    path("signatures/<uuid:uuid>/", views.sign, name="sign"),
    path("locks/", views.lock_list, name="locks"),
    path("locks/study/", views.lock_study, name="study-lock"),
    path("locks/center/<uuid:uuid>/", views.lock_center, name="center-lock"),
    path("locks/<uuid:uuid>/", views.lock_subject, name="lock"),
    path("unlock-requests/<uuid:uuid>/", views.unlock, name="unlock"),
]
