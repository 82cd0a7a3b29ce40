"""Description of a run in Argo's UI: the number of experiments and the values of parameters, in Markdown."""

from riseml.plan import ExperimentSet

_MAX_VALUES = 8
_MAX_LENGTH = 400


def describe(plan: ExperimentSet) -> str:
    """Return one paragraph, empty for an experiment without parameters."""
    sentences = []
    if plan.is_set:
        sentences.append(
            f"{len(plan.experiments)} experiments, {plan.concurrency} at a time"
        )
    parameters = []
    for name in plan.experiments[0].parameters:
        # A dict keeps the order of the grid and drops repeated values.
        values = dict.fromkeys(
            experiment.parameters[name] for experiment in plan.experiments
        )
        parameters.append(f"{name} {_code(_join(list(values)))}")
    if parameters:
        sentences.append(", ".join(parameters))
    return ": ".join(sentences)


def _join(values: list[str]) -> str:
    text = " | ".join(values[:_MAX_VALUES])
    if len(values) > _MAX_VALUES:
        text = f"{text} | …"
    return f"{text[:_MAX_LENGTH]}…" if len(text) > _MAX_LENGTH else text


def _code(text: str) -> str:
    """Return text as inline code, in which Markdown interprets nothing."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
