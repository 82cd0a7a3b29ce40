"""Words that people type for a command: those of other tools, of the shell, and of RiseML in 2018."""

# Commands that delete. A slip of the finger must not lead to one.
_DELETING = frozenset({"delete", "rm", "prune", "disable", "uninstall"})

_TRAIN = "`riseml train` starts a run of this project."
_KILL = "`riseml kill ID` stops a run."
_STATUS = "`riseml status` lists runs, and `riseml status ID` shows one."
_WATCH = "`riseml status -w` shows runs as they change."
_MONITOR = "`riseml monitor` shows what running jobs use."
_SEARCH = (
    "`riseml train` starts an experiment for each combination of the lists under "
    "`parameters` in riseml.yml, or those that the method under `search` chooses."
)
_AGAIN = (
    "`riseml retry ID` repeats what has not finished, `riseml rerun ID` all of a run, and "
    "`riseml train --resume ID` continues it."
)
_RESULTS = "`riseml results ID` compares the experiments of a set."
_COMPARE = f"{_RESULTS} `riseml diff A B` compares two runs."
_LOGIN = "`riseml user login` logs in to a cluster."
_SERVER = (
    "RiseML has no server. `riseml status -w` shows runs, `riseml tensorboard ID` opens "
    "TensorBoard, and Argo's UI shows the runs of a cluster."
)
_SYNC = "`riseml train` takes a snapshot of the project's folder by itself."
_CLUSTER = "`riseml system --help` lists the commands for administrators."
_ACCOUNT = (
    "RiseML has no accounts. `riseml whoami` shows who you are, and "
    "`riseml user login` logs in to a cluster."
)
_VERBOSE = "`riseml config show` shows where runs go, and `riseml --version` shows the version."

ADVICE: dict[str, str] = {
    **dict.fromkeys(("run", "start", "launch", "execute"), _TRAIN),
    **dict.fromkeys(("stop", "cancel", "abort", "terminate", "end"), _KILL),
    **dict.fromkeys(("ps", "list", "runs", "jobs", "experiments"), _STATUS),
    **dict.fromkeys(("show", "describe", "get", "info", "history", "queue"), _STATUS),
    "watch": _WATCH,
    **dict.fromkeys(("top", "htop", "nvidia-smi"), _MONITOR),
    **dict.fromkeys(("search", "sweep", "tune", "grid", "optimize"), _SEARCH),
    **dict.fromkeys(("resume", "restart", "repeat", "continue"), _AGAIN),
    "compare": _COMPARE,
    **dict.fromkeys(("metrics", "best", "leaderboard"), _RESULTS),
    "login": _LOGIN,
    "logout": "`riseml config use local` runs on this machine from now on.",
    **dict.fromkeys(("server", "serve", "ui", "dashboard", "web"), _SERVER),
    **dict.fromkeys(("push", "sync", "upload", "create", "clone"), _SYNC),
    **dict.fromkeys(("download", "pull", "fetch"), "`riseml cp` copies files."),
    **dict.fromkeys(("install", "upgrade", "cluster"), _CLUSTER),
    **dict.fromkeys(("account", "register"), _ACCOUNT),
    **dict.fromkeys(("validate", "lint"), "`riseml check` checks riseml.yml."),
    **dict.fromkeys(("new", "setup"), "`riseml init` writes a first riseml.yml."),
    **dict.fromkeys(("tail", "output"), "`riseml logs ID` prints the logs of a run."),
    "explain": "`riseml why ID` explains why a run waits or failed.",
    "users": "`riseml user list` lists the users of a cluster.",
    "secrets": "`riseml secret list` lists your secrets.",
    "version": "`riseml --version` shows the version.",
    **dict.fromkeys(("-v", "--verbose"), _VERBOSE),
}


def advice(word: str) -> str:
    """Return what does what a word means, "" if RiseML does not know the word."""
    return ADVICE.get(word.lower(), "")


def deletes(command: str) -> bool:
    """Return whether a command of this name deletes something."""
    return command in _DELETING
