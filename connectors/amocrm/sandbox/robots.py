"""Robots of the digital pipeline: what happens by itself when a lead enters a stage."""

from collections.abc import Iterator

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.cards import Card, Cell


def enter_stage(account: Account, card: Card) -> Iterator[tuple[int, list[Cell], int]]:
    """Messages are noted; gives the fields to be set: field id, its values, the user who does it."""
    pipeline = account.pipelines.all[card.pipeline_id]
    stage = pipeline.statuses[card.status_id].name
    for robot in account.robots:
        if robot.stage != stage or robot.funnel not in {"", pipeline.name}:
            continue
        if robot.action == "message":
            at = account.clock.now().isoformat()
            account.messages.append({"entity": "deal", "deal": card.id, "stage": stage, "at": at})
        else:
            yield int(robot.field), [Cell(robot.value)], robot.user_id
