"""The Bitrix24 target against its sandbox portal: the contract of all targets, then the portal's own traps."""

from typing import Any

from connectors.bitrix24 import connector as bitrix24
from kreslo.connectors.contract import Target
from kreslo.connectors.testing import TargetContract, TargetRig


class TestBitrix24Target(TargetContract):
    connector = bitrix24
    name_code = "NAME"
    surname_code = "LAST_NAME"
    phone_code = "PHONE"
    enum = ("SOURCE_ID", "Звонок")

    def stranger(self, rig: TargetRig) -> Target:
        return rig.build(webhook=rig.settings["webhook"].rstrip("/")[:-4] + "zzzz/")

    def secrets(self, rig: TargetRig) -> list[str]:
        code = rig.settings["webhook"].rstrip("/").rsplit("/", 1)[-1]
        return [code, code[:-4] + "zzzz"]


class TestBitrix24TargetOfTheOldDocumentation(TestBitrix24Target):
    """The other set of HTTP statuses, and a search by phone that minds the spelling."""

    switches: dict[str, Any] = {"status_set": "old", "phone_search": "format_sensitive"}  # noqa: RUF012
