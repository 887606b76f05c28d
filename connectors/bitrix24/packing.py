"""Which writes go into the next request: as many as its time and the methods' working time let through.

All commands of a request share the portal's 60 seconds; half of that is aimed at. Where a card can be made by several
methods, each with working time of its own, the one that still has some is taken: quiet deals by `crm.item.batchImport`
(20 a command), else by `crm.item.import`; others by `crm.deal.add`, else by `crm.item.add`.
"""

from collections.abc import Sequence

import msgspec

from connectors.bitrix24.answers import Refusal
from connectors.bitrix24.desk import BATCH
from connectors.bitrix24.limits import Operating
from connectors.bitrix24.wire import Call
from connectors.bitrix24.writing import BUNDLE_METHOD, Bundled, Step
from kreslo.connectors.model import Change, CreateCard

REQUEST_SECONDS = 30.0
BUNDLE = 20
"""Cards that one crm.item.batchImport may hold."""


class Work(msgspec.Struct):
    """A change on its way: its calls, how many have succeeded, and how it ended. `alone`: never bundled."""

    change: Change
    steps: list[Step]
    done: int = 0
    target_id: str = ""
    missed: str = ""
    refusal: Refusal | None = None
    alone: bool = False

    @property
    def ready(self) -> bool:
        return self.refusal is None and self.done < len(self.steps)

    @property
    def step(self) -> Step:
        return self.steps[self.done]

    @property
    def card(self) -> tuple[str, str]:
        """What its order is kept by: changes of one card go one after another, creates stand for themselves."""
        action = self.change.action
        return ("", self.change.intent) if isinstance(action, CreateCard) else (action.entity, action.id)


class Parcel(msgspec.Struct):
    """One command: the works that it does (several only where it is a bundle), and a read behind it."""

    call: Call
    works: list[Work]
    check: Call | None = None


class Packed(msgspec.Struct):
    """One request. `seconds`: what its methods are expected to work, by method."""

    parcels: list[Parcel]
    seconds: dict[str, float]

    @property
    def works(self) -> list[Work]:
        return [work for parcel in self.parcels for work in parcel.works]


class Packer:
    """Fills requests from what waits. `bundles`: false once the portal has refused crm.item.batchImport."""

    def __init__(self, operating: Operating) -> None:
        self._operating = operating
        self._seconds = REQUEST_SECONDS
        self._waiting = 0
        self.bundles = True

    def pack(self, waiting: Sequence[Work], busy: set[tuple[str, str]], seconds: float) -> Packed:
        """The next request, of so many seconds of work; empty where nothing fits now. Works on a `busy` card, or behind
        one that does not fit, stay.
        """
        self._seconds = seconds
        self._waiting = len(waiting)
        packed = Packed([], {})
        held = set(busy)
        bundle: Parcel | None = None
        for work in waiting:
            commands = sum(1 if parcel.check is None else 2 for parcel in packed.parcels)
            if work.card in held:
                continue
            held.add(work.card)
            if bundle is not None and (own := work.step.bundle) and self._joins(work, own, bundle, packed):
                self._join(work, own, bundle, packed)
                continue
            if commands + (1 if work.step.check is None else 2) > BATCH:
                if bundle is None or len(bundle.works) >= BUNDLE:
                    break
                continue
            parcel = self._parcel(work, packed)
            if parcel is None:
                continue
            packed.parcels.append(parcel)
            if parcel.call.method == BUNDLE_METHOD:
                bundle = parcel
        for parcel in packed.parcels:
            self._unbundle(parcel, packed)
        return packed

    def _unbundle(self, parcel: Parcel, packed: Packed) -> None:
        """A bundle of one is a card by itself."""
        if parcel.call.method == BUNDLE_METHOD and len(parcel.works) == 1:
            call = parcel.works[0].step.call
            if self._takes(call.method, packed):
                packed.seconds[BUNDLE_METHOD] -= self._operating.cost(BUNDLE_METHOD)
                self._count(call.method, packed)
                parcel.call = call

    def _parcel(self, work: Work, packed: Packed) -> Parcel | None:
        step = work.step
        if step.bundle is not None and self.bundles and not work.alone and self._takes(BUNDLE_METHOD, packed):
            parcel = Parcel(Call(BUNDLE_METHOD), [])
            self._join(work, step.bundle, parcel, packed)
            return parcel
        for call in (step.call, *([step.spare] if step.spare is not None and not work.alone else [])):
            if self._takes(call.method, packed):
                self._count(call.method, packed)
                return Parcel(call, [work], step.check)
        return None

    def _joins(self, work: Work, own: Bundled, bundle: Parcel, packed: Packed) -> bool:
        shared = {name: value for name, value in bundle.call.params.items() if name != "data"}
        fits = len(bundle.works) < BUNDLE and own.shared == shared and not work.alone
        return fits and self._takes(BUNDLE_METHOD, packed)

    def _join(self, work: Work, own: Bundled, bundle: Parcel, packed: Packed) -> None:
        bundle.works.append(work)
        self._count(BUNDLE_METHOD, packed)
        data = [*bundle.call.params.get("data", []), own.fields]
        bundle.call = Call(BUNDLE_METHOD, {**own.shared, "data": data}, items=len(data))

    def _takes(self, method: str, packed: Packed) -> bool:
        """Whether one more item of the method fits the request's time and the method's own. A method that has room for
        a few items only is not begun with: its crumbs would cost a request each.
        """
        own = packed.seconds.get(method, 0.0)
        if packed.seconds and sum(packed.seconds.values()) + self._operating.cost(method) > self._seconds:
            return False
        return self._operating.fits(method, own or self._least(method))

    def _least(self, method: str) -> float:
        """Never more than a request takes: of what became slow (an add that the gateway cut off) no method would ever
        have room for so many.
        """
        return min(self._operating.cost(method) * (min(self._waiting, BATCH // 2) - 1), REQUEST_SECONDS)

    def _count(self, method: str, packed: Packed) -> None:
        packed.seconds[method] = packed.seconds.get(method, 0.0) + self._operating.cost(method)

    def _methods(self, work: Work) -> list[str]:
        """All that can do the work's next step."""
        step = work.step
        bundle = [BUNDLE_METHOD] if step.bundle is not None and self.bundles and not work.alone else []
        spare = [step.spare.method] if step.spare is not None and not work.alone else []
        return [*bundle, step.call.method, *spare]

    def expected(self, work: Work) -> float:
        """Seconds that the work's next step takes, by the method that takes least."""
        return min(self._operating.cost(method) for method in self._methods(work))

    def wait_for(self, work: Work) -> float:
        """Seconds until some method has room for the work; 0 when one has."""
        return min(self._operating.wait_for(method, self._least(method)) for method in self._methods(work))
