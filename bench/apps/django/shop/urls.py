"""One page, and the admin site for what it makes a real project load."""

from django.contrib import admin
from django.urls import path

from shop.views import catalogue

urlpatterns = [
    path("", catalogue),
    path("admin/", admin.site.urls),
]
