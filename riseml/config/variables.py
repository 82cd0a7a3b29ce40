"""Environment variables: names that parameters cannot have, and names that are unreliable."""

from riseml.plan import is_exported

OURS = frozenset(
    {
        "OUTPUT_DIR",
        "DATA_DIR",
        "RESUME_DIR",
        "RESULT_FILE",
        "EXPERIMENT_ID",
        "CUDA_VISIBLE_DEVICES",
    }
)
"""Variables that RiseML sets in every job, beside those with OUR_PREFIXES."""

OUR_PREFIXES = ("RISEML_", "ARGO_")

# A job with other values of these does not start, or not as the image's author meant.
_SYSTEM = frozenset({
    "PATH", "HOME", "SHELL", "PWD", "OLDPWD", "IFS", "CDPATH", "TMPDIR", "HOSTNAME", "PS4", "_"
})  # fmt: skip
_SYSTEM_PREFIXES = (
    "LD_", "DYLD_", "PYTHON", "BASH", "SHELLOPTS", "KUBERNETES_", "NVIDIA_"
)  # fmt: skip
# TensorFlow reads TF_CONFIG whether or not the file names a framework.
_RESERVED = OURS | _SYSTEM | {"TF_CONFIG"}
_RESERVED_PREFIXES = (*OUR_PREFIXES, *_SYSTEM_PREFIXES)
# Shells overwrite these with values of their own.
_SHELL_SETS = frozenset({
    "RANDOM", "SRANDOM", "LINENO", "SECONDS", "OPTIND", "OPTERR", "HISTCMD", "PPID", "UID",
    "EUID", "SHLVL", "EPOCHSECONDS", "EPOCHREALTIME",
})  # fmt: skip
_READ_BY_OTHERS = frozenset({
    "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "COLUMNS", "LINES", "DISPLAY"
})  # fmt: skip


def is_ours(variable: str) -> bool:
    """Return whether RiseML sets a variable in every job."""
    return variable in OURS or variable.startswith(OUR_PREFIXES)


def is_reserved(variable: str) -> bool:
    """Return whether a parameter in this variable would break the job."""
    return variable in _RESERVED or variable.startswith(_RESERVED_PREFIXES)


def warning_about(variable: str, parameter: str) -> str | None:
    """Return why a parameter is not, or not reliably, in this variable, or None."""
    if not is_exported(variable):
        return (
            f"the parameter '{parameter}' is not set as ${variable}, which libraries"
            " for distributed training read"
        )
    if variable in _SHELL_SETS:
        return f"the shell overwrites ${variable}, the variable of '{parameter}'"
    if variable in _READ_BY_OTHERS or variable.startswith("LC_"):
        return f"other programs also read ${variable}, the variable of '{parameter}'"
    return None
