"""What only several keys of `train` together can get wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from riseml import frameworks
from riseml.config import placeholders
from riseml.config.variables import is_ours
from riseml.plan import Resources, variable_of
from riseml.schema.yaml_document import STR, Document, Entries, excerpt

Values = Mapping[str, Any]


def check(
    values: Values,
    entries: Entries,
    node: MappingNode,
    sections: Sequence[str],
    doc: Document,
) -> None:
    """Note faults; doubts only where there is no error, since one error makes many.

    `values` are those that could be read, `sections` the keys of frameworks.
    """
    parameters = _keys(entries, "parameters", doc)
    commands, steps, in_env = (
        [node for node in nodes if "{{" in node.value]
        for nodes in (
            _texts(entries, "run"),
            _texts(entries, "install"),
            _env_texts(entries, doc),
        )
    )
    for text in (*commands, *in_env):
        placeholders.check_text(text, parameters, doc)
    for text in steps:
        placeholders.check_text(text, (), doc)
    _check_variables(values, entries, parameters, doc)
    _check_framework(values, entries, node, doc)
    if doc.errors:
        return
    for key in (key for key in sections if key != values.get("framework")):
        doc.warn(entries[key][0], f"'{key}' has no effect without framework: {key}")
    used = [use for node in commands for use in placeholders.uses(node)]
    also_in_env = [*used, *(use for node in in_env for use in placeholders.uses(node))]
    placeholders.warn_undeclared(also_in_env, parameters, doc)
    placeholders.warn_values(values.get("parameters", {}), used, doc)
    placeholders.warn_unused(parameters, also_in_env, values["run"], doc)
    placeholders.warn_install(steps, parameters, doc)
    if not any(command.strip() for command in values["run"]):
        doc.warn(entries["run"][1], "run holds no command: every job ends at once")


def options_of(values: Values) -> Any:
    """Return the framework's options, or its defaults where the file has no section for it."""
    name = values.get("framework")
    options = values.get(name) if name else None
    return options if options is not None else frameworks.find(name).SECTION.make()


def _check_variables(
    values: Values,
    entries: Entries,
    parameters: Mapping[str, ScalarNode],
    doc: Document,
) -> None:
    """Note names that more than one of parameters, env, secrets, the framework and RiseML want."""
    taken = {
        variable_of(name): f"the parameter '{excerpt(name)}'" for name in parameters
    }
    framework = values.get("framework")
    if framework and not _failed(values, entries, framework):
        given = frameworks.find(framework).variables(options_of(values))
        for name, key in parameters.items():
            if variable_of(name) in given:
                doc.error(
                    key,
                    f"'{name}' cannot be a parameter: {framework} sets ${variable_of(name)}",
                    "Rename it.",
                )
        taken |= dict.fromkeys(given, f"framework: {framework}")
    for place, what in _own_variables(entries, doc):
        name = place.value
        if is_ours(name):
            doc.error(
                place,
                f"{what} cannot hold {excerpt(name)}: RiseML sets it",
                "Take another name.",
            )
        elif name in taken:
            doc.error(
                place,
                f"{what} cannot hold {excerpt(name)}: {taken[name]} sets it",
                "Remove one of the two.",
            )
        else:
            taken[name] = what


def _own_variables(entries: Entries, doc: Document) -> list[tuple[ScalarNode, str]]:
    secrets = {node.value: node for node in _texts(entries, "secrets")}
    env = _keys(entries, "env", doc).values()
    return [
        *((node, "env") for node in env),
        *((node, "secrets") for node in secrets.values()),
    ]


def _check_framework(
    values: Values, entries: Entries, node: MappingNode, doc: Document
) -> None:
    """Note a missing image, and what the framework finds doubtful."""
    name, resources = values.get("framework"), values.get("resources") or Resources()
    if any(_failed(values, entries, key) for key in ("framework", "image", name)):
        return
    framework, options = frameworks.find(name), options_of(values)
    image = values.get("image") or framework.image(options, resources)
    place = entries["framework"][1] if name else node
    if not image:
        reason = (
            f"framework: {name} has no image of its own"
            if name
            else "'image' is missing in train"
        )
        doc.error(place, reason, "Write for example image: python:3.12.")
        return
    for doubt in framework.warnings(options, image):
        doc.warn(place, doubt)
    if values.get("image") and resources.gpus > 0 and _is_for_cpus(image):
        doc.warn(
            entries["image"][1],
            f"the image {excerpt(image)} is made for CPUs, and the job asks for GPUs",
        )


def _is_for_cpus(image: str) -> bool:
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    parts = tag.split("-")
    return (
        "cpu" in parts
        or name in ("alpine", "busybox")
        or ("tensorflow/tensorflow:" in image and "gpu" not in parts)
    )


def _failed(values: Values, entries: Entries, key: str | None) -> bool:
    return key in entries and values.get(key) is None


def _texts(entries: Entries, key: str) -> list[ScalarNode]:
    node = entries[key][1] if key in entries else None
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    return [each for each in nodes if isinstance(each, ScalarNode) and each.tag == STR]


def _env_texts(entries: Entries, doc: Document) -> list[ScalarNode]:
    env = entries["env"][1] if "env" in entries else None
    values = doc.entries(env, "env").values() if isinstance(env, MappingNode) else ()
    return [
        value
        for _, value in values
        if isinstance(value, ScalarNode) and value.tag == STR
    ]


def _keys(entries: Entries, key: str, doc: Document) -> dict[str, ScalarNode]:
    node = entries[key][1] if key in entries else None
    found = doc.entries(node, key) if isinstance(node, MappingNode) else {}
    return {name: key_node for name, (key_node, _) in found.items()}
