"""Settings of the Bitrix24 target, as they stand under `target:` in a mapping."""

import ipaddress
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

HOME_ZONES = ("bitrix24.ru", "bitrix24.by", "bitrix24.kz", "bitrix24.uz", "bitrix24.tech")
"""Clouds of Bitrix24 that are served by its Russian company. Any other bitrix24.* zone stores data elsewhere."""


class Plan(StrEnum):
    """The portal's plan, which sets its request limit (Bitrix24 REST documentation, «Limits»)."""

    AUTO = "auto"  # as the portal itself tells; the standard one where it does not
    STANDARD = "standard"  # 2 requests a second, 50 at once
    ENTERPRISE = "enterprise"  # 5 a second, 250 at once


class Bitrix24Options(BaseModel):
    """`webhook` is the whole address of an inbound webhook, `https://portal.bitrix24.ru/rest/1/secret/`: it is the
    secret itself, and is never printed. `timeout` in seconds: a portal cuts a request off at 60, so less would call
    writes lost that are not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    webhook: SecretStr
    plan: Plan = Plan.AUTO
    timeout: Annotated[float, Field(gt=60, le=600)] = 70.0
    settle: Annotated[float, Field(gt=0, le=600)] = 75.0
    """Seconds after which an unanswered write is as it will be: the longest request (60 in the cloud) and the index
    behind it. A portal of one's own may have a shorter limit.
    """
    key_field: Annotated[str, Field(pattern=r"^UF_CRM_[A-Z0-9_]{1,43}$")] = "UF_CRM_KRESLO_KEY"
    user: str = ""
    """Id of the technical user whose webhook this is; "" asks the portal."""
    hook_token: SecretStr | None = None
    """`application_token` of the outgoing webhook, from its card in the portal."""

    @field_validator("webhook")
    @classmethod
    def _webhook_is_an_address(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        steps = [step for step in parts.path.split("/") if step]
        if not parts.hostname or len(steps) != 3 or steps[0] != "rest" or not steps[1].isdigit():
            raise ValueError("a webhook looks like https://portal.bitrix24.ru/rest/1/secret/")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise ValueError("a webhook must use https: its address is the password")
        return value

    @property
    def base_url(self) -> str:
        """The webhook with its closing slash. A secret."""
        return self.webhook.get_secret_value().rstrip("/") + "/"

    @property
    def host(self) -> str:
        return urlsplit(self.webhook.get_secret_value()).hostname or ""


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
