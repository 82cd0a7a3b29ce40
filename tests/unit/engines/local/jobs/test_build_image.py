"""The build of an image, with a program that answers as podman does."""

import json
import signal
from pathlib import Path

import pytest

from riseml.engines.local.jobs import build_image

ID, BUILT_ID = "5a" * 32, "6b" * 32
BUILT = "localhost/riseml/0123abc"
DOCKERFILE = 'FROM me/net:1@sha256:00\nWORKDIR /code\nRUN ["sh", "-c", "x", "make"]\n'


class Build:
    """A build whose program keeps the names of its images in a folder."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._environment = environment
        self.images = folder / "images"
        self.images.mkdir()
        (folder / "build").mkdir()
        self.dockerfile = folder / "build" / "Dockerfile"
        self.dockerfile.write_text(DOCKERFILE)
        for name, value in {
            "RISEML_DIR": str(folder),
            "CONTAINER_PROGRAM": str(folder / "podman"),
            "CONTAINER_KIND": "podman",
            "BUILT_IMAGE": BUILT,
            "RISEML_INSTALL": json.dumps(["make"]),
            "RISEML_HOME_LABEL": "/home/me/.riseml",
        }.items():
            environment.setenv(name, value)
        self.program()

    def program(self, pull: str = "true", build: str = "true") -> None:
        """Write the program, with commands for a pull and a build."""
        script = f"""#!/bin/sh
echo "$*" >> {self.folder}/calls
file() {{ echo {self.images}/"$(echo "$1" | tr '/:@' '___')"; }}
case $1 in
  image) cat "$(file "$5")" 2> /dev/null || exit 125 ;;
  tag) cp {self.images}/pulled "$(file "$3")" ;;
  pull) {pull} ;;
  build) {build} ;;
esac
"""
        path = self.folder / "podman"
        path.write_text(script)
        path.chmod(0o755)

    def add(self, name: str, id_: str) -> None:
        """Let the program have an image."""
        file = self.images / name.translate(str.maketrans("/:@", "___"))
        file.write_text(f"{id_}\n")

    def install(self, *steps: str) -> None:
        """Set the install steps."""
        self._environment.setenv("RISEML_INSTALL", json.dumps(steps))

    def run(self) -> str:
        """Run the build; return the image, or why it has failed."""
        handler = signal.getsignal(signal.SIGTERM)
        try:
            build_image.main()
        except SystemExit as end:
            return f"{end.code}: {(self.folder / 'failed').read_text()}"
        finally:
            signal.signal(signal.SIGTERM, handler)
        return (self.folder / "image").read_text()

    def calls(self, command: str) -> list[str]:
        """Return the calls of a command of the program."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{command} ")]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    return Build(tmp_path, monkeypatch)


def pulled(build: Build) -> str:
    """Return the command that pulls the image of the Dockerfile."""
    file = build.images / "me_net_sha256_00"
    return f"echo {ID} > {file}; echo {ID} > {build.images}/pulled"


def test_install_steps_are_built_upon_a_pulled_image(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    built_file = build.images / BUILT.replace("/", "_")
    layer = 'echo "Copying blob 5ef36ae196fc done"'
    step = """echo 'STEP 3/3: RUN ["sh", "-c", "x", "make"]'; echo made"""
    build.program(
        f"{layer}; {pulled(build)}", f"{step}; echo {BUILT_ID} > {built_file}"
    )
    assert build.run() == f"sha256:{BUILT_ID}"
    assert capsys.readouterr().out.splitlines() == [
        "==> pulling me/net:1",
        "1 of 1 layers",
        "==> make",
        "made",
        f"image {BUILT} is ready",
    ]
    assert build.calls("pull") == ["pull docker.io/me/net@sha256:00"]
    # The image also gets the name that it has in riseml.yml.
    assert build.calls("tag") == [f"tag sha256:{ID} docker.io/me/net:1"]
    assert build.dockerfile.read_text().splitlines()[0] == f"FROM {ID}"
    (command,) = build.calls("build")
    assert f"--tag {BUILT} --force-rm --label riseml.image=0123abc" in command
    assert "--label riseml.home=/home/me/.riseml --pull=never" in command


def test_an_image_that_another_run_has_built_is_used(build: Build) -> None:
    build.add(BUILT, BUILT_ID)
    assert build.run() == f"sha256:{BUILT_ID}"
    assert not build.calls("build")


def test_without_install_steps_the_image_is_only_pulled(build: Build) -> None:
    build.install()
    build.program(pulled(build), "exit 1")
    assert build.run() == f"sha256:{ID}"
    assert not build.calls("build")


def test_an_image_that_was_never_pushed_is_found_by_its_id(build: Build) -> None:
    build.install()
    build.dockerfile.write_text(f"FROM localhost/net:1@sha256:{ID}\n")
    build.add(ID, ID)
    assert build.run() == f"sha256:{ID}"
    assert not build.calls("pull")


NO_ANSWER = (
    "me/net:1 cannot be pulled: its registry docker.io does not answer. Without"
    " a network, `--runner process` uses your own environment"
)
REFUSED = (
    "docker.io refuses me/net:1: it does not exist, or needs `podman login docker.io`"
)
NO_SPACE = "there is no space left for me/net:1; `podman system df` shows what takes it"
ABSENT = "there is no image me/net:1; correct `image` in riseml.yml"


@pytest.mark.parametrize(
    ("complaint", "reason"),
    [
        ("dial tcp: lookup registry-1.docker.io: no such host", NO_ANSWER),
        ("reading manifest 7: manifest unknown: manifest unknown", ABSENT),
        ("unauthorized: authentication required", REFUSED),
        ("writing blob: no space left on device", NO_SPACE),
        ("strange", "podman cannot pull me/net:1: Error: strange"),
    ],
)
def test_a_failed_pull_says_what_to_do(
    build: Build, complaint: str, reason: str
) -> None:
    build.program(f"echo 'Error: {complaint}' >&2; exit 125")
    assert build.run() == f"1: {reason}"


def test_a_failed_step_is_named_with_its_status(build: Build) -> None:
    build.program(
        pulled(build),
        """echo 'STEP 3/3: RUN ["sh", "-c", "x", "make"]'
echo 'Error: building at STEP "RUN make": exit status 2' >&2; exit 2""",
    )
    assert build.run() == "2: install step failed with exit code 2: make"


def test_a_build_that_says_nothing_but_leaves_no_image_has_failed(
    build: Build,
) -> None:
    # podman 4.3 exits with 0 after a TERM.
    build.program(pulled(build), "exit 0")
    assert build.run() == "1: podman cannot build the image: it ended with status 0"
