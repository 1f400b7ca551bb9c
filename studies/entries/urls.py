"""Addresses of the forms."""

from django.urls import path

from studies.entries import version_views, views

urlpatterns = [
    path("dictionary/", version_views.dictionary_page, name="dictionary"),
    path("participants/<uuid:uuid>/forms/", views.form_list, name="forms"),
    path("participants/<uuid:uuid>/forms/<slug:form>/", views.form_page, name="form"),
    path("participants/<uuid:uuid>/forms/<slug:form>/draft/", views.form_draft, name="form-draft"),
]
