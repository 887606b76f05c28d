"""Settings of the amoCRM target, as they stand under `target:` in a mapping."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

FOREIGN_ZONES = ("kommo.com", "amocrm.com")
"""The same service for other countries; its data stand abroad."""


class OAuthOptions(BaseModel):
    """An integration with a refresh token. `code` is the authorization code of its card: it lives 20 minutes and is
    taken once; from then on `tokens`, a file that only Kreslo may write, holds the pair.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: str
    client_secret: SecretStr
    redirect_uri: str
    tokens: Path
    code: SecretStr | None = None


class AmocrmOptions(BaseModel):
    """`address` of the account, and one of `token` (a long-lived one) and `oauth`. `rate`: requests a second; amoCRM
    lets 7 through and blocks who goes on regardless, until its support is asked. `batch`: cards a request. `timeout`
    in seconds. `index_lag`: seconds after which the search surely knows of a write.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    address: str
    token: SecretStr | None = None
    oauth: OAuthOptions | None = None
    rate: Annotated[float, Field(gt=0, le=7)] = 5.0
    batch: Annotated[int, Field(ge=1, le=250)] = 50
    timeout: Annotated[float, Field(ge=5, le=600)] = 30.0
    index_lag: Annotated[float, Field(ge=0, le=600)] = 30.0
    key_field: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")] = "KRESLO_KEY"
    user: str = ""
    """Id of the user whose token this is; "" asks the account."""
    hook_url: str = ""
    """Where amoCRM is to tell of changes: Kreslo's public https address, `https://…/hooks/<bridge>`."""
    hook_secret: SecretStr | None = None
    """The last part of that address; amoCRM signs nothing, so it is the only proof."""
    state: Path | None = None
    """Folder for the account's lock file; None: the system's temporary folder."""

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("an account's address looks like https://clinic.amocrm.ru")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise ValueError("an account's address must use https: the token goes with every request")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("give one of `token` (a long-lived token) and `oauth`")
        if bool(self.hook_url) != (self.hook_secret is not None):
            raise ValueError("`hook_url` and `hook_secret` belong together")
        if (
            self.hook_url
            and urlsplit(self.hook_url).scheme != "https"
            and not is_loopback(_host(self.hook_url))
        ):
            raise ValueError("`hook_url` must use https")
        return self

    @property
    def host(self) -> str:
        """With its port, where it has one."""
        return urlsplit(self.address).netloc.lower()

    @property
    def hook_address(self) -> str:
        """The whole address with its secret; "" without hooks."""
        if self.hook_secret is None:
            return ""
        return f"{self.hook_url.rstrip('/')}/{self.hook_secret.get_secret_value()}"


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def privacy_note(options: AmocrmOptions) -> str | None:
    """A warning where the account stands in the foreign edition; None for amocrm.ru."""
    host = _host(options.address).lower()
    if not any(host == zone or host.endswith(f".{zone}") for zone in FOREIGN_ZONES):
        return None
    return (
        f"Аккаунт {host} — зарубежная редакция: данные хранятся за пределами России. Сведения о визитах — врачебная "
        "тайна, а персональные данные граждан РФ должны записываться в базы на территории РФ (152-ФЗ, ст. 18 ч. 5). "
        "Подтвердите, что клиника это проверила, либо используйте аккаунт в зоне amocrm.ru."
    )
