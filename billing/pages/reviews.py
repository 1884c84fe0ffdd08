"""The page on which a buyer reviews a service, or is told how to show that it is one."""

import time

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing import reviewing
from billing.account.pages import private
from billing.account.viewing import viewer
from billing.reviewing import Opinion
from marketplace.models.reviews import STARS_MAX, TEXT_LENGTH_MAX
from marketplace.offered import gated

STARS = [(str(stars), stars) for stars in range(STARS_MAX, 0, -1)]


class ReviewForm(forms.Form):
    stars = forms.TypedChoiceField(
        label=gettext_lazy("Stars"), choices=STARS, coerce=int, widget=forms.RadioSelect
    )
    text = forms.CharField(
        label=gettext_lazy("In your words"),
        required=False,
        max_length=TEXT_LENGTH_MAX,
        widget=forms.Textarea(attrs={"rows": 6}),
    )


@private
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, slug: str) -> HttpResponse:
    service = gated(slug)
    who = viewer(request, now_s=time.time())
    bought = reviewing.proof(who, service)
    if bought is None:
        context = {"service": service, "is_nobody": who.is_nobody}
        return render(request, "marketplace/review.html", context, status=403)
    own = reviewing.written(who, service)
    begun = {"stars": str(own.stars), "text": own.text} if own else None
    form = ReviewForm(request.POST or None, initial=begun)
    if request.method == "POST" and form.is_valid():
        opinion = Opinion(form.cleaned_data["stars"], form.cleaned_data["text"].replace("\0", ""))
        reviewing.write(bought, service, opinion, timezone.now())
        messages.success(request, _("Your review is on the page. Thank you."))
        return redirect(reverse("marketplace:reviews", args=[slug]))
    context = {"service": service, "form": form, "bought": bought, "own": own}
    return render(request, "marketplace/review.html", context)
