import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

# Asks the database while it is loaded, as careless applications do: no worker may share this connection.
from notes.models import Note  # noqa: E402

print(f"there are {Note.objects.count()} notes")
