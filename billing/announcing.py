"""Tells live pages that a purchase has moved, where processes share a Channels layer.

A hint like those to workers: whoever follows a purchase also looks at its row by itself.
"""

import asyncio
import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from billing import conf

MOVED = "purchase.moved"
SECONDS_MAX = 5.0  # The layer's own connections wait without end.

logger = logging.getLogger(__name__)


def group(purchase_id: str) -> str:
    return f"purchase.{purchase_id}"


def moved(purchase_id: str) -> None:
    """Once the transaction that moved it is committed."""
    if conf.conf().announces:
        transaction.on_commit(lambda: _send(purchase_id))


def _send(purchase_id: str) -> None:
    try:
        async_to_sync(_announce)(purchase_id)
    except (RedisError, OSError):
        logger.warning("The channel layer does not answer; pages look at the row by themselves.")


async def _announce(purchase_id: str) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        await get_channel_layer().group_send(group(purchase_id), {"type": MOVED})
