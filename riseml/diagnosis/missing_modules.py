"""Explanations for Python modules that a program could not import."""

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from riseml.diagnosis import log_errors
from riseml.diagnosis.evidence import LOG_LINES, Cause, Evidence, Subject, cause
from riseml.diagnosis.missing_files import bring_advice

_COMPLAINT = re.compile(
    r"No module named ['\"]?(?P<module>[A-Za-z_][\w.]*)", re.IGNORECASE
)
_REQUIREMENTS = "requirements.txt"
# Packages whose modules have another name.
_PACKAGES = MappingProxyType(
    {
        "Bio": "biopython",
        "Box2D": "box2d-py",
        "Crypto": "pycryptodome",
        "Levenshtein": "python-Levenshtein",
        "MySQLdb": "mysqlclient",
        "OpenSSL": "pyOpenSSL",
        "PIL": "pillow",
        "ale_py": "ale-py",
        "apt": "python-apt",
        "attr": "attrs",
        "bs4": "beautifulsoup4",
        "cairo": "pycairo",
        "cv2": "opencv-python",
        "dateutil": "python-dateutil",
        "distutils": "setuptools",
        "docx": "python-docx",
        "dotenv": "python-dotenv",
        "faiss": "faiss-cpu",
        "fitz": "PyMuPDF",
        "git": "GitPython",
        "google": "protobuf",
        "hydra": "hydra-core",
        "igraph": "python-igraph",
        "jwt": "PyJWT",
        "magic": "python-magic",
        "mpl_toolkits": "matplotlib",
        "osgeo": "gdal",
        "pkg_resources": "setuptools",
        "psycopg2": "psycopg2-binary",
        "pytorch_lightning": "pytorch-lightning",
        "serial": "pyserial",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
        "skopt": "scikit-optimize",
        "slugify": "python-slugify",
        "umap": "umap-learn",
        "websocket": "websocket-client",
        "yaml": "pyyaml",
        "zmq": "pyzmq",
    }
)


def missing_module(lines: Sequence[str]) -> str:
    """Return the module that the lines of a log miss, empty if they miss none."""
    for line in log_errors.matching(lines, _COMPLAINT):
        match = _COMPLAINT.search(line)
        if match:
            return match["module"].rstrip(".")
    return ""


def package_of(module: str) -> str:
    """Return the package on PyPI that has a module, as far as is known."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top.replace("_", "-"))


def module_conflict(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a module that was not found, None if the log misses none."""
    lines = evidence.log(subject.job)
    module = missing_module(lines)
    if not module:
        return None
    quoted = lines[-LOG_LINES:]
    left_out = _left_out(evidence, module)
    if left_out is not None:
        entry, source = left_out
        return cause(
            subject,
            f"the project's module {module} was left out by {source}",
            quoted,
            bring_advice(entry, source).replace("Or bring", "Bring"),
            kind="EXCLUDED",
        )
    local_module = _own_module(evidence, module)
    if local_module is not None:
        explanation, advice = local_module
        return cause(subject, explanation, quoted, advice, kind="MODULE")
    return cause(
        subject,
        f"{_interpreter(evidence)} has no module {module}",
        quoted,
        *_install_advice(evidence, module),
        kind="MODULE",
    )


def _left_out(evidence: Evidence, module: str) -> tuple[str, str] | None:
    """Return the excluded path of a module, and what excludes it."""
    names = f"{module.replace('.', '/')}|{module.partition('.')[0]}"
    pattern = re.compile(rf"(?:.*/)?(?:{names})(?:\.py|/)")
    for source, entries in evidence.run.excluded.items():
        for entry in filter(pattern.fullmatch, entries):
            # A folder `wandb/` holds logs, and is not the package.
            if entry.endswith(".py") or entry in evidence.surroundings.own_code:
                return entry, source
    return None


def _own_module(evidence: Evidence, module: str) -> tuple[str, str] | None:
    """Return explanation and advice for a module of the project itself, or None."""
    code = evidence.surroundings.code
    top, _, rest = module.partition(".")
    folder = _folder_of(code, top)
    if folder is None:
        return None
    if rest and _folder_of(code, module) is None:
        path = module.replace(".", "/")
        return (
            f"the project's package {top} has no module {module}",
            f"The code of the run has neither {path}.py nor {path}/: add it, then train again.",
        )
    path = f"/code/{folder}".rstrip("/")
    return (
        f"Python did not look for the project's module {top} in {folder or 'its top folder'}",
        f"Write `env: {{PYTHONPATH: {path}}}` under `train` in riseml.yml.",
    )


def _folder_of(code: frozenset[str], module: str) -> str | None:
    """Return the folder of the project that holds a module, the highest one, or None."""
    path = module.replace(".", "/")
    pattern = re.compile(rf"(.*/|){path}(?:\.py|/.*\.py)")
    matches = filter(None, map(pattern.fullmatch, sorted(code)))
    folders = [match[1].rstrip("/") for match in matches]
    return min(folders, key=lambda folder: folder.count("/"), default=None)


def _interpreter(evidence: Evidence) -> str:
    python = evidence.surroundings.python
    if python is not None:
        return f"{python.path} (Python {python.version})"
    if evidence.run.install and evidence.has_cluster:
        return f"the image of {evidence.run.image} and the install steps"
    if evidence.has_cluster:
        return f"the image {evidence.run.image}"
    return "the Python of the job"


def _install_advice(evidence: Evidence, module: str) -> Iterator[str]:
    package = package_of(module)
    step = f"pip install {package}"
    has_requirements = _REQUIREMENTS in evidence.surroundings.code
    steps = " ".join(evidence.run.install)
    if evidence.run.install:
        advice = f"Add `{step}` to `install` in riseml.yml."
    else:
        advice = f"Add `install: {step}` under `train` in riseml.yml."
    if has_requirements and _REQUIREMENTS not in steps:
        advice += f" If {_REQUIREMENTS} names it: `pip install -r {_REQUIREMENTS}`."
    yield advice
    if evidence.has_cluster or evidence.run.install:
        return
    yield (
        f"The image {evidence.run.image} was not used: on this machine, jobs run in your own environment."
    )
    python = evidence.surroundings.python
    if python is not None:
        yield f"Or install it there: `{python.path} -m pip install {package}`."
