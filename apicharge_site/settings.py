"""Settings. What differs between machines comes from the environment; docs/operations.md lists it.

The embedded default (nothing set) is for one machine: SQLite, limits in process, sandbox network.
`APICHARGE_PRODUCTION=1` turns every convenience into an error.
"""

from pathlib import Path

import environ

from apicharge_site import forwarded, state
from marketplace.domain import chains

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

PRODUCTION = env.bool("APICHARGE_PRODUCTION", default=False)
DEBUG = env.bool("APICHARGE_DEBUG", default=False)
if PRODUCTION and DEBUG:
    raise state.Misconfigured("APICHARGE_DEBUG shows settings and code to strangers: unset it.")
ROLE = env.str("APICHARGE_ROLE", default="all")
if ROLE not in {"all", "gateway", "console", "worker"}:
    raise state.Misconfigured(
        f"APICHARGE_ROLE must be all, gateway, console or worker, not {ROLE!r}."
    )

PORT = env.int("PORT", default=8000)
H2_PORT = env.int("H2_PORT", default=8002)
OWN_ADDRESSES = frozenset({("127.0.0.1", PORT), ("127.0.0.1", H2_PORT)})  # None is an upstream.
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8001)
CERTIFICATE = state.certificate(
    env.str("APICHARGE_TLS_CERT", default=""), env.str("APICHARGE_TLS_KEY", default="")
)
SCHEME = "https" if CERTIFICATE else "http"
ORIGIN = env.str("APICHARGE_ORIGIN", default=f"{SCHEME}://127.0.0.1:{PORT}").rstrip("/")
HOME = Path(env.str("APICHARGE_HOME", default=str(BASE_DIR / ".state"))).absolute()
GATE_PREFIX = env.str("APICHARGE_GATE_PREFIX", default="/gate/")
# Address ranges, beside public ones, that an upstream may live in (staff only; e.g. "127.0.0.0/8").
UPSTREAM_NETWORKS = env.list("UPSTREAM_NETWORKS", default=[])
# Name servers that are asked whether a provider holds a domain; none: the machine's own.
DNS_RESOLVERS = state.resolvers(env.list("APICHARGE_DNS_RESOLVERS", default=[]))
# Address ranges of the load balancers before us: what they say of the client is believed.
TRUSTED_PROXIES = forwarded.trusted(env.list("APICHARGE_TRUSTED_PROXIES", default=[]))

# Calls without a valid token that one address is answered, on each gateway, as calls/seconds.
UNPAID_CALLS = state.pace(
    "APICHARGE_UNPAID_CALLS", env.str("APICHARGE_UNPAID_CALLS", default="3000/60")
)
# What a caller of /metrics has to show; without it there is no such address.
METRICS_TOKEN = state.shared_token("APICHARGE_METRICS_TOKEN", env)

# The keys. A gateway node verifies; it must not be able to mint.
QUOTE_KEY_SEED = GRANT_KEY_SEED = CHANNEL_KEY_SEED = None
if ROLE == "gateway":
    if given := state.seeds_given(env):
        raise state.Misconfigured(f"A gateway node must not hold signing keys: unset {given}.")
else:
    QUOTE_KEY_SEED = state.seed(HOME, "quote", env, production=PRODUCTION)
    GRANT_KEY_SEED = state.seed(HOME, "grant", env, production=PRODUCTION)
    CHANNEL_KEY_SEED = state.seed(HOME, "channel", env, production=PRODUCTION)
# The network that is paid on.
CHAIN = chains.chain(
    env.str("APICHARGE_NETWORK", default="sandbox"),
    env.str("APICHARGE_CONTRACT", default=""),
    channel_key=None if CHANNEL_KEY_SEED is None else bytes.fromhex(CHANNEL_KEY_SEED.reveal()),
    more=chains.more_assets(env.list("APICHARGE_ASSETS", default=[])),
)
if PRODUCTION and CHAIN.is_play:
    raise state.Misconfigured("APICHARGE_NETWORK must be testnet or pubnet in production.")
RPC_URL = state.rpc_url(
    CHAIN.name,
    env.str("APICHARGE_RPC_URL", default=""),
    sandbox_port=SANDBOX_PORT,
    allow_http=env.bool("APICHARGE_RPC_ALLOW_HTTP", default=False),
)
# One transaction each in a ledger: how many purchases one ledger can take.
CHANNELS = env.int("APICHARGE_CHANNELS", default=5)
# The most that is bid for a transaction's place in a ledger, in stroops. Its resources come on top.
INCLUSION_FEE_MAX = env.int("APICHARGE_INCLUSION_FEE_MAX", default=100_000)
if CHANNELS < 1 or INCLUSION_FEE_MAX < 100:
    raise state.Misconfigured("APICHARGE_CHANNELS is 1 or more, APICHARGE_INCLUSION_FEE_MAX 100.")
# Public: quotes that these signed, and that were paid, still get their grants.
FORMER_QUOTE_KEYS = state.public_keys(
    "APICHARGE_FORMER_QUOTE_KEYS", env.list("APICHARGE_FORMER_QUOTE_KEYS", default=[])
)
# How long a purchase that nobody signed is kept once it has expired.
EXPIRED_KEPT_DAYS = env.int("APICHARGE_EXPIRED_KEPT_DAYS", default=30)
if EXPIRED_KEPT_DAYS < 1:
    raise state.Misconfigured("APICHARGE_EXPIRED_KEPT_DAYS must be 1 or more.")

# Where a payment can be looked at; {transaction} is its hash.
EXPLORER = env.str("APICHARGE_EXPLORER", default=chains.EXPLORERS.get(CHAIN.name, ""))
# And what an account was paid; {account} is its address.
ACCOUNT_EXPLORER = env.str(
    "APICHARGE_ACCOUNT_EXPLORER", default=chains.ACCOUNT_EXPLORERS.get(CHAIN.name, "")
)
# Fonts of receipts for scripts that DejaVu Sans lacks.
RECEIPT_FONTS = state.files(
    "APICHARGE_RECEIPT_FONTS", env.list("APICHARGE_RECEIPT_FONTS", default=[])
)
# Who sells the assets for money from a bank (SEP-24): CODE=https://….
ANCHORS = chains.anchors(env.list("APICHARGE_ANCHORS", default=[]), CHAIN)

SECRET_KEY = state.secret_key(HOME, env.str("APICHARGE_SECRET_KEY", default=""), PRODUCTION)
ALLOWED_HOSTS = env.list("APICHARGE_HOSTS", default=["*"] if not PRODUCTION else [])
CSRF_TRUSTED_ORIGINS = [ORIGIN]

# Mails. Without a server they are printed, and nobody has to confirm an address.
MAILS = state.mails(
    env.str("APICHARGE_MAIL", default=""),
    env.str("APICHARGE_MAIL_FROM", default=""),
    ORIGIN,
    required=PRODUCTION and ROLE != "gateway",
)
MAILS_ARE_SENT = "console" not in str(MAILS["EMAIL_BACKEND"])
globals().update(MAILS)

INSTALLED_APPS = [
    "apicharge_site",  # Before what has a `runserver` of its own.
    "unfold.apps.BasicAppConfig",  # Before the admin: its templates take the place of Django's.
    "marketplace.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "gateway",
    "accounts",
    "marketplace",
    "billing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "apicharge_site.security.content_security_policy",
    "apicharge_site.security.strict_transport",
    "apicharge_site.security.acts_are_traced",
    "django.middleware.gzip.GZipMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "apicharge_site.urls"
ASGI_APPLICATION = "apicharge_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.account",
                "marketplace.context.site",
            ],
        },
    },
]

DATABASES = {"default": state.database(HOME, env.str("DATABASE_URL", default=""))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": REDIS_URL}}
    SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    # No timeout of reads: the layer waits 5 s for a message, and redis-py gives up after 5 s, too.
    # With a longer one it loses cancellations (asyncio.wait_for before Python 3.12), and a socket
    # that closes early is followed for ever.
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, "socket_timeout": None, "socket_keepalive": True}]
            },
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 10_000},  # Throttles count here, a key for each network.
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Errors and warnings to the standard error stream, where supervisors and containers look for them.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("APICHARGE_LOG_LEVEL", default="WARNING")},
    "loggers": {"django": {"handlers": [], "propagate": True}},
}

_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
]

# Attempts count by client network, or by it and the name: a stranger cannot lock anybody out.
# Codes of a second factor count by account: to try one takes the password.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/account/"  # Of who is no staff.
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_DISPLAY = "accounts.naming.name_of"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if MAILS_ARE_SENT else "optional"
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True  # In the browser that signed up.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # No mails to whoever a stranger names.
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # A stolen session changes neither address nor password.
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = ORIGIN.partition(":")[0]
ACCOUNT_RATE_LIMITS = {
    "login": "30/5m/ip",
    "login_failed": "30/5m/ip,10/5m/key",
    "signup": "20/5m/ip",
    "reset_password": "20/5m/ip,5/5m/key",
}
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_FORMS = {"add_webauthn": "accounts.passkeys.AddPasskey"}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "ApiCharge"
MFA_TOTP_TOLERANCE = 1  # Half a minute that a telephone's clock is off.
MFA_ALLOW_UNVERIFIED_EMAIL = not MAILS_ARE_SENT
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not ORIGIN.startswith("https://")  # Browsers: localhost.

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "apicharge_site.formats"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = state.directory(Path(env.str("APICHARGE_STATIC_ROOT", default=str(HOME / "static"))))
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # What is collected is compressed once; elsewhere the middleware does so at each answer.
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
IS_HTTPS = ORIGIN.startswith("https://")
if PRODUCTION and ROLE != "gateway" and not IS_HTTPS:
    raise state.Misconfigured("APICHARGE_ORIGIN must be https:// in production: people log in.")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
# How long browsers are told to come by https alone. A year, once it is known that they can.
HSTS_SECONDS = env.int("APICHARGE_HSTS_SECONDS", default=31_536_000 if PRODUCTION else 0)
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# Services whose upstreams are asked each minute whether they answer; 0: none is.
PROBES_PER_MINUTE = env.int("APICHARGE_PROBES_PER_MINUTE", default=200)
if PROBES_PER_MINUTE < 0:
    raise state.Misconfigured("APICHARGE_PROBES_PER_MINUTE is 0 or more.")
# A new service is not on sale before staff looked at it.
REVIEWS_SERVICES = env.bool("APICHARGE_REVIEWS_SERVICES", default=False)

# Usage by the minute and recent calls are kept for so long.
USAGE_DAYS = env.int("APICHARGE_USAGE_DAYS", default=30)
if USAGE_DAYS < 1:
    raise state.Misconfigured("APICHARGE_USAGE_DAYS: usage is kept for one day at least.")

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ApiCharge",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}
