import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, unique=True)),
                (
                    "slug",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*\\Z",
                                "Use lower-case letters, digits and single hyphens between them, such as my-service.",
                            )
                        ],
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "categories",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Route",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        max_length=63,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*\\Z",
                                "Use lower-case letters, digits and single hyphens between them, such as my-service.",
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "path",
                    models.CharField(
                        default="/",
                        help_text="Everything at and below it, such as /v1/forecast. / is the whole service.",
                        max_length=200,
                    ),
                ),
                ("methods", models.JSONField(blank=True, default=list)),
                (
                    "description",
                    models.CharField(blank=True, help_text="One line.", max_length=200),
                ),
                (
                    "connect_ms",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                        verbose_name="until the connection stands",
                    ),
                ),
                (
                    "first_byte_ms",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                        verbose_name="until the answer begins",
                    ),
                ),
                (
                    "idle_ms",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                        verbose_name="longest silence within an answer",
                    ),
                ),
                ("removed_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "ordering": ["service", "path", "pk"],
            },
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "slug",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*\\Z",
                                "Use lower-case letters, digits and single hyphens between them, such as my-service.",
                            )
                        ],
                    ),
                ),
                (
                    "payout_address",
                    models.CharField(
                        help_text="Stellar account (G…) that buyers pay to. It needs a trustline for each asset.",
                        max_length=56,
                    ),
                ),
                ("about", models.TextField(blank=True, help_text="Markdown.", max_length=2000)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.OneToOneField(
                        help_text="The login that edits these services. It needs the staff status, nothing else.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="provider",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="RouteQuote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(help_text="Such as Day pass.", max_length=80)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("amount", models.PositiveBigIntegerField(verbose_name="price in base units")),
                ("asset", models.CharField(max_length=12)),
                (
                    "access_seconds",
                    models.PositiveBigIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(316224000),
                        ]
                    ),
                ),
                (
                    "starts",
                    models.CharField(
                        choices=[
                            ("purchase", "at the purchase"),
                            ("first_use", "at the first call"),
                        ],
                        default="purchase",
                        max_length=9,
                        verbose_name="access starts",
                    ),
                ),
                (
                    "charge",
                    models.CharField(
                        choices=[
                            (
                                "success",
                                "only calls that the upstream answered without an error of its own",
                            ),
                            ("always", "every call that reached the upstream"),
                        ],
                        default="success",
                        max_length=7,
                        verbose_name="limits count",
                    ),
                ),
                (
                    "adjustable",
                    models.BooleanField(
                        default=False,
                        help_text="Lets the upstream lower what is left of a grant, beyond the cost of a call.",
                        verbose_name="the upstream may take credits",
                    ),
                ),
                ("meter", models.JSONField(blank=True, editable=False, null=True)),
                ("limits", models.JSONField(blank=True, default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("published", "Published"),
                            ("retired", "Retired"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=9,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("published_at", models.DateTimeField(editable=False, null=True)),
                ("retired_at", models.DateTimeField(editable=False, null=True)),
                (
                    "route",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="marketplace.route",
                    ),
                ),
            ],
            options={
                "verbose_name": "price",
                "ordering": ["route", "amount", "name", "-version"],
            },
        ),
        migrations.CreateModel(
            name="Quote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slot", models.PositiveBigIntegerField()),
                ("payee", models.CharField(max_length=56)),
                ("contract", models.CharField(max_length=56)),
                ("signer", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.PositiveBigIntegerField(db_index=True)),
                ("body", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "route_quote",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signed",
                        to="marketplace.routequote",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "slug",
                    models.CharField(
                        help_text="Part of every address of the service. It cannot change while grants run.",
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*\\Z",
                                "Use lower-case letters, digits and single hyphens between them, such as my-service.",
                            )
                        ],
                    ),
                ),
                (
                    "tagline",
                    models.CharField(help_text="One line, shown on the card.", max_length=140),
                ),
                (
                    "description",
                    models.TextField(blank=True, help_text="Markdown.", max_length=20000),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft: nobody sees it"),
                            ("published", "Published: in the catalogue, on sale"),
                            ("withdrawn", "Withdrawn: no more sales, running grants go on"),
                        ],
                        default="draft",
                        max_length=9,
                    ),
                ),
                (
                    "host",
                    models.CharField(
                        blank=True,
                        help_text="Of its own.",
                        max_length=253,
                        null=True,
                        unique=True,
                        verbose_name="host name",
                    ),
                ),
                ("root_path", models.CharField(blank=True, max_length=200, null=True, unique=True)),
                ("secret", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "connect_ms",
                    models.PositiveIntegerField(
                        default=5000,
                        help_text="Until the connection stands.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                    ),
                ),
                (
                    "first_byte_ms",
                    models.PositiveIntegerField(
                        default=100000,
                        help_text="Until the answer begins.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                    ),
                ),
                (
                    "idle_ms",
                    models.PositiveIntegerField(
                        default=300000,
                        help_text="Longest silence within an answer.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                    ),
                ),
                (
                    "balancing",
                    models.CharField(
                        choices=[
                            ("round_robin", "Each in its turn"),
                            ("weighted", "By weight"),
                            ("least_requests", "Where the least runs, by weight"),
                        ],
                        default="round_robin",
                        max_length=14,
                        verbose_name="calls go to",
                    ),
                ),
                (
                    "health_interval_ms",
                    models.PositiveIntegerField(
                        default=2000,
                        validators=[
                            django.core.validators.MinValueValidator(1000),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                        verbose_name="every (ms)",
                    ),
                ),
                (
                    "health_path",
                    models.CharField(
                        blank=True,
                        help_text="A path of every upstream, such as /health. Empty: nobody asks.",
                        max_length=200,
                        verbose_name="ask for health at",
                    ),
                ),
                (
                    "health_timeout_ms",
                    models.PositiveIntegerField(
                        default=1000,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600000),
                        ],
                        verbose_name="waiting for (ms)",
                    ),
                ),
                (
                    "healthy_after",
                    models.PositiveSmallIntegerField(
                        default=2,
                        help_text="Good checks in a row.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="back after",
                    ),
                ),
                (
                    "unhealthy_after",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="Failed checks in a row.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                        verbose_name="out after",
                    ),
                ),
                (
                    "tls_ca",
                    models.TextField(
                        blank=True,
                        help_text="PEM. Trusted for your upstreams, beside the public ones.",
                        max_length=20000,
                        verbose_name="trusted authorities",
                    ),
                ),
                (
                    "tls_certificate",
                    models.TextField(
                        blank=True,
                        help_text="PEM, with its chain. Empty: the gate shows none, and forgets the key.",
                        max_length=20000,
                        verbose_name="certificate that the gate shows",
                    ),
                ),
                ("tls_key", models.TextField(blank=True, editable=False)),
                (
                    "add_prefix",
                    models.CharField(
                        blank=True,
                        help_text="Such as /v2.",
                        max_length=200,
                        verbose_name="put before the path",
                    ),
                ),
                (
                    "credential_in",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Nowhere"),
                            ("header", "A header"),
                            ("query", "A query parameter"),
                        ],
                        help_text="In place of what a caller sends under that name.",
                        max_length=6,
                        verbose_name="your key goes into",
                    ),
                ),
                (
                    "credential_name",
                    models.CharField(
                        blank=True,
                        help_text="Such as Authorization, or api_key.",
                        max_length=100,
                        verbose_name="named",
                    ),
                ),
                ("credential_value", models.CharField(blank=True, editable=False, max_length=2000)),
                (
                    "keeps_host",
                    models.BooleanField(
                        default=False,
                        help_text="On the service's own host name. Else your API sees its upstream's host.",
                        verbose_name="keep the Host that was called",
                    ),
                ),
                (
                    "request_remove",
                    models.TextField(
                        blank=True,
                        help_text="A name on each line.",
                        max_length=20000,
                        verbose_name="request headers to remove",
                    ),
                ),
                (
                    "request_set",
                    models.TextField(
                        blank=True,
                        help_text="A line each, Name: value. Everybody who edits this sees them.",
                        max_length=20000,
                        verbose_name="request headers to set",
                    ),
                ),
                (
                    "response_remove",
                    models.TextField(
                        blank=True,
                        help_text="A name on each line.",
                        max_length=20000,
                        verbose_name="answer's headers to remove",
                    ),
                ),
                (
                    "response_set",
                    models.TextField(
                        blank=True,
                        help_text="A line each, Name: value.",
                        max_length=20000,
                        verbose_name="answer's headers to set",
                    ),
                ),
                (
                    "strip_prefix",
                    models.CharField(
                        blank=True,
                        help_text="Where it begins with this, such as /public.",
                        max_length=200,
                        verbose_name="take from the path",
                    ),
                ),
                (
                    "upstream_host",
                    models.CharField(
                        blank=True,
                        help_text="Such as api.internal.",
                        max_length=253,
                        verbose_name="or call it",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "category",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="services",
                        to="marketplace.category",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="services",
                        to="marketplace.provider",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="route",
            name="service",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="routes",
                to="marketplace.service",
            ),
        ),
        migrations.CreateModel(
            name="Upstream",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        help_text="https://api.example.com/base, without a query.",
                        max_length=500,
                        verbose_name="address",
                    ),
                ),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="Its share of the calls, where weights count.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="upstreams",
                        to="marketplace.service",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddIndex(
            model_name="routequote",
            index=models.Index(fields=["state", "asset", "amount"], name="quote_by_price"),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.UniqueConstraint(
                fields=("route", "name", "version"), name="version_once_an_offer"
            ),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "published")),
                fields=("route", "name"),
                name="one_published_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "draft")),
                fields=("route", "name"),
                name="one_draft_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gte", 0),
                    ("access_seconds__gte", 1),
                    ("access_seconds__lte", 316224000),
                    ("version__gte", 1),
                ),
                name="quote_price_and_time_in_range",
            ),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("charge__in", ["success", "always"]), ("starts__in", ["purchase", "first_use"])
                ),
                name="quote_choices_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="routequote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("published_at", None), ("retired_at", None), ("state", "draft")),
                    models.Q(
                        ("published_at__isnull", False),
                        ("retired_at", None),
                        ("state", "published"),
                    ),
                    models.Q(
                        ("published_at__isnull", False),
                        ("retired_at__gte", models.F("published_at")),
                        ("state", "retired"),
                    ),
                    _connector="OR",
                ),
                name="quote_state_and_dates_agree",
            ),
        ),
        migrations.AddConstraint(
            model_name="quote",
            constraint=models.UniqueConstraint(
                fields=("route_quote", "slot", "payee", "contract", "signer"),
                name="signed_once_a_slot",
            ),
        ),
        migrations.AddIndex(
            model_name="service",
            index=models.Index(fields=["state", "-created_at"], name="service_by_age"),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "published", "withdrawn"])),
                name="service_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="route",
            constraint=models.UniqueConstraint(
                fields=("service", "slug"),
                name="route_slug_once_a_service",
                violation_error_message="This service has, or had, a route with this slug.",
            ),
        ),
        migrations.AddConstraint(
            model_name="upstream",
            constraint=models.UniqueConstraint(
                fields=("service", "url"), name="upstream_once_a_service"
            ),
        ),
    ]
