"""Build of a run's image: the process that pulls it, and runs the install steps, on this machine."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from riseml import labels
from riseml.dataclass import replace
from riseml.engines.local.containers.names import BUILT
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.jobs import bare
from riseml.engines.local.jobs.pod_to_process import PreparedPod
from riseml.status import document as doc

_BUILD_TYPE = "build"


def is_image_build(template: Mapping[str, Any]) -> bool:
    """Return whether a pod builds the image of the jobs; that of a search is an environment."""
    metadata = doc.mapping(template.get("metadata"))
    return doc.mapping(metadata.get("labels")).get(labels.TYPE) == _BUILD_TYPE


def prepared_build(
    prepared: PreparedPod,
    template: Mapping[str, Any],
    program: ContainerProgram,
    home: Path,
    attributes: Mapping[str, list[int]],
) -> PreparedPod:
    """Return a pod whose main command makes an image instead of an environment.

    `prepared` has no mounts, in which container programs would not work.
    """
    main = prepared.spec.main
    env = {
        **main.env,
        "CONTAINER_PROGRAM": program.path,
        "CONTAINER_KIND": program.name,
        "BUILT_IMAGE": f"{BUILT}{main.env.get('IMAGE_KEY', '')}",
        "RISEML_HOME_LABEL": str(home),
    }
    argv = (sys.executable, "-I", "-S", str(Path(bare.__file__)), "build_image")
    step = replace(main, argv=argv, env=env)
    spec = replace(prepared.spec, main=step, attributes=attributes)
    files = (*prepared.files, *_files(template, Path(env["RISEML_DIR"])))
    environments = home / "envs"
    folders = []
    for folder in prepared.folders:
        if environments not in folder.parents:
            folders.append(folder)
    return replace(prepared, spec=spec, files=files, folders=tuple(folders))


def _files(template: Mapping[str, Any], private: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that the template contains: the Dockerfile."""
    inputs = doc.mapping(template.get("inputs"))
    for artifact in doc.mappings(inputs.get("artifacts")):
        raw = doc.mapping(artifact.get("raw"))
        if raw:
            name = Path(doc.text(artifact.get("path"))).name
            yield private / "build" / name, doc.text(raw.get("data"))
