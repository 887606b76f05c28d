"""/board: the portal's stages and cards as a plain page."""

from starlette.routing import BaseRoute

from connectors.bitrix24.sandbox.portal import Portal


def board_routes(portal: Portal) -> list[BaseRoute]:
    del portal
    return []
