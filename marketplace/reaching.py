"""How a service's upstreams are called: the part of a service that only its provider sees.

What only the gate may know (`tls_key`, `credential_value`) is written by a form and never read back
into one.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from gateway.domain import clusters, transforms

TIMEOUT_MS_MAX = 3_600_000
PEM_LENGTH_MAX = 20_000
WAIT = [MinValueValidator(1), MaxValueValidator(TIMEOUT_MS_MAX)]
PROBE_MS = [MinValueValidator(1_000), MaxValueValidator(TIMEOUT_MS_MAX)]
PROBES = [MinValueValidator(1), MaxValueValidator(clusters.PROBES_MAX)]
WEIGHT = [MinValueValidator(1), MaxValueValidator(clusters.WEIGHT_MAX)]


def _lines(label: str, help_text: str) -> "models.TextField[str, str]":
    return models.TextField(label, blank=True, max_length=20_000, help_text=help_text)


class Reached(models.Model):
    class Balancing(models.TextChoices):
        ROUND_ROBIN = "round_robin", "Each in its turn"
        WEIGHTED = "weighted", "By weight"
        LEAST_REQUESTS = "least_requests", "Where the least runs, by weight"

    class CredentialIn(models.TextChoices):
        NOWHERE = "", "Nowhere"
        HEADER = "header", "A header"
        QUERY = "query", "A query parameter"

    balancing = models.CharField(
        "calls go to", max_length=14, choices=Balancing, default=Balancing.ROUND_ROBIN
    )
    health_path = models.CharField(
        "ask for health at",
        max_length=200,
        blank=True,
        help_text="A path of every upstream, such as /health. Empty: nobody asks.",
    )
    health_interval_ms = models.PositiveIntegerField(
        "every (ms)", default=2_000, validators=PROBE_MS
    )
    health_timeout_ms = models.PositiveIntegerField(
        "waiting for (ms)", default=1_000, validators=WAIT
    )
    unhealthy_after = models.PositiveSmallIntegerField(
        "out after", default=3, validators=PROBES, help_text="Failed checks in a row."
    )
    healthy_after = models.PositiveSmallIntegerField(
        "back after", default=2, validators=PROBES, help_text="Good checks in a row."
    )
    tls_ca = models.TextField(
        "trusted authorities",
        blank=True,
        max_length=PEM_LENGTH_MAX,
        help_text="PEM. Trusted for your upstreams, beside the public ones.",
    )
    tls_certificate = models.TextField(
        "certificate that the gate shows",
        blank=True,
        max_length=PEM_LENGTH_MAX,
        help_text="PEM, with its chain. Empty: the gate shows none, and forgets the key.",
    )
    tls_key = models.TextField(blank=True, editable=False)
    credential_in = models.CharField(
        "your key goes into",
        max_length=6,
        blank=True,
        choices=CredentialIn,
        help_text="In place of what a caller sends under that name.",
    )
    credential_name = models.CharField(
        "named", max_length=100, blank=True, help_text="Such as Authorization, or api_key."
    )
    credential_value = models.CharField(
        max_length=transforms.VALUE_LENGTH_MAX, blank=True, editable=False
    )
    strip_prefix = models.CharField(
        "take from the path",
        max_length=200,
        blank=True,
        help_text="Where it begins with this, such as /public.",
    )
    add_prefix = models.CharField(
        "put before the path", max_length=200, blank=True, help_text="Such as /v2."
    )
    keeps_host = models.BooleanField(
        "keep the Host that was called",
        default=False,
        help_text="On the service's own host name. Else your API sees its upstream's host.",
    )
    upstream_host = models.CharField(
        "or call it",
        max_length=253,
        blank=True,
        help_text="Such as api.internal.",
    )
    request_set = _lines(
        "request headers to set", "A line each, Name: value. Everybody who edits this sees them."
    )
    request_remove = _lines("request headers to remove", "A name on each line.")
    response_set = _lines("answer's headers to set", "A line each, Name: value.")
    response_remove = _lines("answer's headers to remove", "A name on each line.")
    trailers = models.BooleanField(
        "answers have trailers",
        default=False,
        help_text="Over HTTP/1.1, after a chunked body. Upstreams by h2, h2c and grpc may always.",
    )

    class Meta:
        abstract = True
