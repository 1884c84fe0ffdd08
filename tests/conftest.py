from tests import flushing

flushing.install()
