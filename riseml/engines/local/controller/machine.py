"""Queue of the pods that wait for this machine: cores, memory and GPUs.

The queue covers all runs of a home. The pods of a gang start together or not at all:
half a gang would hold resources for nothing. A TensorBoard requests nothing, so it never
delays other pods; it starts with the first other pod of its run, not hours earlier.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from riseml.dataclass import dataclass, field, replace
from riseml.engines.local.controller import gpu_placement
from riseml.engines.local.controller.capacity import Capacity, total
from riseml.engines.local.controller.gpu_access import GpuAccess
from riseml.engines.local.controller.gpu_survey import GpuSurvey
from riseml.gpus import Gpu
from riseml.plan import Resources

CpuSet = frozenset[int]
NOTHING = Resources(Decimal(0), 0)


class ReservedCores:
    """Cores that restricted pods request, by the CPUs that they may use."""

    def __init__(self) -> None:
        self._cores: dict[CpuSet, Decimal] = {}

    def free(self, cpus: CpuSet) -> Decimal:
        """Return how many cores of some CPUs no pod requests that is restricted to them."""
        cores = Decimal(len(cpus))
        for other, reserved in self._cores.items():
            if other <= cpus:
                cores -= reserved
        return cores

    def take(self, cpus: CpuSet, cores: Decimal) -> bool:
        """Reserve cores; return whether they are free, or any CPUs may be used."""
        if not cpus:
            return True
        is_free = cores <= self.free(cpus)
        self._cores[cpus] = self._cores.get(cpus, Decimal(0)) + cores
        return is_free


@dataclass(frozen=True)
class Admission:
    """A pod that may start now, and the GPUs that it gets."""

    key: str
    gpus: tuple[Gpu, ...]


@dataclass
class MachineQueue:
    """The pods that wait for this machine and those that run on it: first come, first served.

    A pod never overtakes another one that it would delay. `companions` are waiting pods
    that request nothing; each maps to the prefix that the keys of its run share. `cpus`
    are those of pods whose command may not use all CPUs of the machine. `running` has
    the request of each pod and the ids of its GPUs. `_cards_now` are the cards as these
    use them, None after a change: many pods may wait for the same. `access` says which GPUs a pod may
    get; without it, that is any.
    """

    capacity: Capacity
    access: GpuAccess | None = None
    waiting: dict[str, Resources] = field(default_factory=dict)
    gangs: dict[str, str] = field(default_factory=dict)
    companions: dict[str, str] = field(default_factory=dict)
    running: dict[str, tuple[Resources, tuple[str, ...]]] = field(default_factory=dict)
    cpus: dict[str, CpuSet] = field(default_factory=dict)
    _cards_now: gpu_placement.Cards | None = None

    def capacity_for(
        self, cpus: CpuSet, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Capacity:
        """Return what pods may use that are restricted to some CPUs, or to none.

        `environment` is that of their command, whose variables may hide GPUs.
        """
        capacity = self.capacity
        if self.access:
            gpus, gpu_limits = self.access.allowed(environment)
            capacity = replace(capacity, gpus=gpus, gpu_limits=gpu_limits)
        if not cpus or len(cpus) >= capacity.cpus:
            return capacity
        bound = "the CPU affinity of this command allows"
        return replace(capacity, cpus=Decimal(len(cpus)), bound=bound)

    def replace_gpus(self, gpus: tuple[Gpu, ...]) -> bool:
        """Note which GPUs the machine has now; return whether they differ."""
        if gpus == self.capacity.gpus:
            return False
        self.capacity = replace(self.capacity, gpus=gpus)
        self._cards_now = None
        if self.access:
            self.access.gpus = gpus
        return True

    def add(
        self,
        key: str,
        request: Resources,
        gang: str = "",
        run_prefix: str = "",
        cpus: CpuSet = frozenset(),
    ) -> None:
        """Queue a pod; all pods with the same `gang` start together."""
        self.waiting[key] = request
        if cpus:
            self.cpus[key] = cpus
        if gang:
            self.gangs[key] = gang
        elif run_prefix and request == NOTHING:
            self.companions[key] = run_prefix

    def add_running(
        self,
        key: str,
        request: Resources,
        gpus: tuple[str, ...],
        cpus: CpuSet = frozenset(),
    ) -> None:
        """Count a pod that an earlier controller has started with the GPUs of these ids."""
        self.running[key] = (request, gpus)
        self._cards_now = None
        if cpus:
            self.cpus[key] = cpus

    def remove(self, key: str) -> None:
        """Forget a pod, waiting or running, and free its resources."""
        self.waiting.pop(key, None)
        self.gangs.pop(key, None)
        self.companions.pop(key, None)
        _, gpu_ids = self.running.pop(key, (NOTHING, ()))
        self._cards_now = None
        self.cpus.pop(key, None)
        if self.access and gpu_ids:
            self.access.survey.invalidate()

    def prefer(self, keys: Sequence[str]) -> None:
        """Let pods that wait come before all others, in this order."""
        first = {key: self.waiting.pop(key) for key in keys}
        self.waiting = {**first, **self.waiting}

    def admit(self) -> Iterator[Admission]:
        """Yield the pods that may start now, and count them as running.

        A pod that does not fit yet reserves the free part of its request. A stream of
        small pods cannot starve it, and pods that need other resources still start.
        """
        if self.access and any(request.gpus for request in self.waiting.values()):
            self._survey_gpus(self.access.survey)
        yield from self._admit_units()
        yield from self._admit_companions()

    def reason(self, key: str) -> str:
        """Explain what a waiting pod lacks; "" if that is known in a moment."""
        if key in self.companions:
            return "waiting: it starts with the first job of its run"
        requests = [self.waiting[peer] for peer in self._peers(key)]
        cpus = self.cpus.get(key, frozenset())
        free = self._free()
        if cpus:
            free = replace(free, cpus=min(free.cpus, self._reserved().free(cpus)))
        missing = list(free.shortages(total(requests)))
        if any(request.gpus for request in requests):
            if self.access and self.access.is_awaited(key):
                return ""
            missing += self._gpu_shortages(key, requests)
        shortages = "; ".join(missing)
        return f"waiting: {shortages or 'earlier jobs come first'}"

    def _gpu_shortages(self, key: str, requests: Sequence[Resources]) -> list[str]:
        cards = self._current_cards()
        shortages = self._usable(key, requests, cards).shortages(requests)
        if shortages and self.access:
            shortages += self.access.remarks(key)
        return shortages

    def _survey_gpus(self, survey: GpuSurvey) -> None:
        """Ask who uses the GPUs, unless jobs have all of them."""
        if self._current_cards().have_room:
            assigned = set[str]()
            for _, gpu_ids in self.running.values():
                assigned.update(gpu_ids)
            survey.refresh(self.capacity.gpus, assigned)

    def _admit_units(self) -> Iterator[Admission]:
        free, cards = self._free(), self._cards()
        reserved = self._reserved()
        for keys in self._units():
            requests = [self.waiting[key] for key in keys]
            request = total(requests)
            cpus = self.cpus.get(keys[0], frozenset())
            # Otherwise it waits only for pods on the same CPUs, and delays no others.
            if not reserved.take(cpus, request.cpus):
                continue
            placement = self._usable(keys[0], requests, cards).place(requests)
            if free.fits(request) and placement is not None:
                yield from self._start(keys, placement)
            free = free.minus(request)
            if free.cpus <= 0 or free.mem <= 0:
                return

    def _start(
        self, keys: Sequence[str], placement: gpu_placement.Placement
    ) -> Iterator[Admission]:
        self._cards_now = None
        for key, gpus in zip(keys, placement, strict=True):
            request = self.waiting.pop(key)
            self.gangs.pop(key, None)
            self.running[key] = (request, tuple(gpu.id for gpu in gpus))
            yield Admission(key, gpus)

    def _admit_companions(self) -> Iterator[Admission]:
        for key, prefix in list(self.companions.items()):
            has_started = any(pod.startswith(prefix) for pod in self.running)
            # If nothing else of the run waits, no other pod will ever bring it along.
            if has_started or not self._awaits_others(prefix):
                del self.companions[key]
                self.running[key] = (self.waiting.pop(key), ())
                yield Admission(key, ())

    def _awaits_others(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._jobs())

    def _jobs(self) -> list[str]:
        """Return the waiting pods that are not companions, in order."""
        return [key for key in self.waiting if key not in self.companions]

    def _units(self) -> list[list[str]]:
        """Return the waiting pods in order, the pods of a gang as one unit."""
        if not self.gangs:
            return [[key] for key in self._jobs()]
        units: dict[tuple[str, str], list[str]] = {}
        for key in self._jobs():
            gang = self.gangs.get(key)
            unit = ("pod", key) if gang is None else ("gang", gang)
            units.setdefault(unit, []).append(key)
        return list(units.values())

    def _peers(self, key: str) -> Iterable[str]:
        """Return the waiting pods that start together with this one, itself included."""
        gang = self.gangs.get(key)
        if gang is None:
            return (key,)
        return [peer for peer, peer_gang in self.gangs.items() if peer_gang == gang]

    def _reserved(self) -> ReservedCores:
        reserved = ReservedCores()
        for key, cpus in self.cpus.items():
            if key in self.running:
                request, _ = self.running[key]
                reserved.take(cpus, request.cpus)
        return reserved

    def _free(self) -> Capacity:
        used = total(request for request, _ in self.running.values())
        return self.capacity.minus(used)

    def _usable(
        self, key: str, requests: Sequence[Resources], cards: gpu_placement.Cards
    ) -> gpu_placement.Cards:
        """Return the cards that a waiting pod, and all that start with it, may get now."""
        # The first pod of a gang may be a server without a GPU.
        if self.access is None or not any(request.gpus for request in requests):
            return cards
        return cards.only(self.access.usable(key))

    def _current_cards(self) -> gpu_placement.Cards:
        """Return the cards as pods use them now, on which nothing may be placed."""
        if self._cards_now is None:
            self._cards_now = self._cards()
        return self._cards_now

    def _cards(self) -> gpu_placement.Cards:
        cards = gpu_placement.Cards(self.capacity.gpus)
        for request, gpu_ids in self.running.values():
            cards.add_running(request, gpu_ids)
        return cards
