"""Placement of pods on the GPUs of a machine: whole cards, and shares of cards.

    Cards(gpus) ──add_running(request, ids)──▶ place([request, …]) ──▶ [(Gpu, …), …], or None

A card has either one pod to itself, or pods with shares whose sum is at most 1. The
memory of these fits as well: each share needs its `gpu_mem`, else its part of the card's.
Small cards are used first, so that large ones stay free for pods that need them, and
shares go to the cards that already have some.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from functools import lru_cache
from operator import attrgetter

from riseml.dataclass import dataclass
from riseml.engines.local.controller import gpu_messages
from riseml.gpu_request import is_of_type
from riseml.gpus import Gpu
from riseml.resources import MOST_PARTS, Resources

_SLICES = "a job can use one MIG slice only"
_WHOLE = math.lcm(*range(1, MOST_PARTS + 1))
"""A whole card: the sum of shares is exact, since all numbers of parts divide it."""

Placement = list[tuple[Gpu, ...]]
"""The cards of each of several pods."""


@dataclass
class Card:
    """A card, and what pods leave of it: a share of its time, and bytes."""

    gpu: Gpu
    free_share: int
    free_mem: int

    @property
    def is_free(self) -> bool:
        """Whether a pod may have the card to itself."""
        return self.free_share == _WHOLE

    @property
    def has_shares(self) -> bool:
        """Whether pods use parts of the card, and others may get parts of it."""
        return 0 < self.free_share < _WHOLE

    def close(self) -> None:
        """Leave nothing for further pods, since one that waits for the card comes first."""
        self.free_share = self.free_mem = 0


@dataclass(frozen=True)
class Demand:
    """What a pod needs of each of `count` cards: a share, and bytes if it says how many."""

    count: int
    share: int
    mem: int
    gpu_type: str

    def suits(self, gpu: Gpu) -> bool:
        """Return whether a card has the type and the memory that the pod names."""
        if self.count > 1 and gpu.is_slice:
            return False
        return gpu.mem >= self.mem and is_of_type(gpu.name, self.gpu_type)

    def fits(self, card: Card) -> bool:
        """Return whether a card has room for the pod."""
        if self.share > card.free_share:
            return False
        return self._mem_of(card.gpu) <= card.free_mem and self.suits(card.gpu)

    def waits_for(self, card: Card) -> bool:
        """Return whether the pod could use a card when its shares have ended."""
        return card.has_shares and self.suits(card.gpu)

    def take(self, card: Card) -> None:
        """Count the pod as one that uses a card."""
        card.free_share -= self.share
        card.free_mem -= self._mem_of(card.gpu)

    def _mem_of(self, gpu: Gpu) -> int:
        # A pod that names no amount needs the same part of the memory as of the card.
        named = self.mem if self.share < _WHOLE else 0
        return named or gpu.mem * self.share // _WHOLE


class Cards:
    """The cards of a machine, with what pods use of them."""

    def __init__(self, gpus: Iterable[Gpu]) -> None:
        # Sorting keeps the order of cards with the same memory.
        ordered = sorted(gpus, key=attrgetter("mem"))
        self._cards = {gpu.id: Card(gpu, _WHOLE, gpu.mem) for gpu in ordered}
        self._views: dict[frozenset[str], Cards] = {}
        # Demands that found nothing to take or to close. Cards only get fuller, so they
        # never will.
        self._refused: set[tuple[Demand, ...]] = set()

    def only(self, ids: Collection[str]) -> "Cards":
        """Return some of the cards; what is placed on them is in use in all of these."""
        key = frozenset(ids)
        if key not in self._views:
            view = Cards(())
            common = key.intersection(self._cards)
            view._cards = {
                id_: self._cards[id_] for id_ in self._cards if id_ in common
            }
            self._views[key] = view
        return self._views[key]

    @property
    def have_room(self) -> bool:
        """Whether a pod could get a card, or a share of one."""
        return any(card.free_share > 0 for card in self._cards.values())

    def add_running(self, request: Resources, ids: Iterable[str]) -> None:
        """Count a pod that runs on the cards of these ids; the machine may have lost some."""
        for card in filter(None, map(self._cards.get, ids)):
            _demand(request).take(card)

    def place(self, requests: Sequence[Resources]) -> Placement | None:
        """Return cards for all of several pods, or None if they do not fit together.

        Later calls find the cards in use. If the pods do not fit, they keep the cards
        that they could have, and close the cards for which they wait.
        """
        demands = tuple(map(_demand, requests))
        if demands in self._refused:
            return None
        assigned: list[list[Gpu]] = [[] for _ in demands]
        missing = 0
        changes = 0
        for position in self._scarcest_first(demands):
            demand = demands[position]
            gpus = assigned[position]
            while len(gpus) < demand.count:
                card = self._choose(demand)
                if card is None:
                    missing += demand.count - len(gpus)
                    changes += self._close(demand, demand.count - len(gpus))
                    break
                demand.take(card)
                gpus.append(card.gpu)
            changes += len(gpus)
        if not missing:
            return [tuple(sorted(gpus, key=attrgetter("index"))) for gpus in assigned]
        if not changes:
            self._refused.add(demands)
        return None

    def shortages(self, requests: Sequence[Resources]) -> list[str]:
        """Return what pods that wait together lack of GPUs; nothing if they fit."""
        texts = []
        for request, count in _counted(requests):
            if self._lacks(request, count):
                text = self._shortage(request, count)
                texts.append(text)
        return texts

    def _lacks(self, request: Resources, count: int) -> bool:
        """Return whether there is no room for some equal pods."""
        demand = _demand(request)
        if count == demand.count == 1:
            # Many pods may wait, and few need several cards.
            return self._choose(demand) is None
        return self._copy().place([request] * count) is None

    def _shortage(self, request: Resources, count: int) -> str:
        demand = _demand(request)
        suited = [card for card in self._cards.values() if demand.suits(card.gpu)]
        if not request.gpu_parts:
            free = sum(map(attrgetter("is_free"), suited))
            return gpu_messages.shortage(request, count, free)
        share = max(map(attrgetter("free_share"), suited), default=0)
        mem = max(map(attrgetter("free_mem"), suited), default=0)
        part = max(share, 0) / _WHOLE
        return gpu_messages.share_shortage(request, count, part, max(mem, 0))

    def _copy(self) -> "Cards":
        """Return the same cards, on which placing changes nothing here."""
        cards = Cards(())
        cards._cards = {id_: copy(card) for id_, card in self._cards.items()}
        return cards

    def _scarcest_first(self, demands: Sequence[Demand]) -> list[int]:
        """Return the positions of demands, those first that few cards suit."""
        if len(demands) == 1:
            return [0]
        choices = []
        for demand in demands:
            suited = sum(demand.suits(card.gpu) for card in self._cards.values())
            choices.append(suited)
        return sorted(range(len(demands)), key=choices.__getitem__)

    def _choose(self, demand: Demand) -> Card | None:
        """Return the fullest card with room; of those that are free, the smallest."""
        candidates = filter(demand.fits, self._cards.values())
        return min(candidates, key=attrgetter("free_share"), default=None)

    def _close(self, demand: Demand, count: int) -> int:
        """Close the cards that will probably be free first, so that they are in the end.

        Return how many of `count` there are.
        """
        candidates = filter(demand.waits_for, self._cards.values())
        emptiest = sorted(candidates, key=attrgetter("free_share"), reverse=True)
        for card in emptiest[:count]:
            card.close()
        return len(emptiest[:count])


def lacks(requests: Sequence[Resources], gpus: tuple[Gpu, ...]) -> str:
    """Explain why these GPUs can never run some pods at once; "" if they can."""
    if Cards(gpus).place(requests) is not None:
        return ""
    counted = _counted(requests)
    for request, count in counted:
        alone = [request] * count
        if Cards(gpus).place(alone) is None:
            text = gpu_messages.impossible(request, count, gpus)
            has_slices = any(gpu.is_slice for gpu in gpus)
            return f"{text}; {_SLICES}" if has_slices else text
    return gpu_messages.impossible_together(counted, gpus)


def _counted(requests: Sequence[Resources]) -> list[tuple[Resources, int]]:
    """Return the different requests for GPUs, and how many pods have each of them."""
    kinds = Counter(
        Resources(gpus=request.gpus, gpu_mem=request.gpu_mem, gpu_type=request.gpu_type)
        for request in requests
        if request.gpus
    )
    return list(kinds.items())


# Many pods of a set have the same request.
@lru_cache(maxsize=1000)
def _demand(request: Resources) -> Demand:
    share = _WHOLE // max(request.gpu_parts, 1)
    count = request.visible_gpus
    return Demand(count, share, request.gpu_mem, request.gpu_type)
