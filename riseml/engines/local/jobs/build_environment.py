"""Build of an environment on this machine: `python -I -S bare.py build_environment`.

    <home>/envs/<key>/   a virtual environment; `.complete` once all steps have succeeded
        built/           where the steps run: files that they name, and files that they create
        code/            those that they created, which jobs find in /code
        shims/           apt-get and the like: they print "skipped" and succeed; pip, if there is uv
        .copied          names of the project's files that were in built/, each with a NUL

Variables: ENV_DIR is the environment, PYTHON the Python whose packages it includes, CODE_DIR
the folder in which the steps run, RISEML_DIR/context/<n> has the files of step n.
RISEML_INSTALL and RISEML_STEP_KEYS are JSON lists, the steps and the keys of their results.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from riseml.engines.local.jobs import bare, environment_copy
from riseml.engines.local.jobs.environment_copy import COMPLETE
from riseml.engines.local.jobs.file_locks import SHARED, locked

_COPIED = ".copied"
_PACKAGE_TOOLS = ("apt", "apt-get", "apk", "yum", "dnf")
_SHIM = """\
#!/bin/sh
echo "skipped: {tool} $*   (the local engine installs no system packages)"
"""
# With uv, these do what they say, but in less time.
_UV_PROGRAMS = ("pip", "pip3", "uv")
_UV_SHIM = """\
#!/bin/sh
exec '{python}' -I -S '{bare}' uv_pip '{uv}' {program} "$@"
"""
_PIP = """\
#!/bin/sh
exec '{python}' -m pip "$@"
"""
_PARENT = "import site; print(*site.getsitepackages(), sep='\\n')"
_PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


def _report(line: str) -> None:
    # Steps write to the same log.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class _FailedStepError(Exception):
    """A step failed with an exit status."""

    def __init__(self, status: int, step: str) -> None:
        super().__init__(f"install step failed with exit code {status}: {step}")
        self.status = status


def main() -> None:
    """Build the environment of ENV_DIR; exit with the status of a step that failed."""
    build = _Build()
    try:
        build.run()
    except _FailedStepError as error:
        line = " ".join(str(error).splitlines())
        _write(os.path.join(build.private, "failed"), line)
        _report(line)
        sys.exit(error.status)
    except (OSError, subprocess.CalledProcessError) as error:
        _write(os.path.join(build.private, "failed"), str(error))
        _report(f"riseml: the environment cannot be made: {error}")
        sys.exit(1)


class _Build:
    """One build, as variables describe it."""

    def __init__(self) -> None:
        environ = os.environ
        self.private = environ["RISEML_DIR"]
        self._folder = environ["ENV_DIR"]
        self._name = os.path.basename(self._folder)
        self._python = environ["PYTHON"]
        self._code = environ["CODE_DIR"]
        self._steps: list[str] = json.loads(environ["RISEML_INSTALL"])
        self._keys: list[str] = json.loads(environ["RISEML_STEP_KEYS"])
        self._is_isolated = environ.get("RISEML_ISOLATED") == "true"
        self._built = os.path.join(self._folder, "built")

    def run(self) -> None:
        """Make the environment unless another run has made it meanwhile."""
        complete = os.path.join(self._folder, COMPLETE)
        if os.path.exists(complete):
            _report(f"environment {self._name} already exists")
        else:
            _report(f"preparing environment {self._name}")
            self._make()
            _write(complete, "")
            _report(f"environment {self._name} is ready")
        _write(os.path.join(self.private, "image"), f"riseml-env:{self._name}")

    def _make(self) -> None:
        self._clear()
        finished = self._restore()
        if not finished:
            self._create()
        _write_shims(os.path.join(self._folder, "shims"))
        for number, step in enumerate(self._steps, 1):
            _report(f"==> {step}")
            if number <= finished:
                _report("    (done before; its result is reused)")
                continue
            self._copy_files(number)
            self._run_step(step)
            if number < len(self._steps):
                self._save(number)
        self._finish()

    def _clear(self) -> None:
        """Empty the environment, but keep `built`, which may be mounted."""
        os.makedirs(self._built, exist_ok=True)
        for name in {*os.listdir(self._folder)} - {"built"}:
            _remove(os.path.join(self._folder, name))
        for name in os.listdir(self._built):
            _remove(os.path.join(self._built, name))

    def _restore(self) -> int:
        """Copy the state of the most steps that an earlier build had in common; return their number."""
        with locked(os.path.dirname(self._folder), SHARED):
            for number in range(len(self._steps), 0, -1):
                key = self._keys[number - 1]
                if key and environment_copy.restore(self._folder, key):
                    return number
                if os.path.lexists(os.path.join(self._folder, "pyvenv.cfg")):
                    self._clear()
        return 0

    def _create(self) -> None:
        command = [self._python, "-m", "venv", "--without-pip", self._folder]
        if not self._is_isolated:
            command.append("--system-site-packages")
        subprocess.run(command, check=True)
        venv_python = os.path.join(self._folder, "bin", "python")
        purelib = _output([venv_python, "-c", _PURELIB]).strip()
        # That option includes the packages of the Python below an active environment, but
        # not those of the environment itself.
        if os.environ.get("VIRTUAL_ENV") and not self._is_isolated:
            parents = _output([self._python, "-c", _PARENT])
            _write(os.path.join(purelib, "zz-riseml-parent.pth"), parents)
        if self._code == self._built:
            hook = os.path.join(os.path.dirname(__file__), "moved_code.py")
            shutil.copyfile(hook, os.path.join(purelib, "_riseml_code.py"))
            _write(os.path.join(purelib, "zz-riseml-code.pth"), "import _riseml_code\n")
        self._provide_pip(venv_python)

    def _provide_pip(self, python: str) -> None:
        """Make pip available: the user's own if the environment includes it, which is quicker."""
        status = subprocess.call(
            [python, "-c", "import pip"], stderr=subprocess.DEVNULL
        )
        if status != 0:
            subprocess.run([python, "-m", "ensurepip", "--default-pip"], check=True)
            return
        for name in ("pip", "pip3"):
            _write_program(
                os.path.join(self._folder, "bin", name), _PIP.format(python=python)
            )

    def _copy_files(self, number: int) -> None:
        """Copy the files of a step to where it runs."""
        context = os.path.join(self.private, "context", str(number))
        if not os.path.isdir(context):
            return
        with open(os.path.join(self._folder, _COPIED), "ab") as file:
            for path in _leaves(context):
                _replace(context, path, self._built)
                file.write(os.fsencode(path) + b"\0")

    def _run_step(self, step: str) -> None:
        # As in the job itself, a failure anywhere in a pipeline counts.
        bash = shutil.which("bash")
        shell = [bash, "-o", "pipefail"] if bash else ["sh"]
        status = subprocess.call(
            [*shell, "-ec", step], cwd=self._code, env=self._environment()
        )
        if status:
            # A shell reports a signal like that.
            raise _FailedStepError(status if status > 0 else 128 - status, step)

    def _environment(self) -> dict[str, str]:
        path = os.environ.get("PATH", os.defpath)
        folders = [os.path.join(self._folder, name) for name in ("shims", "bin")]
        return {
            **os.environ,
            "VIRTUAL_ENV": self._folder,
            "PATH": ":".join([*folders, path]),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def _save(self, number: int) -> None:
        try:
            environment_copy.save(self._folder, self._keys[number - 1])
        except OSError as error:
            # The next build repeats the step.
            _report(f"riseml: the result of this step cannot be kept: {error}")

    def _finish(self) -> None:
        """Collect the files that steps have created where they ran."""
        copied: set[bytes] = set()
        with (
            suppress(FileNotFoundError),
            open(os.path.join(self._folder, _COPIED), "rb") as file,
        ):
            copied.update(file.read().split(b"\0"))
        code = os.path.join(self._folder, "code")
        os.mkdir(code)
        for path in _leaves(self._built):
            if os.fsencode(path) not in copied:
                _replace(self._built, path, code)


def _leaves(top: str, folder: str = "") -> Iterator[str]:
    """Yield the relative paths of all files, links and empty folders below a folder."""
    with os.scandir(os.path.join(top, folder)) as entries:
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False) and os.listdir(entry.path):
                yield from _leaves(top, path)
            else:
                yield path


def _replace(source: str, path: str, target: str) -> None:
    """Copy a file, link or empty folder from one folder to another."""
    original, copy = os.path.join(source, path), os.path.join(target, path)
    if os.path.isdir(original) and not os.path.islink(original):
        os.makedirs(copy, exist_ok=True)
        return
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    # A link or a file without write permission cannot be overwritten.
    if os.path.lexists(copy):
        _remove(copy)
    shutil.copy2(original, copy, follow_symlinks=False)


def _write_shims(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    uv = shutil.which("uv")
    for program in _UV_PROGRAMS if uv else ():
        text = _UV_SHIM.format(
            python=sys.executable, bare=bare.__file__, uv=uv, program=program
        )
        _write_program(os.path.join(folder, program), text)
    for tool in _PACKAGE_TOOLS:
        _write_program(os.path.join(folder, tool), _SHIM.format(tool=tool))


def _write_program(path: str, text: str) -> None:
    _write(path, text)
    os.chmod(path, 0o755)  # noqa: S103 -- programs


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _output(command: Sequence[str]) -> str:
    completed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return completed.stdout
