from django.urls import path

from notes import views

urlpatterns = [
    path("", views.index),
    path("notes/new", views.new),
    path("notes/<int:pk>", views.show),
    path("database", views.database),
    path("stream", views.stream),
    path("download", views.download),
    path("upload", views.upload),
    path("robots", views.robots),
    path("broken", views.broken),
]
