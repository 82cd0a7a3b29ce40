"""Start-up hook of Python in jobs with `framework: jax`: jax.sh puts it on PYTHONPATH as `sitecustomize`.

It costs nothing in a program that does not import jax, fits all versions of jax since 0.4.13, and never makes a
program fail: what it cannot do, it leaves as jax has it. In the order of the code below,

* a process that fails ends at once. jax's exit handler would wait up to 300 seconds for peers, which wait for it;
* `jax.distributed.initialize()` needs no arguments, and finds no cluster where there is none;
* the preemption service, which takes over SIGTERM, starts only when the program first asks it something.
"""

import os
import sys
import time

# Peers that fail because this process has ended must not be recorded before it, and may be quicker. jax.sh waits half
# a second where a process was killed.
_HEAD_START = 1.5
# Peers wait for a failed process until it has ended, however long its own exit handlers take.
_PATIENCE = 25


class _Failure(object):
    """Whether and how this process fails: by an uncaught exception, or by an exit status."""

    def __init__(self):
        self.is_certain = False
        self._hook = None

    def watch_exits(self):
        """Notice `sys.exit` and `exit` with a status other than 0 that end the process."""
        # These exist only in Python 3, the only one that jax has.
        import _thread
        import builtins

        failure = self
        main_thread = _thread.get_ident()
        plain_exit = sys.exit

        class Exit(SystemExit):
            def __del__(self):
                # The interpreter itself frees an exception that nothing has caught: then there is no other frame.
                try:
                    sys._getframe(1)
                except ValueError:
                    failure.note()

        Exit.__name__ = Exit.__qualname__ = "SystemExit"
        Exit.__module__ = "builtins"

        def exit(status=None):
            if not status or isinstance(status, tuple) or _thread.get_ident() != main_thread:
                plain_exit(status)
            raise Exit(status)

        sys.exit = exit
        quitter = type(getattr(builtins, "exit", None))
        if quitter.__module__ == "_sitebuiltins":
            quitter.__call__ = lambda self, code=None: exit(code)

    def watch_exceptions(self):
        """Notice an exception that ends the process."""
        show = sys.excepthook

        def hook(kind, value, traceback):
            show(kind, value, traceback)
            self.note()

        self._hook = sys.excepthook = hook

    def note(self):
        """Remember that this process fails."""
        self.is_certain = True

    def has_happened(self):
        """Return whether this process fails, also if the program has replaced `sys.excepthook`."""
        return self.is_certain or (sys.excepthook is not self._hook and getattr(sys, "last_value", None) is not None)


_failure = _Failure()


class _End(object):
    """The end of a failed process that has met its peers."""

    def __init__(self):
        self.is_announced = False

    def announce(self):
        """Record in the folder where the jobs of a gang meet that this one has failed, while its peers still wait."""
        if self.is_announced:
            return
        self.is_announced = True
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        import faulthandler

        faulthandler.dump_traceback_later(_PATIENCE, exit=True, file=2)
        time.sleep(_HEAD_START)
        over = _over()
        if over:
            record = os.open(over, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            os.write(record, "{0} has failed\n".format(os.environ["RISEML_JOB"]).encode())
            os.close(record)


_end = _End()


def _over():
    """Return the file that the first failed job of a gang makes, None without a gang."""
    meeting = os.environ.get("RISEML_MEETING")
    return os.path.join(meeting, "over") if meeting else None


def _quietly(function, *arguments):
    try:
        return function(*arguments)
    except Exception:
        return None


def _patch_backends(module):
    clear = module._clear_backends

    def clear_backends():
        # This closes the connections to the peers, which fail then.
        if _failure.has_happened() and module.distributed.global_state.client is not None:
            _quietly(_end.announce)
        clear()

    module._clear_backends = clear_backends


def _patch_distributed(module):
    _failure.watch_exceptions()
    state = module.State
    shutdown = state.shutdown

    def shut_down(self):
        has_failed = _failure.has_happened() and self.client is not None
        if has_failed:
            _quietly(_end.announce)
        over = _over()
        # If another job has failed, its processes do not come to the barrier.
        if has_failed or (over and os.path.exists(over)):
            _abandon(self)
        else:
            shutdown(self)

    state.shutdown = shut_down
    _quietly(_add_cluster, module.clusters.ClusterEnv)
    if _is_on_demand() and not hasattr(module, "_ENABLE_PREEMPTION_SERVICE"):
        # Older versions have no such option.
        state._riseml_start_service = state.initialize_preemption_sync_manager
        state.initialize_preemption_sync_manager = lambda self: None


def _abandon(state):
    """Forget the client and the service; they are never freed, since that would wait for the peers as well."""
    import ctypes

    for name in ("preemption_sync_manager", "client", "service"):
        value = getattr(state, name, None)
        if value is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
            setattr(state, name, None)


def _add_cluster(environments):
    """Put RiseML before all clusters that jax knows, and let the one that asks Kubernetes never fail."""

    class RisemlCluster(environments):
        name = "riseml"

        @classmethod
        def is_env_present(cls):
            names = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
            return all(os.environ.get(name) for name in names)

        @classmethod
        def get_coordinator_address(cls, *_arguments, **_options):
            return os.environ["JAX_COORDINATOR_ADDRESS"]

        @classmethod
        def get_process_count(cls):
            return int(os.environ["JAX_NUM_PROCESSES"])

        @classmethod
        def get_process_id(cls):
            return int(os.environ["JAX_PROCESS_ID"])

        @classmethod
        def get_local_process_id(cls):
            # jax before 0.5 does not read the variable itself; it takes only one device from here.
            devices = os.environ.get("JAX_LOCAL_DEVICE_IDS", "")
            return int(devices) if devices.isdigit() else None

    known = environments._cluster_types
    known.insert(0, known.pop())
    for environment in known:
        if environment.__name__ == "K8sCluster":
            # It raises an error in a pod without a token.
            detect = environment.is_env_present
            environment.is_env_present = staticmethod(lambda: bool(_quietly(detect)))


def _is_on_demand():
    """Return whether jax.sh has turned the preemption service off, and not the user."""
    return os.environ.get("RISEML_PREEMPTION") == "on-demand"


def _patch_multihost(module):
    """Start the preemption service when the program asks it, as Orbax does before each checkpoint."""
    if not _is_on_demand():
        return
    distributed = module.distributed
    state = distributed.global_state
    reached = module.reached_preemption_sync_point

    def reached_preemption_sync_point(step_id):
        if state.client is not None and state.preemption_sync_manager is None:
            _quietly(start)
        return reached(step_id)

    def start():
        if hasattr(state, "_riseml_start_service"):
            state._riseml_start_service()
        else:
            module.jax.config.update("jax_enable_preemption_service", True)
            state.initialize_preemption_sync_manager()

    module.reached_preemption_sync_point = reached_preemption_sync_point


class _Finder(object):
    """Finder that lets the other finders import a module, and patches it then."""

    patches = {
        "jax._src.distributed": _patch_distributed,
        "jax._src.xla_bridge": _patch_backends,
        "jax.experimental.multihost_utils": _patch_multihost,
    }

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module that is patched, None for all others."""
        patch = self.patches.pop(name, None)
        if patch is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                _quietly(_patch_after, spec.loader, patch)
                return spec
        return None


def _patch_after(loader, patch):
    run = loader.exec_module

    def exec_module(module):
        run(module)
        _quietly(patch, module)

    loader.exec_module = exec_module


def _run_hidden_sitecustomize():
    """Run the sitecustomize that Debian, conda or the user may have, and that this file hides."""
    own_folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != own_folder]
    this = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if "sitecustomize" not in str(error):
            raise
    finally:
        if this is not None:
            sys.modules.setdefault("sitecustomize", this)


if sys.version_info >= (3, 7):
    _quietly(_failure.watch_exits)
    sys.meta_path.insert(0, _Finder())
_run_hidden_sitecustomize()
