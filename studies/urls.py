"""Addresses of the pages of this room; public ids are UUIDs."""

from django.urls import include, path

from studies import views

urlpatterns = [
    path("", views.home, name="home"),
    path("screening/", views.screening_log, name="screening-log"),
    path("screening/new/", views.screening_new, name="screening-new"),
    path("screening/<uuid:uuid>/", views.screening_page, name="screening"),
    path("screening/<uuid:uuid>/answers/", views.screening_answers, name="screening-answers"),
    path("screening/<uuid:uuid>/consent/", views.screening_consent, name="screening-consent"),
    path("screening/<uuid:uuid>/enroll/", views.screening_enroll, name="enroll"),
    path("screening/<uuid:uuid>/exclude/", views.screening_exclude, name="screening-exclude"),
    path("screening/<uuid:uuid>/reinstate/", views.screening_reinstate, name="screening-reinstate"),
    path("", include("studies.consecutive.urls")),
    path("participants/", views.participant_list, name="participants"),
    path("", include("studies.entries.urls")),
    path("", include("studies.quality.urls")),
    path("search/", views.search, name="search"),
    path("understand-date/", views.understand_date, name="understand-date"),
    path("", include("studies.governance.urls")),
    path("", include("studies.laboratory.urls")),
    path("", include("studies.exchange.urls")),
    path("", include("studies.locking.urls")),
    path("", include("studies.trail.urls")),
]
