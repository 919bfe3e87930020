"""Django as `django-admin startproject` sets it up, in production, with a view that renders a template."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"

application = get_wsgi_application()
