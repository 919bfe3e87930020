"""Notes which process opens connections to the database."""

import os

from django.db.backends.signals import connection_created

OPENED_BY = []


def note(**_):
    OPENED_BY.append(os.getpid())


connection_created.connect(note)
