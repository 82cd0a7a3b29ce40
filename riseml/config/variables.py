"""Environment variables: which names are taken, and which are unreliable."""

OURS = frozenset(
    {"OUTPUT_DIR", "DATA_DIR", "RESULT_FILE", "EXPERIMENT_ID", "CUDA_VISIBLE_DEVICES"}
)
OUR_PREFIXES = ("RISEML_", "ARGO_")

_SYSTEM = frozenset(
    {
        "PATH",
        "HOME",
        "SHELL",
        "PWD",
        "OLDPWD",
        "IFS",
        "CDPATH",
        "TMPDIR",
        "HOSTNAME",
        "PS4",
        "_",
    }
)
_SYSTEM_PREFIXES = (
    "LD_",
    "DYLD_",
    "PYTHON",
    "BASH",
    "SHELLOPTS",
    "KUBERNETES_",
    "NVIDIA_",
)
_TENSORFLOW = "TF_CONFIG"
_SHELL_SETS = frozenset(
    {
        "RANDOM",
        "SRANDOM",
        "LINENO",
        "SECONDS",
        "OPTIND",
        "OPTERR",
        "HISTCMD",
        "PPID",
        "UID",
        "EUID",
        "SHLVL",
    }
    | {"EPOCHSECONDS", "EPOCHREALTIME"}
)
_READ_BY_OTHERS = frozenset(
    {"LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "COLUMNS", "LINES", "DISPLAY"}
)


def is_ours(variable: str) -> bool:
    """Whether RiseML sets it in every job."""
    return variable in OURS or variable.startswith(OUR_PREFIXES)


def is_reserved(variable: str) -> bool:
    """Whether a parameter in it would break the job: the system or RiseML needs it."""
    return (
        is_ours(variable)
        or variable in _SYSTEM
        or variable == _TENSORFLOW
        or variable.startswith(_SYSTEM_PREFIXES)
    )


def doubt(variable: str) -> str | None:
    """Say what is unreliable about a parameter in this variable, None where nothing is."""
    if variable in _SHELL_SETS:
        return f"the shell gives ${variable} a value of its own"
    if variable in _READ_BY_OTHERS or variable.startswith("LC_"):
        return f"other programs read ${variable} too"
    return None
