"""Addresses of the pages of this room."""

from django.urls import path

from analysis import cut_views, views

urlpatterns = [
    path("overview/", views.overview, name="overview"),
    path("cuts/", cut_views.cuts, name="cuts"),
    path("cuts/new/", cut_views.cut_new, name="cut-new"),
    path("result/", views.result, name="result"),
    path("result/patients.csv", views.result_file, {"name": "analysis_cut.csv"}, name="result-patients"),
    path("result/curves.csv", views.result_file, {"name": "curves.csv"}, name="result-curves"),
    path("result/balance.csv", views.result_file, {"name": "balance.csv"}, name="result-balance"),
    path("result/files.zip", views.result_archive, name="result-archive"),
    path("result/report.html", views.result_report, name="result-report"),
]
