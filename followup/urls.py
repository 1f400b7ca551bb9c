"""Addresses of the pages of this room; public ids are UUIDs."""

from django.urls import path

from followup import calls, committee_views, payable, response_views, views, vital

urlpatterns = [
    path("payable-visits/", payable.payable_visits, name="payable-visits"),
    path("payable-visits.csv", payable.payable_csv, name="payable-csv"),
    path("visits/", views.visits, name="visits"),
    path("visits.ics", calls.calendar, name="visits-calendar"),
    path("calls/", calls.calls, name="calls"),
    path("participants/<uuid:uuid>/call/", calls.call, name="call"),
    path("vital-status/", vital.vital, name="vital"),
    path("participants/<uuid:uuid>/vital-status/", vital.looked_up, name="vital-looked-up"),
    path("cases/", committee_views.cases, name="cases"),
    path("cases/<uuid:uuid>/", committee_views.case, name="case"),
    path("cases/<uuid:uuid>/pictures/<uuid:picture>.png", committee_views.case_picture, name="case-picture"),
    path("adjudication/", committee_views.adjudication, name="adjudication"),
    path("adjudication/open/", committee_views.cases_open, name="cases-open"),
    path("responses/", response_views.responses, name="responses"),
    path("responses/<uuid:uuid>/", response_views.response, name="response"),
    path("responses/<uuid:uuid>/pictures/<uuid:picture>.png", response_views.response_picture, name="response-picture"),
    path("response-agreement/", response_views.response_agreement, name="response-agreement"),
    path("participants/<uuid:uuid>/response/new/", response_views.response_ask, name="response-ask"),
    path("followup/response/<uuid:uuid>/void/", response_views.response_void, name="response-void"),
    path("treatment/", views.treatments, name="treatment"),
    path("understand-partial-date/", views.understand_partial_date, name="understand-partial-date"),
    path("participants/<uuid:uuid>/treatment/new/", views.new, {"kind": "course"}, name="course-new"),
    path("participants/<uuid:uuid>/treatment/complete/", views.close_window, name="window-close"),
    path("participants/<uuid:uuid>/no-adjuvant/", views.new, {"kind": "declaration"}, name="declaration-new"),
    path("participants/<uuid:uuid>/assessment/new/", views.new, {"kind": "assessment"}, name="assessment-new"),
    path("participants/<uuid:uuid>/recurrence/new/", views.new, {"kind": "recurrence"}, name="recurrence-new"),
    path("participants/<uuid:uuid>/death/new/", views.new, {"kind": "death"}, name="death-new"),
    path("participants/<uuid:uuid>/contact/new/", views.new, {"kind": "contact"}, name="contact-new"),
    path("followup/course/<uuid:uuid>/void/", views.void, {"kind": "course"}, name="course-void"),
    path("followup/declaration/<uuid:uuid>/void/", views.void, {"kind": "declaration"}, name="declaration-void"),
    path("followup/assessment/<uuid:uuid>/void/", views.void, {"kind": "assessment"}, name="assessment-void"),
    path("followup/recurrence/<uuid:uuid>/void/", views.void, {"kind": "recurrence"}, name="recurrence-void"),
    path("followup/death/<uuid:uuid>/void/", views.void, {"kind": "death"}, name="death-void"),
    path("followup/contact/<uuid:uuid>/void/", views.void, {"kind": "contact"}, name="contact-void"),
]
