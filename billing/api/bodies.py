"""What the endpoints take: size, JSON, fields. Unknown fields are refused everywhere.

Binary comes in either base64 alphabet, padding optional; wallets give the standard one.
"""

import json
import re
from collections.abc import Mapping
from typing import IO, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from rest_framework import serializers
from rest_framework.parsers import BaseParser, JSONParser

from billing import conf
from billing.domain.errors import AuthorizationInvalid, BadRequest, BodyTooLarge
from billing.rails.port import EntryOffered, Offered, SignatureOffered, TransactionOffered
from gateway.domain import jws

BODY_BYTES_MAX = 65_536  # A quote has at most a few thousand, an envelope as many.
KEY_BYTES = 32
FIELDS_MAX = 16
HEX_256 = "[0-9a-f]{64}"
Json: TypeAlias = dict[str, object]


class BoundedJSON(JSONParser):
    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, object] | None = None,  # noqa: ARG002
    ) -> Json:
        raw = read_bounded(stream)
        try:
            value = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
            # Lone surrogates and NUL parse, and no database takes them.
            written = json.dumps(value, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as exc:
            raise BadRequest("The body is not JSON in UTF-8.") from exc
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.")
        if b"\\u0000" in written:
            raise BadRequest("The body contains a NUL character.")
        return value


class BoundedForm(BaseParser):
    """What a wallet posts. Its other fields, if it has any, are its own business."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, object] | None = None,  # noqa: ARG002
    ) -> Json:
        try:
            fields = parse_qsl(read_bounded(stream).decode("ascii"), max_num_fields=FIELDS_MAX)
        except ValueError as exc:
            raise BadRequest("The body is not a form.") from exc
        return dict(fields)


def read_bounded(stream: IO[bytes]) -> bytes:
    raw = stream.read(BODY_BYTES_MAX + 1)
    if len(raw) > BODY_BYTES_MAX:
        raise BodyTooLarge(f"The body may have at most {BODY_BYTES_MAX} bytes.")
    return raw


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Body(serializers.Serializer[None]):
    def to_internal_value(self, data: object) -> Json:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({unknown[0]: "This field is not known."})
        value: Json = super().to_internal_value(data)
        return value


class TextField(serializers.CharField):
    """Text as it is: no number is turned into it, nothing is trimmed from it."""

    def __init__(
        self,
        *,
        pattern: str = "(?s).*",
        required: bool = True,
        max_length: int | None = None,
        help_text: str | None = None,
    ) -> None:
        super().__init__(
            trim_whitespace=False, required=required, max_length=max_length, help_text=help_text
        )
        self._pattern = re.compile(pattern)

    def to_internal_value(self, data: str) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value = super().to_internal_value(data)
        if self._pattern.fullmatch(value) is None:
            raise serializers.ValidationError("This does not have the right form.")
        return value


class AccountField(TextField):
    def to_internal_value(self, data: str) -> str:
        value = super().to_internal_value(data)
        if not conf.rail().is_account(value):
            raise serializers.ValidationError("This is not an account (G…).")
        return value


class Binary32Field(TextField):
    """32 bytes in base64. Read as bytes."""

    def to_internal_value(self, data: str) -> bytes:  # type: ignore[override] # bytes from text
        try:
            value = jws.decode_binary(super().to_internal_value(data))
        except ValueError as exc:
            raise serializers.ValidationError("This is not base64.") from exc
        if len(value) != KEY_BYTES:
            raise serializers.ValidationError("This must have 32 bytes.")
        return value


class PurchaseBody(Body):
    quote = serializers.DictField(required=False, help_text="A quote of the quotes document.")
    digest = TextField(pattern=HEX_256, required=False, help_text="Or its digest alone.")
    buyer = AccountField(max_length=56)
    access_key = Binary32Field(
        required=False, max_length=48, help_text="32 bytes, base64. Default: the buyer's own key."
    )

    def validate(self, attrs: Json) -> Json:
        if ("quote" in attrs) == ("digest" in attrs):
            raise serializers.ValidationError("Give either quote or digest.")
        return attrs


class AuthorizationBody(Body):
    signer = TextField(required=False, max_length=56)
    signature = TextField(required=False, max_length=128)
    entry_xdr = TextField(required=False, max_length=BODY_BYTES_MAX)
    transaction_xdr = TextField(required=False, max_length=BODY_BYTES_MAX)

    def validate(self, attrs: Json) -> Json:
        if set(attrs) not in ({"signer", "signature"}, {"entry_xdr"}, {"transaction_xdr"}):
            raise serializers.ValidationError(
                "Give signer and signature, or entry_xdr, or transaction_xdr."
            )
        return attrs

    def offered(self) -> Offered:
        attrs = self.validated_data
        if "signature" in attrs:
            return SignatureOffered(attrs["signer"], decoded(attrs["signature"], "signature"))
        if "entry_xdr" in attrs:
            return EntryOffered(standard(attrs["entry_xdr"], "entry_xdr"))
        return TransactionOffered(standard(attrs["transaction_xdr"], "transaction_xdr"))


class RecoverBody(Body):
    quote = serializers.DictField(help_text="The saved quote that was paid.")


class RevokeBody(Body):
    token = TextField(
        pattern="[A-Za-z0-9._:-]{1,64}",
        required=False,
        help_text="The jti of one client JWS. Without it, the whole grant.",
    )


def standard(text: str, field: str) -> str:
    """The standard spelling of whichever base64 a client used."""
    raw = decoded(text, field)
    spelled = jws.encode(raw).translate(str.maketrans("-_", "+/"))
    return spelled + "=" * (-len(spelled) % 4)


def decoded(text: str, field: str) -> bytes:
    try:
        return jws.decode_binary(text)
    except ValueError as exc:
        raise AuthorizationInvalid(f"{field} is not base64.") from exc


def posted_transaction(form: object) -> str:
    """The field `xdr` of what a SEP-7 wallet posts."""
    signed = form.get("xdr") if isinstance(form, dict) else None
    if not isinstance(signed, str) or not signed:
        raise BadRequest("xdr: This field is required.")
    return standard(signed, "xdr")
