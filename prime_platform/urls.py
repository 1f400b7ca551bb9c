"""Every address of the platform. Rooms bring their own; this page says where they stand."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

import imaging.api
import studies.api
from prime_platform import health, pages, worklist

router = SimpleRouter()
for prefix, viewset, basename in [*studies.api.API_ROUTES, *imaging.api.API_ROUTES]:
    router.register(prefix, viewset, basename)

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("api/v1/", include(router.urls)),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("accounts.urls")),
    path("", include("studies.urls")),
    path("worklist/", worklist.worklist_page, name="worklist"),
    path("", include("analysis.urls")),
    path("participants/<uuid:uuid>/", pages.participant, name="participant"),
    path("", include("imaging.urls")),
    path("", include("followup.urls")),
]

handler400 = "prime_platform.middleware.bad_request"
handler403 = "prime_platform.middleware.forbidden"
handler404 = "prime_platform.middleware.not_found"
