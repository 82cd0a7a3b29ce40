"""Cases about pods: containers, volumes, exit codes, outputs, limits."""

from typing import Any, Final

from tests.comparison.case import Case, Data, pod, same, unsupported, workflow

_IMAGE: Final = "localhost/base:1"
_MOUNT: Final = {"name": "v", "mountPath": "/v"}
_EMPTY: Final = {"name": "v", "emptyDir": {}}
_NO_LIMITS: Final = "only the setting resources.enforce limits processes"


def _one(script: str = "true", **fields: Any) -> Data:
    return workflow(pod(script, **fields))


def _container(**container: Any) -> Data:
    return workflow(pod(container=container))


def _beside(name: str, script: str) -> Data:
    return {"name": name, "image": _IMAGE, "command": ["sh", "-c", script]}


def _sidecar(main: str, *sidecars: str) -> Data:
    beside = [_beside(f"s{index}", script) for index, script in enumerate(sidecars)]
    return _one(main, sidecars=beside)


def _writes(script: str, **outputs: str | None) -> Data:
    return _one(script, outputs=outputs)


def _prints(value: str, **container: Any) -> Data:
    script = f"printf %s {value} > $R/r"
    return _one(script, outputs={"r": None}, container=container)


def _mounting(script: str, *mounts: Data, volumes: list[Data], **fields: Any) -> Data:
    template = pod(script, outputs={"r": None})
    template["container"]["volumeMounts"] += mounts
    template["volumes"] += volumes
    return workflow(template, **fields)


_EXIT_CODES: Final = (1, 3, 64, 126, 127, 137, 143, 255)
_SIGNALS: Final = ("TERM", "KILL", "SEGV", "INT")
_WRITTEN: Final = {
    "crlf": r"a\r\n",
    "two-ends": r"b\n\n",
    "only-end": r"\n",
    "carriage-return": r"x\r",
    "empty": "",
    "inner-ends": r"\na\nb \n",
    "tab": r"\ta\t",
    "not-utf8": r"a\377b",
    "quotes": r"\"x\" \\\\ y",
    "braces": "{{workflow.name}}",
}

CASES: dict[str, Case] = {
    "pod": same(_one()),
    **{f"exit-{code}": same(_one(f"exit {code}")) for code in _EXIT_CODES},
    **{f"signal-{s.lower()}": same(_one(f"kill -{s} $$; sleep 1")) for s in _SIGNALS},
    **{
        f"output-{name}": same(_writes(f"printf '{text}' > $R/r", r=None))
        for name, text in _WRITTEN.items()
    },
    "output-long": same(_writes("head -c 5000 /dev/zero | tr '\\0' a > $R/r", r=None)),
    "output-missing": same(_writes("true", r=None)),
    "output-default": same(_writes("true", r="usual")),
    "output-default-empty": same(_writes("true", r="")),
    "output-default-tag": same(_writes("true", r="{{workflow.name}}-{{pod.name}}")),
    "output-of-failure": same(_writes("echo a > $R/r; exit 2", r=None)),
    "output-default-of-failure": same(_writes("exit 2", r="usual")),
    "output-second-missing": same(_writes("echo a > $R/r", r=None, s=None)),
    "output-folder": Case(
        _writes("mkdir $R/r", r=None),
        "different",
        "the message says that there is no file, not that it is a folder",
    ),
    "output-folder-default": same(_writes("mkdir $R/r", r="usual")),
    "volume-of-template": same(
        _mounting("echo a > /v/a; cat /v/a > $R/r", _MOUNT, volumes=[_EMPTY])
    ),
    "volume-of-workflow": same(
        workflow(
            pod("echo a > /v/a && test -f /v/a", container={"volumeMounts": [_MOUNT]}),
            volumes=[_EMPTY],
        )
    ),
    "volume-sub-path": same(
        _mounting(
            "echo a > /w/b/a; cat /v/a > $R/r",
            {**_MOUNT, "subPath": "b"},
            {"name": "v", "mountPath": "/w"},
            volumes=[_EMPTY],
        )
    ),
    "volume-read-only": same(
        _mounting(
            "{ echo a > /v/a; } 2>/dev/null || echo no > $R/r",
            {**_MOUNT, "readOnly": True},
            volumes=[_EMPTY],
        )
    ),
    "volume-missing": unsupported(_container(volumeMounts=[_MOUNT])),
    "volume-twice": unsupported(
        workflow(pod(container={"volumeMounts": [_MOUNT]}, volumes=[_EMPTY, _EMPTY]))
    ),
    "volume-in-both": unsupported(
        workflow(
            pod(container={"volumeMounts": [_MOUNT]}, volumes=[_EMPTY]),
            volumes=[_EMPTY],
        )
    ),
    "volume-without-source": unsupported(
        workflow(pod(container={"volumeMounts": [_MOUNT]}, volumes=[{"name": "v"}]))
    ),
    "volume-in-memory": unsupported(
        workflow(
            pod(
                container={"volumeMounts": [_MOUNT]},
                volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}],
            )
        )
    ),
    "shared-memory": same(
        workflow(
            pod(
                "test -w /dev/shm",
                container={"volumeMounts": [{"name": "v", "mountPath": "/dev/shm"}]},
                volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}],
            )
        )
    ),
    "mount-twice": same(
        workflow(pod(container={"volumeMounts": [_MOUNT, _MOUNT]}, volumes=[_EMPTY]))
    ),
    "mount-path-relative": unsupported(
        workflow(
            pod(
                container={"volumeMounts": [{**_MOUNT, "mountPath": "v"}]},
                volumes=[_EMPTY],
            )
        )
    ),
    "sub-path-leaves": unsupported(
        workflow(
            pod(
                container={"volumeMounts": [{**_MOUNT, "subPath": "../a"}]},
                volumes=[_EMPTY],
            )
        )
    ),
    "claim-unknown": unsupported(
        workflow(
            pod(container={"volumeMounts": [_MOUNT]}),
            volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}],
        ),
        "Argo waits for the claim without end",
    ),
    "host-path": unsupported(
        workflow(
            pod(container={"volumeMounts": [_MOUNT]}),
            volumes=[{"name": "v", "hostPath": {"path": "/tmp"}}],
        )
    ),
    "artifact-raw": unsupported(
        workflow(
            pod(
                "cat /a",
                inputs={
                    "artifacts": [{"name": "a", "path": "/a", "raw": {"data": "x"}}]
                },
            )
        )
    ),
    "sidecar": same(_sidecar("sleep 1", "sleep 100")),
    "sidecar-succeeds": same(_sidecar("sleep 2", "true")),
    "sidecar-fails": same(_sidecar("sleep 2", "exit 3")),
    "sidecar-fails-on-term": same(
        _sidecar("sleep 2", "trap 'exit 5' TERM; sleep 100 & wait")
    ),
    "sidecar-ignores-status-143": same(_sidecar("sleep 2", "exit 143")),
    "sidecar-second-fails": same(_sidecar("sleep 2", "true", "exit 4")),
    "sidecar-and-main-fail": same(_sidecar("sleep 2; exit 6", "exit 3")),
    "init-container": same(
        _one(initContainers=[_beside("i", "true")]),
    ),
    "init-container-fails": same(_one(initContainers=[_beside("i", "exit 3")])),
    "memory-limit": same(_container(resources={"limits": {"memory": "64Mi"}})),
    "memory-limit-exceeded": Case(
        workflow(
            pod(
                "python3 -c 'len(bytearray(200 << 20))'",
                container={"resources": {"limits": {"memory": "64Mi"}}},
            )
        ),
        "different",
        _NO_LIMITS,
    ),
    "cpu-limit": same(_container(resources={"limits": {"cpu": "1"}})),
    "requests": same(
        _container(resources={"requests": {"cpu": "1m", "memory": "1Mi"}})
    ),
    "request-malformed": same(_container(resources={"requests": {"cpu": "x"}})),
    "request-unknown": unsupported(
        _container(resources={"requests": {"ephemeral-storage": "1Mi"}})
    ),
    "working-directory-missing": unsupported(_container(workingDir="/nothing/here")),
    "working-directory-relative": unsupported(_container(workingDir="x")),
    "working-directory-is-file": unsupported(_container(workingDir="/etc/passwd")),
    "working-directory-in-volume": same(_prints("$PWD", workingDir="/riseml/a/b")),
    "environment-twice": same(
        _container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])
    ),
    "environment-number": same(_container(env=[{"name": "A", "value": 1}])),
    "environment-references": same(
        _prints(
            '"$A $B $C $D $E"',
            env=[
                {"name": "A", "value": "a"},
                {"name": "B", "value": "$(A)b"},
                {"name": "C", "value": "$$(A)"},
                {"name": "D", "value": "$(E)"},
                {"name": "E", "value": "$(NONE) $A"},
            ],
        )
    ),
    "environment-in-arguments": same(
        _writes("printf %s '$(R) $$(R) $(NONE)' > $(R)/r", r=None)
    ),
    "environment-empty": same(_prints('"[$A]"', env=[{"name": "A"}])),
    "environment-lines": same(_prints('"$A"', env=[{"name": "A", "value": "a\nb\n"}])),
    "command-missing-path": same(_container(command=["/no/such/program"])),
    "command-missing-name": same(_container(command=["nosuchprogram"])),
    "command-not-executable": same(_container(command=["/etc/passwd"])),
    "command-empty": unsupported(_container(command=[])),
    "command-without-arguments": same(_container(command=["true"], args=[])),
    "arguments-null": same(_container(command=["true"], args=None)),
    "deadline": Case(
        _one("sleep 30", activeDeadlineSeconds=3),
        "different",
        "Argo does not learn the exit code, the local engine does",
    ),
    "deadline-text": same(_one("true", activeDeadlineSeconds="30")),
    "deadline-not-reached": same(_one("true", activeDeadlineSeconds=60)),
    "progress-none-of-none": same(_one("echo 0/0 > $ARGO_PROGRESS_FILE; exit 1")),
    "progress-too-much": same(_one("echo 150/100 > $ARGO_PROGRESS_FILE; exit 1")),
    "progress-negative": same(_one("echo -1/100 > $ARGO_PROGRESS_FILE; exit 1")),
    "progress-text": same(_one("echo a/b > $ARGO_PROGRESS_FILE; exit 1")),
    "progress-of-failure": Case(
        _one("echo 50/100 > $ARGO_PROGRESS_FILE; exit 1"),
        "different",
        "Argo reads the progress once a minute, and not at the end",
    ),
    "progress-last-line": Case(
        _one("printf '1/9\\n50/100\\n' > $ARGO_PROGRESS_FILE"),
        "different",
        "Argo reads the progress once a minute, and not at the end",
    ),
    "stopped-and-succeeds": same(
        _one("trap 'exit 0' TERM; touch /tmp/ready; sleep 100 & wait"), stop=True
    ),
    "stopped-and-fails": same(_one("trap 'exit 9' TERM; sleep 100 & wait"), stop=True),
}
