"""The dialects of 2016 and 2017: those that trained are rewritten to today's, with a note; the others are named.

    repository: x                                   project: x
    image: {name: x, install: [y]}                  image: x, install: [y]
    params, hyperparams: {concurrent-experiments}   parameters, concurrency
    gpus: 1  (beside run)                           resources: {gpus: 1}
    resources: {master: …, worker: …, ps: …}        resources: …, tensorflow.distributed.<role>.resources: …
    tensorflow: {distributed: true,                 tensorflow: {distributed: {
      worker-count: 2, ps-count: 1,                   worker: 3, ps: 1},          worker counts the master now
      tensorboard: ./logs}                            tensorboard: true}

Nodes are made anew where they change, since an alias may show the same node in another place.
"""

from collections.abc import Callable

from yaml.nodes import MappingNode, Node, ScalarNode

from riseml.schema.fields import underscored
from riseml.schema.yaml_document import BOOL, INT, MAP, STR, Document, decimal_of

Pairs = list[tuple[Node, Node]]

_DEAD = ("service", "deploy")
_OF_THE_DEAD = ("description", "input", "output", "image", "demo", "gpu")
_ROLES = ("master", "worker", "ps")
# The default of worker-count, which did not count the master
_OLD_WORKERS = 2
_NO_PATHS = ("", "yes", "no", "on", "off", "true", "false", "y", "n")


def modernise(root: Node, doc: Document) -> Node | None:
    """Return the file in today's dialect; None where it is of one that never trained.

    The places of what is rewritten stay those of the old words.
    """
    if not isinstance(root, MappingNode):
        return root
    pairs = list(root.value)
    if (
        dead := next((key for key, _ in pairs if _name(key) in _DEAD), None)
    ) is not None:
        _refuse_serving(dead, doc)
        if not _has(pairs, "train"):
            return None
        pairs = [
            pair for pair in pairs if _name(pair[0]) not in (*_DEAD, *_OF_THE_DEAD)
        ]
    _rename(pairs, "repository", "project", doc)
    _change(pairs, "train", lambda node: _train(node, doc))
    return _mapping(pairs, root)


def _refuse_serving(key: Node, doc: Document) -> None:
    word = _name(key)
    dialect = (
        "served a model in 2016" if word == "service" else "deployed a model in 2017"
    )
    advice = "RiseML trains only: write what is to run under train: {image, resources, run}, and remove the rest."
    doc.error(key, f"'{word}' {dialect}, and is not supported any more", advice)


def _train(node: Node, doc: Document) -> Node:
    if not isinstance(node, MappingNode):
        return node
    pairs = list(node.value)
    _split_image(pairs, doc)
    _rename(pairs, "params", "parameters", doc)
    _rename(pairs, "concurrent_experiments", "concurrency", doc)
    _rename(pairs, "max_parallel_experiments", "concurrency", doc)
    _unfold_hyperparams(pairs, doc)
    _fold_gpus(pairs, doc)
    _drop_basic(pairs, doc)
    if (inputs := _take(pairs, "inputs")) is not None:
        doc.warn(
            inputs[0],
            "'inputs' has no effect any more",
            "All shared data is below /data.",
        )
    roles = _split_resources(pairs, doc)
    _change(pairs, "tensorflow", lambda each: _tensorflow(each, roles, doc))
    if roles and not _has(pairs, "tensorflow"):
        doc.error(
            roles[0][0],
            "resources by job type need tensorflow.distributed",
            "Give resources: {cpus, mem, gpus}.",
        )
    return _mapping(pairs, node)


def _split_image(pairs: Pairs, doc: Document) -> None:
    found = _value(pairs, "image")
    if not isinstance(found, MappingNode) or not _has(found.value, "name"):
        return
    key, _ = _take(pairs, "image") or (found, found)
    parts = list(found.value)
    doc.deprecate(key, "'image: {name, install}' is now 'image: …' and 'install: …'")
    for part, name in (("name", "image"), ("install", "install")):
        if (pair := _take(parts, part)) is not None:
            pairs.append((_text(name, pair[0]), pair[1]))
    for left, _ in parts:
        doc.error(
            left,
            f"unknown key '{_name(left)}' in train.image",
            "Write image and install below train.",
        )


def _unfold_hyperparams(pairs: Pairs, doc: Document) -> None:
    found = _value(pairs, "hyperparams")
    if not isinstance(found, MappingNode):
        return
    key, _ = _take(pairs, "hyperparams") or (found, found)
    doc.deprecate(
        key, "'hyperparams' is gone: its 'concurrent-experiments' is now 'concurrency'"
    )
    for name, value in found.value:
        if _name(name) in (
            "max_parallel_experiments",
            "concurrent_experiments",
            "concurrency",
        ):
            pairs.append((_text("concurrency", name), value))
        else:
            doc.error(
                name,
                f"unknown key '{_name(name)}' in train.hyperparams",
                "Write parameters and concurrency.",
            )


def _fold_gpus(pairs: Pairs, doc: Document) -> None:
    if _has(pairs, "resources") or not _has(pairs, "gpus"):
        return
    key, value = _take(pairs, "gpus") or pairs[0]
    doc.deprecate(
        key,
        "'gpus' beside 'run' is now 'resources: {gpus: …}'",
        "cpus and mem can be said there as well.",
    )
    pairs.append(
        (
            _text("resources", key),
            MappingNode(MAP, [(key, value)], key.start_mark, value.end_mark),
        )
    )


def _drop_basic(pairs: Pairs, doc: Document) -> None:
    framework = _value(pairs, "framework")
    if isinstance(framework, ScalarNode) and framework.value == "riseml_basic":
        _take(pairs, "framework")
        doc.deprecate(
            framework,
            "'framework: riseml_basic' is no longer needed",
            "Remove the line.",
        )


def _split_resources(pairs: Pairs, doc: Document) -> Pairs:
    """Take the resources of single job types away, leaving the worker's to all; return them."""
    found = _value(pairs, "resources")
    roles = (
        [pair for pair in found.value if _name(pair[0]) in _ROLES]
        if isinstance(found, MappingNode)
        else []
    )
    if not roles or not isinstance(found, MappingNode):
        return []
    key, _ = _take(pairs, "resources") or roles[0]
    doc.deprecate(
        key,
        "resources by job type now stand in tensorflow.distributed",
        "For example ps: {resources: …}.",
    )
    rest = [pair for pair in found.value if pair not in roles]
    usual = next(
        (value for role, value in roles if _name(role) == "worker"), roles[0][1]
    )
    pairs.append((key, _mapping(rest, found) if rest else usual))
    return roles


def _tensorflow(node: Node, roles: Pairs, doc: Document) -> Node:
    if not isinstance(node, MappingNode):
        return node
    pairs = list(node.value)
    board = _value(pairs, "tensorboard")
    if (
        isinstance(board, ScalarNode)
        and board.tag == STR
        and board.value.lower() not in _NO_PATHS
    ):
        doc.deprecate(
            board,
            "'tensorboard' is now true or false: it shows the whole output directory",
        )
        _change(pairs, "tensorboard", lambda each: _like(each, BOOL, "true"))
    _distribute(pairs, roles, node, doc)
    return _mapping(pairs, node)


def _distribute(pairs: Pairs, roles: Pairs, node: Node, doc: Document) -> None:
    counts = {
        name: pair
        for name in ("ps", "worker")
        if (pair := _take(pairs, f"{name}_count")) is not None
    }
    switch = _value(pairs, "distributed")
    if isinstance(switch, ScalarNode) and switch.tag == BOOL:
        key, _ = _take(pairs, "distributed") or (switch, switch)
        if switch.value.lower() == "true":
            doc.deprecate(
                key,
                "'distributed: true' is now 'distributed: {worker: 3, ps: 1}'",
                "worker counts the master.",
            )
            pairs.append((key, _roles(counts, roles, node)))
            return
        doc.deprecate(
            key, "'distributed: false' is no longer needed", "Remove the line."
        )
    elif roles and isinstance(switch, MappingNode):
        _change(
            pairs,
            "distributed",
            lambda each: MappingNode(
                MAP, [*each.value, *_wrapped(roles)], node.start_mark
            ),
        )
        return
    for key, _ in [*counts.values(), *roles]:
        doc.warn(key, f"'{_name(key)}' has no effect without tensorflow.distributed")


def _roles(counts: dict[str, tuple[Node, Node]], roles: Pairs, node: Node) -> Node:
    own = {_name(role): value for role, value in roles}
    made: Pairs = []
    for role in ("ps", "worker", "master"):
        key, count = counts.get(
            role, (node, _like(node, INT, "1" if role == "ps" else str(_OLD_WORKERS)))
        )
        if (
            role == "worker"
            and isinstance(count, ScalarNode)
            and count.tag == INT
            and (old := decimal_of(count.value))
        ):
            count = _like(count, INT, str(int(old) + 1))
        parts: Pairs = [] if role == "master" else [(_text("count", key), count)]
        if role in own:
            parts.append((_text("resources", own[role]), own[role]))
        made.append(
            (_text(role, key), MappingNode(MAP, parts, key.start_mark, key.end_mark))
        )
    return MappingNode(MAP, made, node.start_mark, node.end_mark)


def _wrapped(roles: Pairs) -> Pairs:
    return [
        (
            role,
            MappingNode(
                MAP,
                [(_text("resources", role), value)],
                role.start_mark,
                value.end_mark,
            ),
        )
        for role, value in roles
    ]


def _rename(pairs: Pairs, old: str, new: str, doc: Document) -> None:
    for at, (key, value) in enumerate(pairs):
        if _name(key) == old:
            doc.deprecate(key, f"'{key.value}' is now '{new}'")
            pairs[at] = _text(new, key), value


def _change(pairs: Pairs, name: str, change: Callable[[Node], Node]) -> None:
    pairs[:] = [
        (key, change(value) if _name(key) == name else value) for key, value in pairs
    ]


def _take(pairs: Pairs, name: str) -> tuple[Node, Node] | None:
    for at, (key, _) in enumerate(pairs):
        if _name(key) == name:
            return pairs.pop(at)
    return None


def _value(pairs: Pairs, name: str) -> Node | None:
    return next((value for key, value in pairs if _name(key) == name), None)


def _has(pairs: Pairs, name: str) -> bool:
    return any(_name(key) == name for key, _ in pairs)


def _name(key: Node) -> str:
    return (
        underscored(key.value) if isinstance(key, ScalarNode) and key.tag == STR else ""
    )


def _mapping(pairs: Pairs, node: MappingNode) -> MappingNode:
    return MappingNode(node.tag, pairs, node.start_mark, node.end_mark, node.flow_style)


def _text(text: str, like: Node) -> ScalarNode:
    return _like(like, STR, text)


def _like(node: Node, tag: str, text: str) -> ScalarNode:
    return ScalarNode(tag, text, node.start_mark, node.end_mark)
