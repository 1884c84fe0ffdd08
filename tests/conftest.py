from tests import flushing

pytest_plugins = ["tests.databases"]  # One PostgreSQL for the whole run.

flushing.install()
