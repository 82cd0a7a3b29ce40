"""Build step: a client of the cluster's BuildKit turns install steps into an image."""

import json
import posixpath
from collections.abc import Iterator
from decimal import Decimal

from hera.workflows.artifact import Artifact, RawArtifact
from hera.workflows.container import Container
from hera.workflows.models import Mutex, Synchronization, ValueFrom, VolumeMount
from hera.workflows.parameter import Parameter
from hera.workflows.user_container import UserContainer

from riseml import labels, templating
from riseml.compiler import egress, pod
from riseml.compiler.names import Names
from riseml.dataclass import replace
from riseml.errors import InvalidInputError
from riseml.plan import Build, BuildStep, Resources

CERTIFICATES = "/certificates"
# Login for the registries of base images, which buildctl passes on.
LOGIN = "/login"
CHECKOUT = f"{pod.RISEML}/checkout"
CONTEXT = f"{pod.RISEML}/context"
DOCKERFILE = f"{pod.RISEML}/build/Dockerfile"
IMAGE = f"{pod.RISEML}/image"
FAILED = f"{pod.RISEML}/failed"
RESOURCES = Resources(cpus=Decimal("0.5"), mem=512_000_000)
_ALL = "."
# A longer list of files would not fit into an argument and a variable.
_MAX_FILES_LENGTH = 50_000
# BuildKit reads these characters as patterns and variables.
_SPECIAL = frozenset("[]*?\\$")


def template(names: Names, name: str = "build") -> Container:
    """Return the template `name`, whose output `image` is the image with the install steps."""
    build = _sized(_build_of(names))
    has_remote = names.origin.git_url is not None
    return Container(
        name=name,
        inputs=_artifacts(build, names),
        labels={labels.TYPE: name},
        annotations={labels.ISOLATED: "true"} if names.plan.isolated else None,
        affinity=pod.prefer(labels.BUILD_NODE, "In"),
        node_selector=dict(names.target.build_node_selector) or None,
        synchronization=_one_at_a_time(build),
        init_containers=None if has_remote else [_context(build, names)],
        image=names.target.build_image,
        command=["sh", "-c"],
        args=pod.arguments([templating.read("build.sh")]),
        env=pod.variables({**_environment(build, names), "RISEML_JOB": name}),
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=_mounts(names),
        outputs=[
            Parameter(name="image", value_from=ValueFrom(path=IMAGE, default="")),
            Parameter(
                name=labels.FAILED_STEP, value_from=ValueFrom(path=FAILED, default="")
            ),
        ],
    )


def check(names: Names) -> None:
    """Refuse to build images where the cluster builds none.

    Raises:
        InvalidInputError: the plan has install steps, or searches in rounds.
    """
    if names.target.builds:
        return
    if names.builds:
        raise InvalidInputError(
            "riseml.yml has install steps, but this cluster builds no images",
            "Remove `install`, and set `image` to an image that has the packages.",
        )
    if names.search_inputs:
        raise InvalidInputError(
            "a search in rounds needs an image that RiseML builds, but this cluster builds none",
            "Use a search that is not in rounds, or ask your administrator about `build` in values.yml.",
        )


def _build_of(names: Names) -> Build:
    """Return the build; if nothing is known about files, the first step copies all."""
    build = names.origin.build or Build(key="")
    if build.steps or not names.plan.install:
        return build
    first, *others = map(BuildStep, names.plan.install)
    return replace(build, steps=(replace(first, files=(_ALL,)), *others))


def _sized(build: Build) -> Build:
    length = 0
    for step in build.steps:
        length += sum(map(len, (*step.files, *step.without)))
    if length < _MAX_FILES_LENGTH:
        return build
    steps = tuple(map(_with_all_files, build.steps))
    return replace(build, steps=steps)


def _with_all_files(step: BuildStep) -> BuildStep:
    if not step.files:
        return step
    return replace(step, files=(_ALL,), without=())


def _one_at_a_time(build: Build) -> Synchronization | None:
    """Let only one Workflow build an image; the others then find it in the cache."""
    if not build.key:
        return None
    return Synchronization(mutexes=[Mutex(name=f"riseml-build-{build.key}")])


def _mounts(names: Names) -> list[VolumeMount]:
    mounts = [
        VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.run_path),
        VolumeMount(name="riseml", mount_path=pod.RISEML),
        VolumeMount(name="certificates", mount_path=CERTIFICATES),
    ]
    if names.origin.git_url is None:
        mounts.insert(0, pod.store_mounts()[0])
    if names.target.pull_secrets:
        mounts.append(VolumeMount(name="login", mount_path=LOGIN))
    return [*mounts, *egress.mounts(names.target)]


def _artifacts(build: Build, names: Names) -> list[Artifact]:
    has_remote = names.origin.git_url is not None
    steps = []
    for number, step in enumerate(build.steps, 1):
        copies = _remote_copies(step) if has_remote else _copies(number, step)
        steps.append({"command": step.command, "copies": copies})
    run_flags, exports = egress.step_texts(names.target)
    dockerfile = templating.render(
        "Dockerfile.j2",
        image=names.base,
        steps=steps,
        run_flags=run_flags,
        exports=exports,
        forgets_code=_forgets_code(build),
        forget=templating.read("forget.sh").rstrip("\n"),
    )
    return [
        RawArtifact(name="dockerfile", path=DOCKERFILE, data=dockerfile),
        *pod.fetched(names, CONTEXT),
    ]


def _forgets_code(build: Build) -> bool:
    """Return whether jobs of other revisions may use the image, which must not keep the code of this one."""
    is_shared = bool(build.key)
    return is_shared and any(step.is_editable for step in build.steps)


def _copies(number: int, step: BuildStep) -> list[list[str]]:
    """Return the arguments of a step's COPY, from the folder that the context has for it."""
    return [[f"{number}/", f"{pod.CODE}/"]] if step.files else []


def _remote_copies(step: BuildStep) -> list[list[str]]:
    """Return the arguments of a step's COPYs from a Git checkout."""
    if any(not _SPECIAL.isdisjoint(path) for path in step.files):
        return [[_ALL, f"{pod.CODE}/"]]
    return [[path, posixpath.join(pod.CODE, path)] for path in step.files]


def _environment(build: Build, names: Names) -> dict[str, str]:
    target = names.target
    repository = f"{names.origin.user or 'riseml'}/{names.stem}".lower()
    variables = {
        "OUTPUT_DIR": pod.OUTPUT,
        "RISEML_DIR": pod.RISEML,
        "RISEML_JOB": "build",
        "RISEML_ATTEMPT": "0",
        **pod.source(names),
        "RISEML_BASE_IMAGE": names.plan.image,
        "RISEML_INSTALL": json.dumps(names.plan.install, ensure_ascii=False),
        "RISEML_STEP_KEYS": json.dumps([step.key for step in build.steps]),
        "IMAGE_KEY": build.key,
        "IMAGE_NAME": f"{target.registry}/{repository}:{build.key or 'latest'}",
    }
    if names.plan.isolated:
        variables["RISEML_ISOLATED"] = "true"
    # The order of variables is part of the compiled document.
    if target.pull_registry:
        variables["IMAGE_PULL_NAME"] = f"{target.pull_registry}/{repository}"
    if target.insecure_registry:
        variables["IMAGE_ATTRIBUTES"] = ",registry.insecure=true"
    variables["BUILDKIT_HOST"] = target.buildkit
    variables["BUILDKIT_CERTIFICATES"] = CERTIFICATES
    if target.pull_secrets:
        variables["DOCKER_CONFIG"] = LOGIN
    options = egress.build_options(target)
    if options:
        variables["RISEML_BUILD_OPTIONS"] = options
    return variables


def _context(build: Build, names: Names) -> UserContainer:
    """Return the init container that provides only the files that install steps need."""
    return UserContainer(
        name="context",
        image=names.target.git_image,
        command=["sh", "-c"],
        args=[
            templating.read("checkout.sh")
            + templating.read("original.sh")
            + templating.read("context.sh"),
            "context",
            *_context_arguments(build),
        ],
        env=pod.variables(
            {
                **pod.source(names),
                **pod.original(names),
                "CODE_DIR": CHECKOUT,
                "RISEML_DIR": pod.RISEML,
            }
        ),
        volume_mounts=pod.store_mounts(),
    )


def _context_arguments(build: Build) -> Iterator[str]:
    for number, step in enumerate(build.steps, 1):
        for path in step.files:
            yield f"{number}/{path}"
        for path in step.without:
            yield f"-{number}/{path}"
    if _forgets_code(build):
        yield "list"
