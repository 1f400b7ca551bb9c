"""The addresses of this room: pages for people, pictures for the pages, `/edge/v1/` for the gateways."""

from django.urls import path

from imaging import gateway_api, views

urlpatterns = [
    path("series/<uuid:uuid>/", views.series, name="series"),
    path("series/<uuid:uuid>/phase/", views.series_phase, name="series-phase"),
    path("slices/<uuid:uuid>.png", views.slice_image, name="slice"),
    path("edge/v1/packages/<str:digest>", gateway_api.package, name="edge-package"),
    path("edge/v1/packages/<str:digest>/receipt", gateway_api.receipt, name="edge-receipt"),
    path("edge/v1/heartbeat", gateway_api.heartbeat, name="edge-heartbeat"),
]
