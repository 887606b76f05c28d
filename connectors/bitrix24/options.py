"""Settings of the Bitrix24 target, as they stand under `target:` in a mapping."""

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

HOME_ZONES = ("bitrix24.ru", "bitrix24.by", "bitrix24.kz", "bitrix24.uz", "bitrix24.tech")
"""Clouds of Bitrix24 that are served by its Russian company. Any other bitrix24.* zone stores data elsewhere."""


class Plan(StrEnum):
    """The portal's plan, which sets its request limit (Bitrix24 REST documentation, «Limits»)."""

    AUTO = "auto"  # as the portal itself tells; the standard one where it does not
    STANDARD = "standard"  # 2 requests a second, 50 at once
    ENTERPRISE = "enterprise"  # 5 a second, 250 at once


class AppOptions(BaseModel):
    """A local application without an interface. `portal`: its address; `refresh_token`: of the installation, used once;
    `tokens`: the file that keeps the pair, encrypted with `key` (32 bytes in base64: the journal's own will do);
    `oauth`: the authorization server, which differs by zone (`server_endpoint` of the installation names it).
    `queue`: the name of the queue of events; two bridges to one portal need two.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    portal: str
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr
    key: SecretStr
    tokens: Path
    refresh_token: SecretStr | None = None
    oauth: str = "https://oauth.bitrix24.tech"
    queue: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = "kreslo"

    @field_validator("portal", "oauth")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        ):
            raise ValueError("an address looks like https://portal.bitrix24.ru, and must use https")
        return value

    @property
    def first_token(self) -> str:
        return self.refresh_token.get_secret_value() if self.refresh_token else ""


class Bitrix24Options(BaseModel):
    """One of `webhook` and `app`. `webhook` is the whole address of an inbound webhook, `https://portal.bitrix24.ru/rest/1/secret/`: it is the
    secret itself, and is never printed. `timeout` in seconds: a portal cuts a request off at 60, so less would call
    writes lost that are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    webhook: SecretStr | None = None
    app: AppOptions | None = None
    plan: Plan = Plan.AUTO
    timeout: Annotated[float, Field(gt=60, le=600)] = 70.0
    settle: Annotated[float, Field(gt=0, le=600)] = 75.0
    """Seconds after which an unanswered write is as it will be: the longest request (60 in the cloud) and the index
    behind it. A portal of one's own may have a shorter limit.
    """
    key_field: Annotated[str, Field(pattern=r"^UF_CRM_[A-Z0-9_]{1,43}$")] = "UF_CRM_KRESLO_KEY"
    phone_field: Annotated[str, Field(pattern=r"^UF_CRM_[A-Z0-9_]{1,43}$")] = "UF_CRM_KRESLO_PHONE"
    """A text field of deals that holds the caller's number, where the portal works without leads: a deal has no phones of
    its own, and an enquiry has no contact yet.
    """
    product_row: Annotated[str, Field(max_length=250)] = ""
    """By what name a deal's amount is also its one product row, "" for no product rows. Rows that staff wrote are replaced."""
    user: str = ""
    """Id of the technical user whose webhook this is; "" asks the portal."""
    hook_token: SecretStr | None = None
    """`application_token` of the outgoing webhook, from its card in the portal."""

    @field_validator("webhook")
    @classmethod
    def _webhook_is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parts = urlsplit(value.get_secret_value())
        steps = [step for step in parts.path.split("/") if step]
        if not parts.hostname or len(steps) != 3 or steps[0] != "rest" or not steps[1].isdigit():
            raise ValueError("a webhook looks like https://portal.bitrix24.ru/rest/1/secret/")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise ValueError("a webhook must use https: its address is the password")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.webhook is None) == (self.app is None):
            raise ValueError("give either webhook or app")
        return self

    @property
    def base_url(self) -> str:
        """Where methods are called, with the closing slash. A webhook's is a secret."""
        if self.webhook is not None:
            return self.webhook.get_secret_value().rstrip("/") + "/"
        return f"{self.app.portal.rstrip('/')}/rest/" if self.app is not None else ""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def privacy_note(options: Bitrix24Options) -> str | None:
    """A warning where the portal stands in a foreign cloud; None for the Russian-served zones, and for a portal on a
    host of its own (self-hosted: where it stands is its owner's knowledge, not ours).
    """
    host = options.host.lower()
    foreign = ".bitrix24." in f".{host}" and not any(
        host == zone or host.endswith(f".{zone}") for zone in HOME_ZONES
    )
    if not foreign:
        return None
    return (
        f"Портал {host} хранит данные за пределами России. Сведения о визитах — врачебная тайна, а персональные "
        "данные граждан РФ должны записываться в базы на территории РФ (152-ФЗ, ст. 18 ч. 5). Подтвердите, что "
        "клиника это проверила, либо используйте портал в зоне bitrix24.ru или коробочную версию."
    )
