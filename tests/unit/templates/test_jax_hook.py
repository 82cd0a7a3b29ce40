"""Start-up hook of JAX jobs, with a stand-in for jax: what it changes, and that it never breaks a program."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from riseml import templating

# The names of jax that the hook uses. As in jax, backends and clusters are there before
# the module of the distributed state has been run.
JAX = {
    "__init__.py": "from jax._src import distributed, xla_bridge, config",
    "_src/__init__.py": "",
    "_src/config.py": "",
    "_src/xla_bridge.py": """
        from jax._src import distributed
        def _clear_backends(): print("backends cleared")
    """,
    "_src/clusters.py": """
        class ClusterEnv:
            _cluster_types = []
            def __init_subclass__(cls): cls._cluster_types.append(cls)
        class K8sCluster(ClusterEnv):
            @classmethod
            def is_env_present(cls): raise RuntimeError("no token")
    """,
    "_src/distributed.py": """
        import atexit
        from jax._src import clusters
        class State:
            client = service = None
            preemption_sync_manager = None
            def initialize_preemption_sync_manager(self):
                self.preemption_sync_manager = "service"
            def shutdown(self): print("barrier")
        global_state = State()
        @atexit.register
        def clean_up():
            from jax._src import xla_bridge
            xla_bridge._clear_backends()
            global_state.shutdown()
        def connect(): global_state.client = object()
    """,
    "experimental/__init__.py": "",
    "experimental/multihost_utils.py": """
        from jax._src import distributed
        def reached_preemption_sync_point(step):
            return distributed.global_state.preemption_sync_manager
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in JAX.items():
        path = tmp_path / "site" / "jax" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    (tmp_path / "hook").mkdir()
    hook = templating.folder() / "jax_hook.py"
    shutil.copy(hook, tmp_path / "hook" / "sitecustomize.py")
    return tmp_path


def run(
    folder: Path, program: str, *options: str, **env: str
) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join((str(folder / "hook"), str(folder / "site")))
    return subprocess.run(
        [sys.executable, *options, "-c", dedent(program)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


CONNECTED = "import sys, jax; jax.distributed.connect()\n"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("raise ValueError('boom')", 1),
        ("sys.exit(3)", 3),
        ("exit(4)", 4),
        ("sys.exit('no data')", 1),
        ("sys.excepthook = lambda *_: None; raise ValueError('boom')", 1),
    ],
)
def test_a_process_that_fails_does_not_wait_for_its_peers(
    end: str, status: int, folder: Path
) -> None:
    meeting = {"RISEML_MEETING": str(folder), "RISEML_JOB": "worker.2"}
    result = run(folder, CONNECTED + end, **meeting)
    assert (result.returncode, result.stdout) == (status, "backends cleared\n"), result
    assert (folder / "over").read_text() == "worker.2 has failed\n"


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(0)",
        "sys.exit()",
        "try: sys.exit(3)\nexcept SystemExit: pass",
        "import threading as t; t.Thread(target=sys.exit, args=(3,)).start()",
        "try: raise ValueError\nexcept ValueError: pass",
    ],
)
def test_a_process_that_succeeds_waits_for_its_peers(end: str, folder: Path) -> None:
    meeting = {"RISEML_MEETING": str(folder), "RISEML_JOB": "worker.2"}
    result = run(folder, CONNECTED + end, **meeting)
    assert result.returncode == 0
    assert result.stdout == "backends cleared\nbarrier\n"
    assert not result.stderr
    assert not (folder / "over").exists()


def test_nobody_waits_for_peers_of_a_job_that_has_failed(folder: Path) -> None:
    (folder / "over").touch()
    result = run(folder, CONNECTED, RISEML_MEETING=str(folder), RISEML_JOB="worker.2")
    assert (result.returncode, result.stdout) == (0, "backends cleared\n")


def test_jax_finds_its_processes_before_it_asks_kubernetes(folder: Path) -> None:
    program = """
        from jax._src.clusters import ClusterEnv
        import jax
        for env in ClusterEnv._cluster_types:
            print(env.__name__, env.is_env_present())
        first = ClusterEnv._cluster_types[0]
        address = first.get_coordinator_address(timeout_secs=1)
        print(address, first.get_process_count(), first.get_process_id())
        print(first.get_local_process_id())
    """
    env = {
        "JAX_COORDINATOR_ADDRESS": "worker:1234",
        "JAX_NUM_PROCESSES": "4",
        "JAX_PROCESS_ID": "3",
        "JAX_LOCAL_DEVICE_IDS": "1",
    }
    result = run(folder, program, **env)
    expected = ["RisemlCluster True", "K8sCluster False", "worker:1234 4 3", "1"]
    assert result.stdout.splitlines()[:4] == expected, result


@pytest.mark.parametrize(
    ("env", "at_first", "after_question"),
    [
        ({"RISEML_PREEMPTION": "on-demand"}, "None", "service"),
        ({}, "service", "service"),
    ],
)
def test_the_preemption_service_starts_on_demand(
    env: Mapping[str, str], at_first: str, after_question: str, folder: Path
) -> None:
    program = """
        import jax
        from jax.experimental import multihost_utils
        state = jax.distributed.global_state
        jax.distributed.connect()
        state.initialize_preemption_sync_manager()
        print(state.preemption_sync_manager)
        print(multihost_utils.reached_preemption_sync_point(1))
    """
    result = run(folder, program, **env)
    assert result.stdout.splitlines()[:2] == [at_first, after_question], result


def test_another_sitecustomize_runs_as_well(folder: Path) -> None:
    (folder / "site/sitecustomize.py").write_text("print('customized')")
    program = "import sys, sitecustomize; print(sitecustomize.__file__)"
    result = run(folder, program)
    assert result.stdout.splitlines() == [
        "customized",
        str(folder / "site/sitecustomize.py"),
    ]
    assert not result.stderr


@pytest.mark.parametrize("option", ["-I", "-S", "-E"])
def test_python_can_do_without_the_hook(option: str, folder: Path) -> None:
    result = run(folder, "print('works')", option)
    assert (result.stdout, result.stderr) == ("works\n", "")


def test_a_program_without_jax_imports_nothing_for_the_hook(folder: Path) -> None:
    program = "import sys; print(*sorted(sys.modules))"
    with_hook = set(run(folder, program).stdout.split())
    (folder / "hook/sitecustomize.py").write_text("import os, sys, time\n")
    assert with_hook == set(run(folder, program).stdout.split())


def test_another_jax_works_as_it_does_by_itself(folder: Path) -> None:
    """No name of another version of jax that the hook does not know may break it."""
    for name in ("_src/distributed.py", "_src/xla_bridge.py"):
        (folder / "site/jax" / name).write_text("")
    result = run(folder, "import jax; print('works')")
    assert (result.stdout, result.stderr) == ("works\n", "")
