"""Installation for tests on the cluster of KUBECONFIG, and a user there who builds images.

Its nodes have `localhost/base:1` and `localhost/buildkit:1`; the second has buildkitd, buildctl, runc and a shell.
Images go to the registry 10.244.0.1:5000 (plain HTTP), which also has `base:1`. The installation stays.
"""

import os
import time

from riseml import templating
from riseml.cluster import certificates
from riseml.cluster.api import Api, Object, path
from riseml.cluster.values import parse
from tests.cluster.user_namespace import wait_until

REGISTRY, IMAGE, USER = (
    "10.244.0.1:5000",
    "localhost/buildkit:1",
    f"system-test-{os.getpid()}",
)
NAMESPACE = f"riseml-{USER}"
TEXT = f"""
storage:
  volumes: {{hostPath: {{path: "/var/lib/riseml-volumes/{{namespace}}/{{claim}}", type: DirectoryOrCreate}}}}
  sizes: {{data: 1Gi, output: 1Gi, store: 1Gi}}
images: {{git: "localhost/base:1", build: "{IMAGE}"}}
registry: {{deploy: false, address: "{REGISTRY}", pullAddress: "{REGISTRY}", insecure: true}}
buildkit: {{image: "{IMAGE}", rootless: false, command: [buildkitd]}}
"""
VALUES = parse(TEXT)
_BUILD = """
mkdir -p /tmp/riseml/build /tmp/riseml/context
printf 'FROM {base}\\nRUN echo built at {now} > /built\\n' > /tmp/riseml/build/Dockerfile
{script}
cat /tmp/riseml/image
"""


def build(api: Api, name: str, image: str) -> str:
    """Build a new image with the user's certificate, in a pod of this name; return its digest."""
    script = _BUILD.format(
        base=f"{REGISTRY}/base:1", now=time.time(), script=templating.read("build.sh")
    )
    phase, log = run(api, name, script, image)
    assert phase == "Succeeded", log
    built = log.splitlines()[-1]
    assert built.startswith(f"{image.rpartition(':')[0]}@sha256:"), log
    return built.partition("@")[2]


def run(api: Api, name: str, script: str, image: str = "") -> tuple[str, str]:
    """Run a script in the user's namespace; return the phase of the pod and its log."""
    pods = path("pods", NAMESPACE)
    api.create(pods, pod(name, script, image))
    ended = ("Succeeded", "Failed")
    wait_until(
        lambda: api.get(f"{pods}/{name}")["status"]["phase"] in ended,
        120,
        f"the pod {name}",
    )
    log: bytes = api.open(f"{pods}/{name}/log").read()
    return api.get(f"{pods}/{name}")["status"]["phase"], log.decode()


def pod(name: str, script: str, image: str) -> Object:
    variables = {
        "RISEML_DIR": "/tmp/riseml",
        "IMAGE_NAME": image,
        "IMAGE_ATTRIBUTES": ",registry.insecure=true",
        "BUILDKIT_HOST": VALUES["buildkit"]["address"],
        "BUILDKIT_CERTIFICATES": "/certificates",
    }
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}],
    }
    volume = {"name": "certificates", "secret": {"secretName": certificates.CLIENT}}
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [volume],
        "automountServiceAccountToken": False,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
