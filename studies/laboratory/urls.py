"""Addresses of the pages of laboratory values."""

from django.urls import path

from studies.laboratory import paste_views, range_views

urlpatterns = [
    path("participants/<uuid:uuid>/laboratory/paste/", paste_views.paste, name="lab-paste"),
    path("reference-ranges/", range_views.range_list, name="ranges"),
    path("reference-ranges/new/", range_views.range_new, name="range-new"),
    path("reference-ranges/<uuid:uuid>/", range_views.range_page, name="range"),
    path("reference-ranges/<uuid:uuid>/end/", range_views.range_end, name="range-end"),
    path("reference-ranges/<uuid:uuid>/correct/", range_views.range_correct, name="range-correct"),
]
