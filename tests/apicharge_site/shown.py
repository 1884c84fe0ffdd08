"""`python -m tests.apicharge_site.shown NAME…`: these settings, as the environment has them."""

import sys

from django.conf import settings

sys.stdout.write(str([getattr(settings, name) for name in sys.argv[1:]]))
