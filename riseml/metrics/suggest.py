"""Names of metrics in logs, for a riseml.yml that names none."""

import re

from riseml.metrics import numbers

# Words that make a name one of a metric, not of any other number in a log.
_MEASURES = (
    "acc|accuracy|auc|auroc|bleu|bpc|cer|dice|elbo|err|error|f1|fid|iou|logloss|loss|mae|map|mape|mrr|mse|nll"
    "|perplexity|ppl|precision|psnr|r2|recall|return|reward|rew|rmse|rouge|ssim|wer"
)
_HELD_OUT = r"(?:val(?:id(?:ation)?)?|test|eval|dev)"
_NAME = (
    rf"(?:(?:train|{_HELD_OUT})(?:ing)?[ ]|\w+'s[ ])?"
    rf"(?:[A-Za-z][A-Za-z0-9@]*[_/.-])*(?:{_MEASURES})(?:@?\d+)?(?:[_/.-][A-Za-z0-9@]+)*"
)
_ASSIGNED = re.compile(
    rf"""(?<![\w/.-])({_NAME})["']?(?:[ \t]*[:=|][ \t]*|[ \t]+)["']?(?=[\[(]?{numbers.NUMBER})""",
    re.IGNORECASE,
)
_IS_HELD_OUT = re.compile(rf"(?:^|[\W_]){_HELD_OUT}(?:[\W_]|$)", re.IGNORECASE)
_MAX_NAMES = 5


def metric_names(text: str) -> tuple[str, ...]:
    """Return a few names of metrics that have values in a log, those of held-out data first."""
    names = dict.fromkeys(map(_plain, _ASSIGNED.findall(text)))
    ordered = sorted(names, key=_is_of_training)
    return tuple(ordered[:_MAX_NAMES])


def _plain(name: str) -> str:
    """Return a name of several words as riseml.yml would name it."""
    if " " not in name or "'" in name:
        return name
    return name.replace(" ", "_").lower()


def _is_of_training(name: str) -> bool:
    return _IS_HELD_OUT.search(name) is None
