"""Addresses of the trail."""

from django.urls import path

from studies.trail import views

urlpatterns = [
    path("trail/", views.trail, name="trail"),
    path("trail/export/", views.export, name="trail-export"),
    path("trail/access-review/", views.review, name="access-review"),
    path("history/<uuid:uuid>/", views.record, name="history"),
    path("participants/<uuid:uuid>/history/", views.participant_trail, name="participant-trail"),
    path("participants/<uuid:uuid>/as-of/", views.participant_as_of, name="participant-as-of"),
    path("participants/<uuid:uuid>/access/", views.participant_access, name="participant-access"),
]
