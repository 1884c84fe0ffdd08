"""How often a client network may ask for what costs us a call elsewhere, or guess at a password.

Counted per window in the cache: by all processes together where that is Redis, by each for itself
where it is memory. Attempts count, not successes: what is refused has cost as much. A courtesy
limit, so it fails open; money is guarded by rows.
"""

import logging

from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted

logger = logging.getLogger(__name__)


def allows(act: str, client_network: str, *, limit: int, window_s: int, now_s: float) -> bool:
    """Count one more attempt; False when it is beyond `limit` in this window."""
    key = f"throttle:{act}:{client_network}:{int(now_s) // window_s}"
    try:
        cache.add(key, 0, timeout=2 * window_s)
        return int(cache.incr(key)) <= limit
    except ValueError:  # Evicted in between.
        return True
    except ConnectionInterrupted:
        logger.warning("The cache does not answer: attempts are not counted.")
        return True
