"""Serves WSGI applications (PEP 3333) by the extension."""

from .request_handler import RequestHandler

__all__ = ["RequestHandler"]
