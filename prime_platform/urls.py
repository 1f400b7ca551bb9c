"""Every address of the platform. Rooms bring their own; this page says where they stand."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

import imaging.api
import studies.api
import studies.entries.api
import studies.exchange.api
from prime_platform import blindness, completeness, exchange_api, exchange_views, health, pages, risk, worklist

router = SimpleRouter()
for room in (studies.api, studies.entries.api, studies.exchange.api, imaging.api):
    for prefix, viewset, basename in room.API_ROUTES:
        router.register(prefix, viewset, basename)

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/", include(router.urls)),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("accounts.urls")),
    path("", include("studies.urls")),
    path("risk/", risk.risk, name="risk"),
    path("completeness/", completeness.completeness, name="completeness"),
    path("api/v1/exports/", exchange_api.ExportView.as_view(), name="api-exports"),
    path("blindness/", blindness.blindness, name="blindness"),
    path("receipts/", blindness.receipts, name="receipts"),
    path("receipts/head.json", blindness.head, name="receipt-head"),
    path("exports/", exchange_views.exports, name="exports"),
    path("worklist/", worklist.worklist_page, name="worklist"),
    path("", include("analysis.urls")),
    path("", include("predictions.urls")),
    path("participants/<uuid:uuid>/", pages.participant, name="participant"),
    path("", include("imaging.urls")),
    path("", include("followup.urls")),
]

handler400 = "prime_platform.middleware.bad_request"
handler403 = "prime_platform.middleware.forbidden"
handler404 = "prime_platform.middleware.not_found"
