"""What Argo's UI says of a run below its title: how many experiments, and the values of the parameters, as Markdown."""

from riseml.plan import ExperimentSet

# Values of one parameter that are named
_MOST = 8
# Characters
_LONGEST = 400


def describe(plan: ExperimentSet) -> str:
    """Return one paragraph, empty for an experiment without parameters."""
    parameters = [
        f"{name} {_code(_several(dict.fromkeys(each.parameters[name] for each in plan.experiments)))}"
        for name in plan.experiments[0].parameters
    ]
    count = (
        [f"{len(plan.experiments)} experiments, {plan.concurrency} at a time"]
        if plan.is_set
        else []
    )
    return ": ".join([*count, *([", ".join(parameters)] if parameters else [])])


def _several(values: dict[str, None]) -> str:
    named = " | ".join(list(values)[:_MOST])
    text = f"{named} | …" if len(values) > _MOST else named
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text


def _code(text: str) -> str:
    """Return text as a piece of code, in which Markdown sees no markup."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
