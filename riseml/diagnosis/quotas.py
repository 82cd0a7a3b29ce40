"""Explanations for jobs that a quota of their namespace holds up.

Kubernetes writes amounts in units of its own, and counts Argo's containers beside a job:

    requested: requests.cpu=210m, used: requests.cpu=220m, limited: requests.cpu=300m

RiseML writes them as in riseml.yml, and says which part is the job's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from riseml import phrases
from riseml.dataclass import dataclass
from riseml.diagnosis.evidence import Cause, Evidence, Explain, Subject, cause
from riseml.plan import Resources
from riseml.quantities import amount_of, noun_of, number_text, with_noun

_MESSAGE = re.compile(
    r"exceeded quota: (?P<name>[\w.-]+), requested: (?P<requested>.*?), used: (?P<used>.*?), limited: (?P<hard>.*)"
)
# The quota that `riseml user create` and `user update` write.
_OWN = "riseml"
# What Kubernetes limits, without `requests.` and `limits.`, in the words of riseml.yml.
_NAMES = {
    "cpu": "cpus",
    "memory": "mem",
    "storage": "storage",
    "ephemeral-storage": "disk space",
    "persistentvolumeclaims": "claims",
}
_SIZES = frozenset({"mem", "storage", "disk space"})
_OPTIONS = {"cpus": "--cpus N", "mem": "--mem AMOUNT", "gpus": "--gpus N"}
_STARTS_LATER = (
    "It starts by itself when other runs of yours end; `riseml status` lists them."
)


@dataclass(frozen=True)
class _Shortage:
    """One resource of which a pod needs more than a quota has left."""

    noun: str
    requested: str
    used: str
    limit: str

    def is_hopeless(self) -> bool:
        """Return whether the request alone is larger than the quota."""
        number, most = amount_of(self.requested), amount_of(self.limit)
        return number is not None and most is not None and number > most

    def written(self, amount: str) -> str:
        """Return an amount as in riseml.yml, unchanged where Kubernetes' text is not one."""
        number = amount_of(amount)
        if number is None:
            return amount
        return _text(self.noun, number)

    def needed(self, resources: Resources | None) -> str:
        """Return what the pod needs, and what of it the job asked for."""
        amount = self.written(self.requested)
        text = amount if self.noun == "mem" else with_noun(amount, self.noun)
        own = _own(self.noun, resources)
        if own in {"", "0", amount}:
            return text
        return f"{text} ({own} for the job, the rest for Argo's containers beside it)"

    def limited(self) -> str:
        """Return the limit of the quota with its name."""
        return with_noun(self.written(self.limit), self.noun)

    def use(self) -> str:
        """Return how much of the quota is in use."""
        return f"{self.noun} ({self.written(self.used)} of {self.written(self.limit)} in use)"


def quota(evidence: Evidence, subject: Subject) -> Cause:
    """Explain QUOTA: the namespace's quota has no room."""
    message = subject.message or evidence.run.message
    match = _MESSAGE.search(message)
    if match is None:
        explanation = "it is waiting for room in the quota"
        return cause(subject, explanation, [message], _STARTS_LATER)
    shortages = list(_shortages(match))
    needs = ", ".join(shortage.needed(subject.resources) for shortage in shortages)
    advice = _raise(evidence, match["name"], shortages)
    hopeless = list(filter(_Shortage.is_hopeless, shortages))
    if hopeless:
        limits = ", ".join(shortage.written(shortage.limit) for shortage in hopeless)
        if len(shortages) > 1:
            limits = ", ".join(map(_Shortage.limited, hopeless))
        explanation = (
            f"it requests {needs}, but the quota allows no more than {limits} at all"
        )
        less = "Request less under `resources` in riseml.yml."
        return cause(subject, explanation, [message], less, advice)
    use = ", ".join(map(_Shortage.use, shortages))
    explanation = f"it needs {needs}, and the quota is used up: {use}"
    return cause(subject, explanation, [message], _STARTS_LATER, advice)


def _shortages(match: re.Match[str]) -> Iterator[_Shortage]:
    used, limits = _amounts(match["used"]), _amounts(match["hard"])
    for name, requested in _amounts(match["requested"]).items():
        limit = limits.get(name, "?")
        yield _Shortage(_noun(name), requested, used.get(name, "?"), limit)


def _amounts(text: str) -> dict[str, str]:
    """Return the amounts of "requests.cpu=2,pods=1" by name."""
    amounts = {}
    for pair in text.split(","):
        name, separator, amount = pair.partition("=")
        if separator:
            amounts[name] = amount
    return amounts


def _noun(resource: str) -> str:
    for prefix in ("requests.", "limits.", "count/"):
        resource = resource.removeprefix(prefix)
    return noun_of(resource, _NAMES)


def _text(noun: str, amount: Decimal) -> str:
    if noun in _SIZES:
        return phrases.memory(float(amount))
    return number_text(amount)


def _own(noun: str, resources: Resources | None) -> str:
    """Return what a job itself requests of a resource, empty if it cannot request that."""
    if resources is None:
        return ""
    amounts = {
        "cpus": resources.cpus,
        "mem": Decimal(resources.mem),
        "gpus": Decimal(resources.gpus),
    }
    amount = amounts.get(noun)
    return "" if amount is None else _text(noun, amount)


def _raise(evidence: Evidence, name: str, shortages: Sequence[_Shortage]) -> str:
    """Return how an administrator raises a quota."""
    options = [_OPTIONS.get(shortage.noun, "") for shortage in shortages]
    if name == _OWN and all(options):
        command = (
            f"riseml user update --username {evidence.run.user} {' '.join(options)}"
        )
        return f"An administrator can raise the quota: `{command}`."
    nouns = ", ".join(shortage.noun for shortage in shortages)
    return f"An administrator can raise the ResourceQuota {name} of the namespace ({nouns})."


EXPLANATIONS: Mapping[str, Explain] = {"QUOTA": quota}
