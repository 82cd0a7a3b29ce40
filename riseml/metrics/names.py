"""Names of series: which tag, column or key a metric of riseml.yml means.

A series has a folder and a tag: `logs/validation` and `epoch_loss`. The first of these
that exists is the metric `val_loss`:

0. the tag `val_loss`, or folder and tag as they are written, `validation/epoch_loss`;
1. the same words: the tag `val/loss`, `loss` in a folder `val`, Keras's `epoch_loss` in `validation`;
2. the same words without `train` before them or `epoch` after them: `val_loss_epoch`;
3. the only tag whose last part has that name, `fold/val_loss`, unless a log has the metric.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from riseml.metrics.series import Series

_WORD = re.compile(r"[^\W_]+")
_SAME_WORDS = {"valid": "val", "validation": "val"}
# Folders of values that were not measured on training data.
_HELD_OUT = frozenset({"val", "test", "eval", "dev"})
_LAST_PART = 3
CLOSE: Collection[int] = (0, 1, 2)
"""Ranks of tags that mean the name for certain."""

LOOSE: Collection[int] = (_LAST_PART,)
"""Ranks of tags that may mean it, if nothing else does."""


@dataclass(frozen=True)
class Tagged:
    """A series with its folder, its tag, and when its file was changed (in seconds)."""

    folder: tuple[str, ...]
    tag: str
    modified: float
    series: Series
    path: str


def rank(name: str, folder: Sequence[str], tag: str) -> int | None:
    """Return how a tag fits a name, 0 for the best fit; None if it does not."""
    path = "/".join(("", *folder, tag))
    if len(name) >= len(tag) and path.endswith(f"/{name}"):
        return 0
    words = _words(name)
    leaf = "".join(folder[-1:])
    last_part = _words(tag.rpartition("/")[2])
    spellings = (_aliases(leaf, tag), _shorter(_words(tag)), (last_part,))
    for fit, same in enumerate(spellings, 1):
        # A name without letters and digits has no other spelling.
        if words and words in same:
            return fit
    return None


def _shorter(words: str) -> tuple[str, str, str]:
    """Return the words of a tag without the phase of the training that it belongs to."""
    without_train = words.removeprefix("train_")
    return (
        without_train,
        without_train.removesuffix("_epoch"),
        words.removesuffix("_epoch"),
    )


def choose(
    name: str, candidates: Iterable[Tagged], ranks: Collection[int] = CLOSE
) -> Tagged | None:
    """Return the series that a name means, None if there is none or several fit as well."""
    by_rank: dict[int | None, dict[tuple[tuple[str, ...], str], list[Tagged]]] = {}
    for candidate in candidates:
        fit = rank(name, candidate.folder, candidate.tag)
        if fit in ranks:
            same = by_rank.setdefault(fit, {})
            same.setdefault((candidate.folder, candidate.tag), []).append(candidate)
    if not by_rank:
        return None
    best = min(filter(by_rank.get, ranks))
    groups = list(by_rank[best].values())
    is_ambiguous = len(groups) > 1
    if best == _LAST_PART and is_ambiguous:
        return None
    group = min(groups, key=_order)
    return _joined(group)


def _order(group: list[Tagged]) -> tuple[bool, int, float]:
    """Return a sort key: training first, then folders at the top, then the newest."""
    folder = group[0].folder
    leaf = "".join(folder[-1:])
    is_held_out = _words(leaf) in _HELD_OUT
    return (is_held_out, len(folder), -max(tagged.modified for tagged in group))


def _joined(group: list[Tagged]) -> Tagged:
    """Return the series of several files of one folder as one; the names of files tell their order."""
    ordered = sorted(group, key=_path)
    series = Series()
    for tagged in ordered:
        series.extend(tagged.series)
    last = ordered[-1]
    return Tagged(last.folder, last.tag, last.modified, series, last.path)


def _path(tagged: Tagged) -> str:
    return tagged.path


def _words(text: str) -> str:
    words = [_SAME_WORDS.get(word, word) for word in _WORD.findall(text.lower())]
    return "_".join(words)


def _aliases(leaf: str, tag: str) -> Iterator[str]:
    """Yield what a tag in a folder is called, in words joined by underscores."""
    words, leaf_words = _words(tag), _words(leaf)
    measured = words.removeprefix("epoch_")
    if leaf_words == "val":
        yield f"val_{measured}"
    else:
        yield words
        yield measured
    if leaf_words:
        yield f"{leaf_words}_{words}"
    # torch's `add_scalars` writes each of them to a folder: loss_train, loss_val.
    if leaf_words.startswith(f"{words}_"):
        yield leaf_words
        yield f"{leaf_words.removeprefix(f'{words}_')}_{words}"
