"""Addresses of the pages of this room."""

from django.urls import path

from predictions import views

urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/trainings/", views.trainings, name="model-trainings"),
    path("models/<uuid:uuid>/", views.model, name="model"),
    path("models/<uuid:uuid>/statement.json", views.statement, name="model-statement"),
]
