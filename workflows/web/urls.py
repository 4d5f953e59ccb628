"""The rooms of the web site and their addresses."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path

from workflows.web.rooms import (
    action,
    breaches,
    comparing,
    health,
    home,
    hooks,
    performing,
    preferences,
    register,
    review,
    rules,
    targets,
)

urlpatterns = [
    path("", home.show, name="home"),
    path("register/", register.show, name="register"),
    path("rules/", rules.index, name="rules"),
    path("rules/<str:rule_id>/", rules.show, name="rule"),
    path("targets/", targets.show, name="targets"),
    path("breaches/", breaches.show, name="breaches"),
    path("suppliers/", comparing.suppliers, name="suppliers"),
    path("countries/", comparing.countries, name="countries"),
    path("register.csv", register.export, name="register-csv"),
    path("actions/<str:code>/", action.show, name="action"),
    path("actions/<str:code>/<slug:deed>/", performing.perform, name="deed"),
    path("reviews/<str:code>/", review.show, name="review"),
    path("reviews/<str:code>.json", review.document, name="review-json"),
    path("preferences/", preferences.save, name="preferences"),
    path("login/", LoginView.as_view(template_name="web/login.html", redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    re_path(r"^hooks/(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,63})/?$", hooks.receive, name="hook"),
    path("healthz", health.alive, name="healthz"),
]
