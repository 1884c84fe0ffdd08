"""The composition root: the gateway's raw callables and Django under one ASGI application."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apicharge_site.settings")
django_application = get_asgi_application()

application = ProtocolTypeRouter({"http": django_application})
