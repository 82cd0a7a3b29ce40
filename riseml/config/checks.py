"""Checks across keys of `train`: faults that no key has on its own."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml import frameworks, search
from riseml.config import objective, pipelines, placeholders, sizes
from riseml.config.strategy import SearchConfig
from riseml.config.variables import is_ours
from riseml.excerpts import excerpt
from riseml.plan import Resources, exported
from riseml.schema.messages import number_text
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import NULL, SEQ, STR, is_scalar, items_of

Values = Mapping[str, Any]

# An absent key is checked like one that lists nothing.
_ABSENT = (ScalarNode(NULL, ""), SequenceNode(SEQ, []))

# Images without GPU libraries that users start from.
_CPU_IMAGES = ("alpine", "busybox")


def check(
    values: Values,
    entries: Entries,
    node: MappingNode,
    sections: Sequence[str],
    doc: Document,
) -> None:
    """Note errors, and warnings that no error has caused.

    `values` are those that could be read, `sections` the keys of frameworks.
    """
    parameters = _keys(entries, "parameters", doc)
    in_run = _with_braces(_texts(entries, "run"))
    in_env = _with_braces(_env_texts(entries, doc))
    in_install = _with_braces(_texts(entries, "install"))
    for text in (*in_run, *in_env):
        placeholders.check_text(text, parameters, doc)
    for text in in_install:
        placeholders.check_text(text, (), doc)
    sizes.check(
        [*_texts(entries, "run"), *_texts(entries, "install")],
        _env_items(entries, doc),
        _parameter_values(entries, doc),
        doc,
    )
    objective.check(values, entries, doc)
    _check_search(values, entries, doc)
    _check_variables(values, entries, parameters, doc)
    _check_framework(values, entries, node, doc)
    placeholders.warn_install(in_install, parameters, doc)
    pipelines.warn(_texts(entries, "run"), doc)
    _warn_sections(values, entries, sections, doc)
    _warn_idle_timeout(values, entries, doc)
    if not _is_faulty(values, entries, "parameters"):
        _warn_search(values, entries, doc)
        used = [*placeholders.uses(in_run), *placeholders.uses(in_env)]
        placeholders.warn_spaces(used, parameters, doc)
        placeholders.check_undeclared(used, parameters, doc)
        # Only commands are read by a shell.
        in_shell = placeholders.uses(in_run)
        placeholders.warn_values(values.get("parameters", {}), in_shell, doc)
        _warn_unused(values, entries, parameters, used, doc)
    if _is_all_text(entries, "run"):
        _warn_empty_run(values, entries, doc)


def options_of(values: Values) -> Any:
    """Return the framework's options, or its defaults where the file has no section for it."""
    name: Any = values.get("framework")
    options = values.get(name)
    if options is None:
        options = frameworks.find(name).SECTION.make()
    return options


def _warn_sections(
    values: Values, entries: Entries, sections: Sequence[str], doc: Document
) -> None:
    for key in sections:
        if key != values.get("framework"):
            doc.warn(entries[key][0], f"'{key}' has no effect without framework: {key}")


def _warn_idle_timeout(values: Values, entries: Entries, doc: Document) -> None:
    # A framework may have jobs with resources of their own.
    if "idle_timeout" not in entries or "framework" in entries:
        return
    resources = values.get("resources", Resources())
    if not _is_faulty(values, entries, "resources") and not resources.gpus:
        doc.warn(
            entries["idle_timeout"][0], "'idle_timeout' has no effect without gpus"
        )


def _warn_search(values: Values, entries: Entries, doc: Document) -> None:
    if "search" in entries and not values.get("parameters"):
        doc.warn(entries["search"][0], "'search' has no effect without parameters")


def _warn_unused(
    values: Values,
    entries: Entries,
    parameters: Mapping[str, ScalarNode],
    used: list[placeholders.Use],
    doc: Document,
) -> None:
    # A command that could not be read may use them.
    if _is_all_text(entries, "run"):
        placeholders.warn_unused(parameters, used, values.get("run") or (), doc)


def _warn_empty_run(values: Values, entries: Entries, doc: Document) -> None:
    if not "".join(values.get("run") or ()).strip():
        doc.warn(entries["run"][1], "run contains no command: every job ends at once")


def _check_search(values: Values, entries: Entries, doc: Document) -> None:
    """Note that the search makes no experiments, more than a set may have, or what it finds wrong itself."""
    parameters = values.get("parameters")
    if not parameters or _is_faulty(values, entries, "search"):
        return
    if values.get("experiments"):
        # These are no grid.
        return
    config: SearchConfig = values.get("search") or SearchConfig.default()
    strategy = search.find(config.method)
    if not doc.errors:
        for fault in search.faults(strategy, parameters, config.options):
            doc.error(_node_at(fault.key, entries, doc), fault.message, fault.advice)
    size = strategy.size(parameters, config.options)
    # Parameters with errors may have lost all their values.
    if size < 1 and not doc.errors:
        doc.error(
            entries["search"][1],
            "the search makes no experiments from these parameters",
            "Use more values, or other options.",
        )
    if size > search.MAX_TRIALS:
        doc.error(
            entries["parameters"][1],
            f"the parameters make {number_text(size)} experiments; a set has at most {search.MAX_TRIALS:,}",
            "Use fewer values, or several files.",
        )


def _node_at(path: str, entries: Entries, doc: Document) -> Node:
    """Return the node at a path such as `search.trials`, or the innermost one above it."""
    key, _, inner_key = path.partition(".")
    _, node = entries[key]
    if isinstance(node, MappingNode):
        _, node = doc.entries(node, key).get(inner_key, (None, node))
    return node


def _check_variables(
    values: Values,
    entries: Entries,
    parameters: Mapping[str, ScalarNode],
    doc: Document,
) -> None:
    """Note variables that two of parameters, env, secrets, the framework and RiseML would set."""
    # The first owner of a variable is named in the fault about the second.
    owners = {
        variable: f"the parameter '{excerpt(name)}'"
        for variable, name in exported(parameters).items()
    }
    framework = values.get("framework")
    if framework and not _is_faulty(values, entries, framework):
        variables = frameworks.find(framework).variables(options_of(values))
        _check_framework_variables(framework, variables, parameters, doc)
        owners.update(dict.fromkeys(variables, f"framework: {framework}"))
    for key, node in _variable_nodes(entries, doc):
        name = node.value
        if is_ours(name):
            doc.error(
                node,
                f"{key} cannot contain {excerpt(name)}: RiseML sets it",
                "Use another name.",
            )
        elif name in owners:
            doc.error(
                node,
                f"{key} cannot contain {excerpt(name)}: {owners[name]} sets it",
                "Remove one of the two.",
            )
        else:
            owners[name] = key


def _check_framework_variables(
    framework: str,
    variables: Collection[str],
    parameters: Mapping[str, ScalarNode],
    doc: Document,
) -> None:
    for variable, name in exported(parameters).items():
        if variable in variables:
            doc.error(
                parameters[name],
                f"'{name}' cannot be a parameter: {framework} sets ${variable}",
                "Rename it.",
            )


def _variable_nodes(
    entries: Entries, doc: Document
) -> Iterator[tuple[str, ScalarNode]]:
    """Yield the variables that `env` and `secrets` set, with the key that does."""
    for node in _keys(entries, "env", doc).values():
        yield "env", node
    # A name that is listed twice has been reported already.
    secrets = {node.value: node for node in _texts(entries, "secrets")}
    for node in secrets.values():
        yield "secrets", node


def _check_framework(
    values: Values, entries: Entries, node: MappingNode, doc: Document
) -> None:
    """Note a framework without an image, the framework's warnings, and an image that cannot use GPUs."""
    name = values.get("framework")
    for key in ("framework", "image", name):
        if _is_faulty(values, entries, key):
            return
    framework = frameworks.find(name)
    options = options_of(values)
    position: Node = node
    message = "'image' is missing in train"
    if name:
        position = entries["framework"][1]
        message = f"framework: {name} has no image of its own"
    resources = values.get("resources") or Resources()
    image = values.get("image")
    if image:
        _warn_gpus(image, resources, entries["image"][1], doc)
    else:
        image = framework.image(options, resources)
    if not image:
        doc.error(position, message, "Write for example image: python:3.12.")
        return
    for warning in framework.warnings(options, image):
        doc.warn(position, warning)


def _warn_gpus(image: str, resources: Resources, node: Node, doc: Document) -> None:
    if resources.gpus > 0 and _is_for_cpus(image):
        doc.warn(
            node,
            f"the image {excerpt(image)} is made for CPUs, but the job requests GPUs",
        )


def _is_for_cpus(image: str) -> bool:
    # `registry/name:tag@digest` without the digest and the registry.
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    tag_words = tag.split("-")
    if "cpu" in tag_words or name in _CPU_IMAGES:
        return True
    # TensorFlow's images have a variant for GPUs.
    return "tensorflow/tensorflow:" in image and "gpu" not in tag_words


def _is_faulty(values: Values, entries: Entries, key: str | None) -> bool:
    """Return whether a key is in the file but could not be read."""
    return key in entries and values.get(key) is None


def _with_braces(nodes: list[ScalarNode]) -> list[ScalarNode]:
    return [node for node in nodes if "{{" in node.value]


def _texts(entries: Entries, key: str) -> list[ScalarNode]:
    """Return the texts of a key that takes one text or a list of texts."""
    _, node = entries.get(key, _ABSENT)
    return _texts_of(node)


def _texts_of(node: Node) -> list[ScalarNode]:
    """Return a text, or the texts of a list."""
    return [item for item in items_of(node) if is_scalar(item, STR)]


def _is_all_text(entries: Entries, key: str) -> bool:
    """Return whether a key is there and all of its entries are texts."""
    return key in entries and len(_texts(entries, key)) == len(
        list(items_of(entries[key][1]))
    )


def _env_texts(entries: Entries, doc: Document) -> list[ScalarNode]:
    return [node for _, node in _env_items(entries, doc)]


def _env_items(entries: Entries, doc: Document) -> list[tuple[str, ScalarNode]]:
    items = []
    for name, (_, value) in _inner_entries(entries, "env", doc).items():
        if is_scalar(value, STR):
            items.append((name, value))
    return items


def _parameter_values(entries: Entries, doc: Document) -> dict[str, list[ScalarNode]]:
    """Return the texts among the values of each parameter."""
    values = {}
    for name, (_, node) in _inner_entries(entries, "parameters", doc).items():
        values[name] = _texts_of(node)
    return values


def _keys(entries: Entries, key: str, doc: Document) -> dict[str, ScalarNode]:
    inner = _inner_entries(entries, key, doc)
    return {name: key_node for name, (key_node, _) in inner.items()}


def _inner_entries(entries: Entries, key: str, doc: Document) -> Entries:
    """Return the entries of a key's mapping; none if the value is not a mapping."""
    _, node = entries.get(key, _ABSENT)
    return doc.entries(node, key) if isinstance(node, MappingNode) else {}
