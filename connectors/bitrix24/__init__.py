"""Bitrix24: the CRM of a clinic, reached by the inbound webhook of its portal. See README.md beside this file."""

from connectors.bitrix24.options import Bitrix24Options, privacy_note
from connectors.bitrix24.sandbox import sandbox
from connectors.bitrix24.target import Bitrix24Target
from kreslo.connectors.contract import TargetConnector

connector = TargetConnector(
    name="bitrix24",
    title="Битрикс24",
    options=Bitrix24Options,
    build=Bitrix24Target,
    privacy_note=privacy_note,
    sandbox=sandbox,
)

__all__ = ["Bitrix24Options", "Bitrix24Target", "connector"]
