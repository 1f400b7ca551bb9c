"""Addresses of queries, edit checks, verification and what is counted from them."""

from django.urls import path

from studies.quality import check_views, handover_views, query_views, verification_views

urlpatterns = [
    path("checks/", check_views.checks, name="checks"),
    path("checks/run/", check_views.checks_run, name="checks-run"),
    path("checks/progress/", check_views.checks_progress, name="checks-progress"),
    path("queries/", query_views.query_list, name="queries"),
    path("queries/close/", query_views.queries_close, name="queries-close"),
    path("queries/raise/", query_views.queries_raise, name="queries-raise"),
    path("queries/<uuid:uuid>/", query_views.query_page, name="query"),
    path("queries/<uuid:uuid>/answer/", query_views.query_move, {"move": "answer"}, name="query-answer"),
    path("queries/<uuid:uuid>/close/", query_views.query_move, {"move": "close"}, name="query-close"),
    path("queries/<uuid:uuid>/reopen/", query_views.query_move, {"move": "reopen"}, name="query-reopen"),
    path("participants/<uuid:uuid>/queries/new/", query_views.query_new, name="query-new"),
    path("verification/", verification_views.verification_list, name="verification-due"),
    path("verification/<uuid:uuid>/take-back/", verification_views.verification_back, name="verification-back"),
    path("participants/<uuid:uuid>/verification/", verification_views.verification_page, name="verification"),
    path("participants/<uuid:uuid>/sources/new/", verification_views.source_new, name="source-new"),
    path("sources/<uuid:uuid>/", verification_views.source_image, name="source-image"),
    path("sources/<uuid:uuid>/remove/", verification_views.source_remove, name="source-remove"),
    path("handovers/", handover_views.handovers, name="handovers"),
    path("handovers/<uuid:uuid>/end/", handover_views.handover_end, name="handover-end"),
]
