"""Addresses of the pages of how a study is conducted at its centers."""

from django.urls import path

from studies.governance import center_views, consent_views, deviation_views, views, withdrawal_views

urlpatterns = [
    path("centers/", center_views.centers, name="centers"),
    path("centers/<uuid:uuid>/", center_views.center, name="center"),
    path("centers/<uuid:uuid>/document/", center_views.paper, name="gate-document"),
    path("gate-documents/<uuid:uuid>/", center_views.gate_file, name="gate-file"),
    path("centers/<uuid:uuid>/ethics/", center_views.approval, name="ethics-approval"),
    path("centers/<uuid:uuid>/consent-version/", center_views.version, name="consent-version"),
    path("centers/<uuid:uuid>/open/", center_views.opening, name="center-open"),
    path("ethics/<uuid:uuid>/end/", center_views.end_approval, name="ethics-end"),
    path("consent-versions/<uuid:uuid>/end/", center_views.retire_version, name="consent-version-end"),
    path("centers/<uuid:uuid>/delegation/", views.log, name="delegation-log"),
    path("centers/<uuid:uuid>/delegation/new/", views.delegate, name="delegate"),
    path("centers/<uuid:uuid>/training/new/", views.training, name="training-record"),
    path("delegations/<uuid:uuid>/end/", views.end, name="delegation-end"),
    path("consent/", consent_views.waiting, name="reconsent"),
    path("participants/<uuid:uuid>/consent/", consent_views.history, name="consent-history"),
    path("participants/<uuid:uuid>/withdrawal/", withdrawal_views.withdraw, name="withdrawal"),
    path("participants/<uuid:uuid>/erasure/", withdrawal_views.ask, name="erasure-request"),
    path("erasures/<uuid:uuid>/decide/", withdrawal_views.decide, name="erasure-decide"),
    path("glossary/", views.words, name="glossary"),
    path("deviations/", deviation_views.listed, name="deviations"),
    path("deviations/new/", deviation_views.new, name="deviation-new"),
    path("deviations/<uuid:uuid>/", deviation_views.deviation, name="deviation"),
    path("deviations/<uuid:uuid>/assess/", deviation_views.assess, name="deviation-assess"),
    path("deviations/<uuid:uuid>/close/", deviation_views.close, name="deviation-close"),
    path("deviations/<uuid:uuid>/reopen/", deviation_views.reopen, name="deviation-reopen"),
    path("erasures/", withdrawal_views.waiting, name="erasures"),
]
