"""Image of a run in containers: pulled, and built from its install steps.

    RISEML_DIR/build/Dockerfile, context/<n>/    what the compiler and the init steps wrote
    RISEML_DIR/image, failed                     the id of the image, or why there is none

It runs as `python -I -S bare.py build_image`. Variables: CONTAINER_PROGRAM is the path of
podman or docker, CONTAINER_KIND which of them it is, BUILT_IMAGE the name of the image with
the install steps, RISEML_INSTALL these as a JSON list, RISEML_HOME_LABEL the home.
"""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from riseml.engines.local.jobs.container_removal import HOME_LABEL
from riseml.engines.local.jobs.image_output import PULLING, BuildOutput, PullOutput

KEY_LABEL = "riseml.image"
"""Label of a built image: its key. It has the label of its home as well."""

_REPORT_SECONDS = 2.0
_WIDTH, _HEIGHT = "200", "50"
_SILENCE = (
    "no such host|connection refused|timeout|timed out|unreachable|x509|TLS"
    "|HTTP response to HTTPS"
)
_NO_ANSWER = (
    "{image} cannot be pulled: its registry {host} does not answer. Without a network,"
    " `--runner process` uses your own environment"
)
# What podman and docker write about a failed pull, and what that means for its user.
_PROBLEMS = (
    (
        "no space left on device",
        "there is no space left for {image}; `{kind} system df` shows what takes it",
    ),
    (
        _SILENCE,
        _NO_ANSWER,
    ),
    (
        "manifest unknown|not found|name unknown",
        "there is no image {image}; correct `image` in riseml.yml",
    ),
    (
        "unauthorized|denied|authentication required|403",
        "{host} refuses {image}: it does not exist, or needs `{kind} login {host}`",
    ),
)


class _FailureError(Exception):
    """No image; the text says why."""

    def __init__(self, reason: str, status: int = 1) -> None:
        super().__init__(reason)
        self.status = status


def main() -> None:
    """Provide the image, or exit with the status of the step that failed."""
    image = _Image()
    signal.signal(signal.SIGTERM, _stop)
    try:
        id_ = image.provide()
    except _FailureError as error:
        line = " ".join(str(error).splitlines())
        _write(os.path.join(image.private, "failed"), line)
        _report(line)
        sys.exit(error.status)
    _write(os.path.join(image.private, "image"), id_)


class _Image:
    """The image of one build, as variables describe it."""

    def __init__(self) -> None:
        environ = os.environ
        self.private = environ["RISEML_DIR"]
        self._program = environ["CONTAINER_PROGRAM"]
        self._kind = environ["CONTAINER_KIND"]
        self._built = environ["BUILT_IMAGE"]
        self._steps: list[str] = json.loads(environ["RISEML_INSTALL"])
        self._dockerfile = os.path.join(self.private, "build", "Dockerfile")

    def provide(self) -> str:
        """Return the id of the image, after a pull and a build where needed."""
        if self._steps:
            # Another run may have built it while this one waited.
            id_ = self._id(self._built)
            if id_:
                _report(f"image {self._built} already exists")
                return id_
        base = self._base()
        return self._build(base) if self._steps else base

    def _id(self, image: str) -> str:
        """Return the id of an image that is present, empty if it is not."""
        completed = subprocess.run(
            [self._program, "image", "inspect", "--format", "{{.Id}}", image],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        id_ = completed.stdout.strip()
        return id_ if not id_ or ":" in id_ else f"sha256:{id_}"

    # Pull

    def _base(self) -> str:
        """Return the id of the image that the Dockerfile begins with."""
        with open(self._dockerfile, encoding="utf-8") as file:
            image = file.readline().removeprefix("FROM ").strip()
        name = _pullable(image)
        digest = name.partition("@sha256:")[2]
        # An image that was never pushed has an id, but no digest.
        id_ = self._id(name) or (digest and self._id(digest))
        if id_:
            return id_
        self._pull(name, image.partition("@")[0])
        id_ = self._id(name)
        if not id_:
            raise _FailureError(f"{self._kind} has pulled {image}, but has lost it")
        self._tag(id_, image)
        return id_

    def _tag(self, id_: str, image: str) -> None:
        """Give an image that was pulled by its digest the name that riseml.yml calls it."""
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        moves = tag in ("", "latest")
        if digest and (moves or not self._id(name)):
            subprocess.run([self._program, "tag", id_, _qualified(name)], check=False)

    def _pull(self, image: str, title: str) -> None:
        _report(f"{PULLING} {title}")
        output = PullOutput()
        status = _on_terminal([self._program, "pull", _qualified(image)], output)
        if status:
            raise _FailureError(self._explain(title, output.complaint))
        _report(output.describe() or "pulled")

    def _explain(self, image: str, complaint: str) -> str:
        host = _qualified(image).partition("/")[0]
        for pattern, sentence in _PROBLEMS:
            if re.search(pattern, complaint, re.IGNORECASE):
                return sentence.format(image=image, host=host, kind=self._kind)
        return f"{self._kind} cannot pull {image}: {complaint}"

    # Build

    def _build(self, base: str) -> str:
        """Return the id of the image that the install steps make."""
        self._begin_with(base)
        output = BuildOutput(self._steps)
        status = _run(self._build_command(), output)
        id_ = self._id(self._built)
        if status == 0 and id_:
            _report(f"image {self._built} is ready")
            return id_
        if re.search("no space left on device", output.complaint, re.IGNORECASE):
            raise _FailureError(self._explain(self._built, output.complaint))
        if output.step:
            reason = (
                f"install step failed with exit code {output.status}: {output.step}"
            )
            raise _FailureError(reason, output.status)
        reason = output.complaint or f"it ended with status {status}"
        raise _FailureError(f"{self._kind} cannot build the image: {reason}")

    def _begin_with(self, base: str) -> None:
        """Let the Dockerfile begin with an image that is present, whatever its name is."""
        name = base.removeprefix("sha256:")
        if self._kind == "docker":
            # BuildKit takes no id.
            name = f"riseml/base:{name[:12]}"
            subprocess.run([self._program, "tag", base, name], check=False)
        with open(self._dockerfile, encoding="utf-8") as file:
            _, *others = file.readlines()
        _write(self._dockerfile, "".join([f"FROM {name}\n", *others]))

    def _build_command(self) -> list[str]:
        context = os.path.join(self.private, "context")
        os.makedirs(context, exist_ok=True)
        command = [self._program, "build", "--file", self._dockerfile]
        command += ["--tag", self._built, "--force-rm"]
        key = self._built.rpartition("/")[2]
        command += ["--label", f"{KEY_LABEL}={key}"]
        command += ["--label", f"{HOME_LABEL}={os.environ['RISEML_HOME_LABEL']}"]
        if self._kind == "docker":
            # The classic builder does not know the option --progress.
            os.environ["BUILDKIT_PROGRESS"] = "plain"
        else:
            command.append("--pull=never")
        return [*command, context]


def _pullable(image: str) -> str:
    """Return an image without its tag if it has a digest: podman refuses both."""
    name, at, digest = image.partition("@")
    if not at:
        return image
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def _qualified(image: str) -> str:
    """Return an image with its registry, as docker does: podman may ask for one."""
    first, slash, _ = image.partition("/")
    if slash and re.fullmatch(r"localhost|.*[.:].*", first):
        return image
    return f"docker.io/{image if slash else f'library/{image}'}"


def _on_terminal(command: Sequence[str], output: PullOutput) -> int:
    """Run a pull on a terminal, where it says how far it is, and report that."""
    reader, writer = pty.openpty()
    env = {**os.environ, "COLUMNS": _WIDTH, "LINES": _HEIGHT, "TERM": "xterm"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, env=env
    )
    os.close(writer)
    reported, report_at = "", time.monotonic() + _REPORT_SECONDS
    for line in _lines(reader):
        output.feed(line)
        progress = output.describe()
        if time.monotonic() > report_at and progress != reported:
            _report(progress)
            reported, report_at = progress, time.monotonic() + _REPORT_SECONDS
    os.close(reader)
    return process.wait()


def _run(command: Sequence[str], output: BuildOutput) -> int:
    """Run a build, and write to the log what matters of its output."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None  # noqa: S101
        for line in _lines(process.stdout.fileno()):
            text = output.rewrite(line)
            if text is not None:
                _report(text)
    return process.returncode


def _lines(descriptor: int) -> Iterator[str]:
    """Yield the lines that a program writes; one that is redrawn ends with a return."""
    rest = b""
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:
            # So a terminal ends.
            data = b""
        if not data:
            break
        *complete, rest = re.split(rb"[\r\n]", rest + data)
        for line in complete:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def _stop(_number: int, _frame: object) -> None:
    # What a build has begun is no image before its last step, so nothing is half-made.
    raise _FailureError("the build was stopped", 128 + signal.SIGTERM)


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
