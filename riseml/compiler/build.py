"""The build step: install steps become an image, by a client of the cluster's BuildKit."""

import json
from dataclasses import replace
from decimal import Decimal

from hera.workflows import Artifact, Container, Parameter, RawArtifact, UserContainer
from hera.workflows.models import Mutex, Synchronization, ValueFrom, VolumeMount

from riseml import labels, templating
from riseml.compiler import pod
from riseml.compiler.names import Names
from riseml.plan import Build, Resources

CERTIFICATES = "/certificates"
# To registries of base images: buildctl hands it on
LOGIN = "/login"
CHECKOUT = f"{pod.RISEML}/checkout"
CONTEXT = f"{pod.RISEML}/context"
DOCKERFILE = f"{pod.RISEML}/build/Dockerfile"
IMAGE = f"{pod.RISEML}/image"
FAILED = f"{pod.RISEML}/failed"
RESOURCES = Resources(cpus=Decimal("0.5"), mem=512_000_000)
# Characters: an argument and a variable have to hold it
_LONGEST_LIST = 50_000
_EVERYTHING = Build(
    key="", files=(".",)
)  # where nobody has looked which files the steps need


def template(names: Names) -> Container:
    """Return the template whose output `image` has the install steps done."""
    build = _sized(names.origin.build or _EVERYTHING)
    remote = names.origin.git_url is not None
    mounts = [
        *([] if remote else [pod.store_mounts()[0]]),
        VolumeMount(name="output", mount_path=pod.OUTPUT, sub_path=names.run_path),
        VolumeMount(name="riseml", mount_path=pod.RISEML),
        VolumeMount(name="certificates", mount_path=CERTIFICATES),
        *(
            [VolumeMount(name="login", mount_path=LOGIN)]
            if names.target.pull_secrets
            else []
        ),
    ]
    return Container(
        name="build",
        inputs=_artifacts(names),
        labels={labels.TYPE: "build"},
        affinity=pod.prefer(labels.BUILD_NODE, "In"),
        node_selector=dict(names.target.build_node_selector) or None,
        synchronization=Synchronization(
            mutexes=[Mutex(name=f"riseml-build-{build.key}")]
        )
        if build.key
        else None,
        init_containers=None if remote else [_context(build, names)],
        image=names.target.build_image,
        command=["sh", "-c"],
        args=pod.arguments([templating.read("build.sh")]),
        env=pod.variables(_told(build, names)),
        resources=pod.requirements(RESOURCES, names),
        volume_mounts=mounts,
        outputs=[
            Parameter(name="image", value_from=ValueFrom(path=IMAGE, default="")),
            Parameter(
                name=labels.FAILED_STEP, value_from=ValueFrom(path=FAILED, default="")
            ),
        ],
    )


def _sized(build: Build) -> Build:
    return (
        build
        if sum(map(len, build.files)) < _LONGEST_LIST
        else replace(build, files=_EVERYTHING.files)
    )


def _artifacts(names: Names) -> list[Artifact]:
    dockerfile = templating.render(
        "Dockerfile.j2", image=names.base, install=names.plan.install
    )
    return [
        RawArtifact(name="dockerfile", path=DOCKERFILE, data=dockerfile),
        *pod.fetched(names, CONTEXT),
    ]


def _told(build: Build, names: Names) -> dict[str, str]:
    target = names.target
    repository = f"{names.origin.user or 'riseml'}/{names.stem}".lower()
    pulled = (
        {"IMAGE_PULL_NAME": f"{target.pull_registry}/{repository}"}
        if target.pull_registry
        else {}
    )
    insecure = (
        {"IMAGE_ATTRIBUTES": ",registry.insecure=true"}
        if target.insecure_registry
        else {}
    )
    return {
        "OUTPUT_DIR": pod.OUTPUT,
        "RISEML_DIR": pod.RISEML,
        "RISEML_JOB": "build",
        "RISEML_ATTEMPT": "0",
        **pod.source(names),
        "RISEML_BASE_IMAGE": names.plan.image,
        "RISEML_INSTALL": json.dumps(names.plan.install, ensure_ascii=False),
        "RISEML_BUILD_FILES": json.dumps(build.files, ensure_ascii=False),
        "IMAGE_KEY": build.key,
        "IMAGE_NAME": f"{target.registry}/{repository}:{build.key or 'latest'}",
        **pulled,
        **insecure,
        "BUILDKIT_HOST": target.buildkit,
        "BUILDKIT_CERTIFICATES": CERTIFICATES,
        **({"DOCKER_CONFIG": LOGIN} if target.pull_secrets else {}),
    }


def _context(build: Build, names: Names) -> UserContainer:
    """Return the init container that brings the files which install steps may see, and no others."""
    return UserContainer(
        name="context",
        image=names.target.git_image,
        command=["sh", "-c"],
        args=[
            templating.read("checkout.sh") + templating.read("context.sh"),
            "context",
            *build.files,
        ],
        env=pod.variables(
            {**pod.source(names), "CODE_DIR": CHECKOUT, "RISEML_DIR": pod.RISEML}
        ),
        volume_mounts=pod.store_mounts(),
    )
