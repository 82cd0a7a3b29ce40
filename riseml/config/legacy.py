"""Dialects of 2016 and 2017: files that trained are rewritten to today's with a note; others are named.

    repository: x                                   project: x
    image: {name: x, install: [y]}                  image: x, install: [y]
    params, hyperparams: {concurrent-experiments}   parameters, concurrency
    gpus: 1  (beside run)                           resources: {gpus: 1}
    resources: {master: …, worker: …, ps: …}        resources: …, tensorflow.distributed.<role>.resources: …
    tensorflow: {distributed: true,                 tensorflow: {distributed: {
      worker-count: 2, ps-count: 1,                   worker: 3, ps: 1},          worker counts the master now
      tensorboard: ./logs}                            tensorboard: true}

Changed nodes are copied, since an alias may use the same node elsewhere in the file.
"""

from collections.abc import Callable

from yaml.nodes import MappingNode, Node, ScalarNode

from riseml.errors import ConfigError
from riseml.schema.fields import underscored
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import BOOL, INT, MAP, STR, decimal_of, is_scalar, text_of

Pair = tuple[Node, Node]
Pairs = list[Pair]

# The keys of dialects that did not train, and what these dialects did.
_SERVING_KEYS = {
    "service": "served a model in 2016",
    "deploy": "deployed a model in 2017",
}
# Keys that only files of the serving dialects have beside `train`.
_SERVING_OPTIONS = ("description", "input", "output", "image", "demo", "gpu")
_ROLES = ("master", "worker", "ps")
# The defaults of 2017; `worker-count` did not count the master.
_OLD_COUNTS = {"ps": 1, "worker": 2}
_CONCURRENCY_KEYS = (
    "max_parallel_experiments",
    "concurrent_experiments",
    "concurrency",
)
_TRUTH = ("true", "false")
# Texts that mean a truth value, or nothing, rather than a path.
_NO_PATHS = ("", "yes", "no", "on", "off", "true", "false", "y", "n")


def modernize(root: Node, doc: Document) -> Node:
    """Return the file in today's dialect; rewritten nodes keep their positions.

    Raises:
        ConfigError: the file is in a dialect that never trained.
    """
    if not isinstance(root, MappingNode):
        return root
    pairs = list(root.value)
    serving = [key for key, _ in pairs if _name(key) in _SERVING_KEYS]
    if serving:
        _refuse_serving(serving[0], doc)
        if not _has(pairs, "train"):
            raise ConfigError(doc.faults)
        unsupported = (*_SERVING_KEYS, *_SERVING_OPTIONS)
        pairs = [pair for pair in pairs if _name(pair[0]) not in unsupported]
    _rename(pairs, "repository", "project", doc)
    _change(pairs, "train", lambda node: _train(node, doc))
    return _mapping(pairs, root)


def _refuse_serving(key: Node, doc: Document) -> None:
    word = _name(key)
    advice = (
        "RiseML only trains: write what is to run under train: {image, resources, run}, "
        "and remove everything else."
    )
    doc.error(
        key, f"'{word}' {_SERVING_KEYS[word]}, and is no longer supported", advice
    )


def _train(node: Node, doc: Document) -> Node:
    if not isinstance(node, MappingNode):
        return node
    pairs = list(node.value)
    # Today's names come first, so that later steps see one spelling of each key.
    _split_image(pairs, doc)
    _rename(pairs, "params", "parameters", doc)
    _rename(pairs, "concurrent_experiments", "concurrency", doc)
    _rename(pairs, "max_parallel_experiments", "concurrency", doc)
    _unfold_hyperparams(pairs, doc)
    _fold_gpus(pairs, doc)
    _drop_basic_framework(pairs, doc)
    if text_of(_value(pairs, "kind")) == "train":
        key, _ = _pop(pairs, "kind")
        doc.deprecate(key, "'kind: train' is no longer needed", "Remove the line.")
    if _has(pairs, "inputs"):
        key, _ = _pop(pairs, "inputs")
        doc.warn(
            key,
            "'inputs' no longer has an effect",
            "All shared data is below /data.",
        )
    _change(pairs, "search", lambda section: _search(section, doc))
    roles = _split_resources(pairs, doc)
    _change(pairs, "tensorflow", lambda section: _tensorflow(section, roles, doc))
    if roles and not _has(pairs, "tensorflow"):
        doc.error(
            roles[0][0],
            "resources by job type need tensorflow.distributed",
            "Write resources: {cpus, mem, gpus}.",
        )
    return _mapping(pairs, node)


def _search(node: Node, doc: Document) -> Node:
    if not isinstance(node, MappingNode):
        return node
    pairs = list(node.value)
    _rename(pairs, "strategy", "method", doc)
    return _mapping(pairs, node)


def _split_image(pairs: Pairs, doc: Document) -> None:
    """Write `image: {name, install}` as `image` and `install`."""
    image = _value(pairs, "image")
    if not isinstance(image, MappingNode) or not _has(image.value, "name"):
        return
    key, _ = _pop(pairs, "image")
    inner = list(image.value)
    doc.deprecate(key, "'image: {name, install}' is now 'image: …' and 'install: …'")
    for old, new in (("name", "image"), ("install", "install")):
        if _has(inner, old):
            inner_key, value = _pop(inner, old)
            pairs.append((_text(new, inner_key), value))
    for unknown, _ in inner:
        doc.error(
            unknown,
            f"unknown key '{_name(unknown)}' in train.image",
            "Write image and install below train.",
        )


def _unfold_hyperparams(pairs: Pairs, doc: Document) -> None:
    hyperparams = _value(pairs, "hyperparams")
    if not isinstance(hyperparams, MappingNode):
        return
    key, _ = _pop(pairs, "hyperparams")
    doc.deprecate(
        key,
        "'hyperparams' is no longer used: its 'concurrent-experiments' is now 'concurrency'",
    )
    for inner_key, value in hyperparams.value:
        if _name(inner_key) in _CONCURRENCY_KEYS:
            pairs.append((_text("concurrency", inner_key), value))
        else:
            doc.error(
                inner_key,
                f"unknown key '{_name(inner_key)}' in train.hyperparams",
                "Write parameters and concurrency.",
            )


def _fold_gpus(pairs: Pairs, doc: Document) -> None:
    """Write `gpus` beside `run` as `resources: {gpus}`."""
    if _has(pairs, "resources") or not _has(pairs, "gpus"):
        return
    key, value = _pop(pairs, "gpus")
    doc.deprecate(
        key,
        "'gpus' beside 'run' is now 'resources: {gpus: …}'",
        "cpus and mem belong there as well.",
    )
    resources = MappingNode(MAP, [(key, value)], key.start_mark, value.end_mark)
    pairs.append((_text("resources", key), resources))


def _drop_basic_framework(pairs: Pairs, doc: Document) -> None:
    if text_of(_value(pairs, "framework")) == "riseml_basic":
        _, framework = _pop(pairs, "framework")
        doc.deprecate(
            framework,
            "'framework: riseml_basic' is no longer needed",
            "Remove the line.",
        )


def _split_resources(pairs: Pairs, doc: Document) -> Pairs:
    """Remove the resources of single job types, leave the worker's to all, and return them by role."""
    resources = _value(pairs, "resources")
    if not isinstance(resources, MappingNode):
        return []
    roles = [pair for pair in resources.value if _name(pair[0]) in _ROLES]
    if not roles:
        return []
    key, _ = _pop(pairs, "resources")
    doc.deprecate(
        key,
        "resources by job type now belong in tensorflow.distributed",
        "For example ps: {resources: …}.",
    )
    common = [pair for pair in resources.value if pair not in roles]
    if common:
        pairs.append((key, _mapping(common, resources)))
    else:
        pairs.append((key, _value(roles, "worker") or roles[0][1]))
    return roles


def _tensorflow(section: Node, roles: Pairs, doc: Document) -> Node:
    if not isinstance(section, MappingNode):
        return section
    pairs = list(section.value)
    tensorboard = _value(pairs, "tensorboard")
    if is_scalar(tensorboard, STR) and tensorboard.value.lower() in _TRUTH:
        doc.deprecate(tensorboard, "'tensorboard' needs no quotes")
        text = tensorboard.value.lower()
        _change(pairs, "tensorboard", lambda node: _scalar(node, BOOL, text))
    elif is_scalar(tensorboard, STR) and tensorboard.value.lower() not in _NO_PATHS:
        doc.deprecate(
            tensorboard,
            "'tensorboard' is now true or false: TensorBoard shows the complete output directory",
        )
        _change(pairs, "tensorboard", lambda node: _scalar(node, BOOL, "true"))
    _distribute(pairs, roles, section, doc)
    return _mapping(pairs, section)


def _distribute(pairs: Pairs, roles: Pairs, section: Node, doc: Document) -> None:
    """Write `distributed: true`, the counts beside it and the resources by role as one mapping."""
    counts: dict[str, Pair] = {}
    for role in ("ps", "worker"):
        if _has(pairs, f"{role}_count"):
            counts[role] = _pop(pairs, f"{role}_count")
    switch = _value(pairs, "distributed")
    if is_scalar(switch, BOOL):
        key, _ = _pop(pairs, "distributed")
        if switch.value.lower() == "true":
            doc.deprecate(
                key,
                "'distributed: true' is now 'distributed: {worker: 3, ps: 1}'",
                "worker counts the master.",
            )
            pairs.append((key, _role_mapping(counts, roles, section)))
            return
        doc.deprecate(
            key, "'distributed: false' is no longer needed", "Remove the line."
        )
    elif roles and isinstance(switch, MappingNode):
        merged = [*switch.value, *map(_wrap_resources, roles)]
        replacement = MappingNode(MAP, merged, section.start_mark)
        _change(pairs, "distributed", lambda _: replacement)
        return
    for key, _ in [*counts.values(), *roles]:
        doc.warn(key, f"'{_name(key)}' has no effect without tensorflow.distributed")


def _role_mapping(counts: dict[str, Pair], roles: Pairs, section: Node) -> Node:
    """Return the mapping `distributed`, with the old defaults where a count is missing."""
    pairs: Pairs = []
    for role in ("ps", "worker", "master"):
        default = _scalar(section, INT, str(_OLD_COUNTS.get(role)))
        key, count = counts.get(role, (section, default))
        if role == "worker":
            count = _with_master(count)
        inner: Pairs = []
        if role in _OLD_COUNTS:
            inner.append((_text("count", key), count))
        resources = _value(roles, role)
        if resources is not None:
            inner.append((_text("resources", resources), resources))
        mapping = MappingNode(MAP, inner, key.start_mark, key.end_mark)
        pairs.append((_text(role, key), mapping))
    return MappingNode(MAP, pairs, section.start_mark, section.end_mark)


def _with_master(count: Node) -> Node:
    """Return an old number of workers plus the master."""
    workers = decimal_of(text_of(count))
    if count.tag == INT and workers:
        return _scalar(count, INT, str(int(workers) + 1))
    return count


def _wrap_resources(role: Pair) -> Pair:
    key, value = role
    inner = [(_text("resources", key), value)]
    return key, MappingNode(MAP, inner, key.start_mark, value.end_mark)


def _rename(pairs: Pairs, old: str, new: str, doc: Document) -> None:
    for index in _indices(pairs, old):
        key, value = pairs[index]
        doc.deprecate(key, f"'{key.value}' is now '{new}'")
        pairs[index] = _text(new, key), value


def _change(pairs: Pairs, name: str, change: Callable[[Node], Node]) -> None:
    for index in _indices(pairs, name):
        key, value = pairs[index]
        pairs[index] = key, change(value)


def _pop(pairs: Pairs, name: str) -> Pair:
    """Remove and return the first pair of a key that is there."""
    return pairs.pop(_indices(pairs, name)[0])


def _value(pairs: Pairs, name: str) -> Node | None:
    indices = _indices(pairs, name)
    return pairs[indices[0]][1] if indices else None


def _has(pairs: Pairs, name: str) -> bool:
    return bool(_indices(pairs, name))


def _indices(pairs: Pairs, name: str) -> list[int]:
    """Return where a key is; a file with duplicate keys has it more than once."""
    return [index for index, (key, _) in enumerate(pairs) if _name(key) == name]


def _name(key: Node) -> str:
    return underscored(key.value) if is_scalar(key, STR) else ""


def _mapping(pairs: Pairs, node: MappingNode) -> MappingNode:
    """Return a mapping with other pairs and the node's tag, position and style."""
    return MappingNode(node.tag, pairs, node.start_mark, node.end_mark, node.flow_style)


def _text(text: str, node: Node) -> ScalarNode:
    return _scalar(node, STR, text)


def _scalar(node: Node, tag: str, text: str) -> ScalarNode:
    """Return a scalar at the position of a node."""
    return ScalarNode(tag, text, node.start_mark, node.end_mark)
