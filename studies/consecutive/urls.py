"""Addresses of the consecutiveness report, the flow of patients and the single keys of the log."""

from django.urls import path

from studies.consecutive import flow_views, log_keys, views

urlpatterns = [
    path("consecutiveness/", views.consecutiveness, name="consecutiveness"),
    path("consecutiveness/surgeries/", views.surgeries_report, name="surgeries-report"),
    path("flow/", flow_views.flow_page, name="flow"),
    path("screening/close/", log_keys.exclude, name="screening-close"),
]
