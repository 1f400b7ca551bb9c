"""The addresses of this room: pages for people, pictures for the pages, `/edge/v1/` for the gateways."""

from django.urls import path

from imaging import draft_views, gateway_api, measuring_views, proposal_views, region_views, views

urlpatterns = [
    path("series/<uuid:uuid>/", views.series, name="series"),
    path("series/<uuid:uuid>/phase/", views.series_phase, name="series-phase"),
    path("series/<uuid:uuid>/split/", views.series_split, name="series-split"),
    path("series/<uuid:uuid>/outline/", region_views.upload, name="roi-upload"),
    path("series/<uuid:uuid>/outline/state/", region_views.state, name="roi-state"),
    path("series/<uuid:uuid>/draft/", draft_views.ask, name="draft-ask"),
    path("series/<uuid:uuid>/draft/state/", draft_views.state, name="draft-state"),
    path("drafts/<uuid:uuid>/take/", draft_views.take, name="draft-take"),
    path("drafts/<uuid:uuid>/drop/", draft_views.drop, name="draft-drop"),
    path("drafts/<uuid:uuid>.nii.gz", draft_views.mask, name="draft-mask"),
    path("outlines/<uuid:uuid>/take-back/", region_views.void, name="roi-void"),
    path("outlines/<uuid:uuid>/measure/", region_views.measure, name="roi-measure"),
    path("proposed-outlines/<uuid:uuid>/assign/", proposal_views.assign, name="outline-assign"),
    path("proposed-outlines/<uuid:uuid>/decline/", proposal_views.decline, name="outline-decline"),
    path("outlines/<uuid:uuid>.dcm", region_views.outline_dicom, name="roi-dicom"),
    path("features/<uuid:uuid>.csv", region_views.features_csv, name="features-csv"),
    path("participants/<uuid:uuid>/viewer/", views.viewer, name="viewer"),
    path("measurements/", measuring_views.measurements, name="measurements"),
    path("measurements/list.json", measuring_views.feature_list_file, name="feature-list"),
    path("measurements/list/new/", measuring_views.feature_list_new, name="feature-list-new"),
    path("series/<uuid:uuid>/volume.nii", views.series_volume, name="series-volume"),
    path("outlines/<uuid:uuid>.nii", views.outline_volume, name="roi-volume"),
    path("slices/<uuid:uuid>.png", views.slice_image, name="slice"),
    path("edge/v1/packages/<str:digest>", gateway_api.package, name="edge-package"),
    path("edge/v1/packages/<str:digest>/receipt", gateway_api.receipt, name="edge-receipt"),
    path("edge/v1/heartbeat", gateway_api.heartbeat, name="edge-heartbeat"),
    path("edge/v1/screenings", gateway_api.screenings, name="edge-screenings"),
]
