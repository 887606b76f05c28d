"""Finding stages by the names that staff see."""

from connectors.amocrm.sandbox.account import Account
from connectors.amocrm.sandbox.pipelines import Pipeline, Status
from kreslo.connectors.sandboxing.control import WrongOrderError


def stage_named(account: Account, name: str, *, funnel: str = "", near: int = 0) -> tuple[Pipeline, Status]:
    """In the named funnel, else in the funnel `near`, else the only one anywhere. Raises WrongOrderError."""
    pipelines = [one for one in account.pipelines.all.values() if funnel in {"", one.name}]
    found = [(one, status) for one in pipelines if (status := one.named(name)) is not None]
    at_home = [pair for pair in found if pair[0].id == near]
    if at_home and not funnel:
        return at_home[0]
    if len(found) != 1:
        raise WrongOrderError(f"{len(found) or 'no'} stages {name!r} in {funnel or 'any funnel'!r}")
    return found[0]
