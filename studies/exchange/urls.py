"""Addresses of import and codebook."""

from django.urls import path

from studies.exchange import codebook_views, views

urlpatterns = [
    path("imports/", views.imports, name="imports"),
    path("imports/<uuid:uuid>/", views.import_page, name="import"),
    path("imports/<uuid:uuid>/execute/", views.import_execute, name="import-execute"),
    path("imports/<uuid:uuid>/drop/", views.import_drop, name="import-drop"),
    path("imports/<uuid:uuid>/undo/", views.import_undo, name="import-undo"),
    path("imports/<uuid:uuid>/refused/", views.import_refused, name="import-refused"),
    path("imports/<uuid:uuid>/undo-file/", views.import_undo_file, name="import-undo-file"),
    path("codebook/", codebook_views.codebook_page, name="codebook"),
]
