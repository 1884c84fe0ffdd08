"""Who asks too often is told so on a page like the others."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

RETRY_SECONDS = 300


def too_often(request: HttpRequest) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"}
    answer = render(request, "429.html", status=429)
    for name, value in headers.items():
        answer.headers[name] = value
    return answer
