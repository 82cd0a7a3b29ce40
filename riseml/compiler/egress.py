"""How the pods of a cluster reach servers outside: its proxies and certificate authorities.

Jobs and install steps get both. A variable of riseml.yml replaces one of these.
"""

from hera.workflows.models import VolumeMount

from riseml.plan import Target

FOLDER = "/etc/riseml-authorities"
FILE = f"{FOLDER}/ca.crt"
_SECRET = "authorities"  # noqa: S105
# What OpenSSL and Go, requests, curl, pip, Git, Node.js and boto3 read.
_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
)


def environment(target: Target) -> dict[str, str]:
    """Return the variables of a job."""
    variables = dict(target.proxies)
    if target.authorities:
        variables.update(dict.fromkeys(_VARIABLES, FILE))
    return variables


def mounts(target: Target) -> list[VolumeMount]:
    """Return the mount of a job that contains the authorities."""
    if not target.authorities:
        return []
    return [VolumeMount(name=target.authorities, mount_path=FOLDER, read_only=True)]


def build_options(target: Target) -> str:
    """Return what buildctl passes on to install steps, for a shell that splits it.

    The names of these arguments are known to BuildKit: they are neither part of the
    image nor of the key by which it caches steps.
    """
    options = [
        f"--opt build-arg:{name}={address}" for name, address in target.proxies.items()
    ]
    if target.authorities:
        options.append(f"--secret id={_SECRET},src={FILE}")
    return " ".join(options)


def step_texts(target: Target) -> tuple[str, str]:
    """Return the flags of an install step's RUN, and the beginning of its shell script."""
    if not target.authorities:
        return "", ""
    assignments = " ".join(f"{name}={FILE}" for name in _VARIABLES)
    flags = f"--mount=type=secret,id={_SECRET},target={FILE},mode=0444 "
    return flags, f"export {assignments}; "
