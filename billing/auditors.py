"""Auditors: a group that may read every row of ours, export it, and change nothing.

A login belongs to it by staff's hand, with the staff status. What only a superuser may do, and
every form, stays closed to it.
"""

from django.contrib.auth.models import Group, Permission

NAME = "Auditors"
APPS = ("gateway", "marketplace", "billing")


def ensure() -> Group:
    """The group, with the permission to view each model there is by now."""
    group, _ = Group.objects.get_or_create(name=NAME)
    views = Permission.objects.filter(
        content_type__app_label__in=APPS, codename__startswith="view_"
    )
    group.permissions.set(views)
    return group
