"""What a provider's shop did: summed up behind the calls, shown on its dashboard."""
