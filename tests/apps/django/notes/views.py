import os

from django.contrib import messages
from django.forms import ModelForm
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt

from notes import connections
from notes.models import Note


class NoteForm(ModelForm):
    class Meta:
        model = Note
        fields = ["title", "body"]


def index(request):
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("-id")})


def new(request):
    form = NoteForm(request.POST or None)
    if form.is_valid():
        note = form.save()
        messages.success(request, "Note saved.")
        request.session["written"] = request.session.get("written", 0) + 1
        return redirect(f"/notes/{note.pk}")
    return render(request, "notes/new.html", {"form": form}, status=422 if request.method == "POST" else 200)


def show(request, pk):
    return render(request, "notes/show.html", {"note": get_object_or_404(Note, pk=pk)})


def database(request):
    """Which process has opened the connection to the database that this one uses."""
    return JsonResponse({"pid": os.getpid(), "notes": Note.objects.count(), "opened_by": connections.OPENED_BY[-1]})


def stream(request):
    return StreamingHttpResponse((f"line {i}\n" for i in range(3)), content_type="text/plain")


def download(request):
    return FileResponse(open("public/robots.txt", "rb"), as_attachment=True)


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    return HttpResponse(f"{file.name}: {file.size} bytes")


def robots(request):
    """Always the same, so that ConditionalGetMiddleware can tell."""
    return HttpResponse("User-agent: *\n", content_type="text/plain")


def broken(request):
    raise RuntimeError("Django is broken")
