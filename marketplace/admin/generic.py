"""Django's classes that are generic to the type checker alone, made so at run time too."""

from typing import TYPE_CHECKING, Self

from django import forms

from gateway.theme import ModelAdmin, TabularInline

__all__ = ["BaseInlineFormSet", "FieldGroups", "FieldOptions", "Fieldsets"]
__all__ += ["ModelAdmin", "ModelForm", "TabularInline"]

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldGroups as FieldGroups
    from django.contrib.admin.options import _FieldOpts as FieldOptions
    from django.contrib.admin.options import _FieldsetSpec as Fieldsets

    ModelForm = forms.ModelForm
    BaseInlineFormSet = forms.BaseInlineFormSet
else:
    FieldGroups = FieldOptions = Fieldsets = object

    class _Generic:
        def __class_getitem__(cls, _: object) -> type[Self]:
            return cls

    class ModelForm(_Generic, forms.ModelForm): ...

    class BaseInlineFormSet(_Generic, forms.BaseInlineFormSet): ...
