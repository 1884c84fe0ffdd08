"""The console's Content-Security-Policy: nothing from elsewhere, no script or style in the page."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The console's theme (django-unfold) evaluates the expressions in its own templates.
CONSOLE_POLICY = f"{POLICY}; script-src 'self' 'unsafe-eval'"
CONSOLE = "/admin/"
Respond = Callable[[HttpRequest], HttpResponse]


def content_security_policy(respond: Respond) -> Respond:
    def answer(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        policy = CONSOLE_POLICY if request.path.startswith(CONSOLE) else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return answer
