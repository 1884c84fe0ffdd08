from django.contrib import admin

from billing.admin.reading import ReadOnly
from billing.models import ChannelAccount
from marketplace.admin.generic import ModelAdmin


@admin.register(ChannelAccount)
class ChannelAccountAdmin(ReadOnly, ModelAdmin[ChannelAccount]):
    list_display = ("address", "network", "index", "usable", "problem")
    list_filter = ("network", "usable")
