from django.urls import path

from accounts import organising, pages

app_name = "accounts"

urlpatterns = [
    path("", pages.overview, name="overview"),
    path("organisations/", organising.organisations, name="organisations"),
    path("organisations/<slug:slug>/", organising.organisation, name="organisation"),
    path("organisations/<slug:slug>/leave/", organising.leave, name="leave"),
    path(
        "organisations/<slug:slug>/members/<int:member_id>/remove/",
        organising.remove,
        name="remove-member",
    ),
    path(
        "organisations/<slug:slug>/invitations/<int:invitation_id>/revoke/",
        organising.revoke,
        name="revoke-invitation",
    ),
    path("invitations/<str:token>/", organising.invitation, name="invitation"),
]
