"""Environment variables: names that parameters cannot have, and names that are unreliable."""

from collections.abc import Iterable

from riseml.plan import variable_of

OURS = frozenset(
    {"OUTPUT_DIR", "DATA_DIR", "RESULT_FILE", "EXPERIMENT_ID", "CUDA_VISIBLE_DEVICES"}
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
# PyTorch, Lightning, accelerate, transformers and mpi4py take a process in which one of
# these is set for one of several. With RANK=8, Lightning logs nothing.
_PROCESS_POSITION = frozenset({
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK",
    "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR",
    "MASTER_PORT", "MPI_LOCALRANKID", "MPI_LOCALNRANKS",
})  # fmt: skip
_PROCESS_POSITION_PREFIXES = (
    "TORCHELASTIC_", "SLURM_", "JSM_NAMESPACE_", "OMPI_", "PMI_", "PMIX_", "MV2_COMM_WORLD_",
    "KERAS_DISTRIBUTION_",
)  # fmt: skip


def is_ours(variable: str) -> bool:
    """Return whether RiseML sets a variable in every job."""
    return variable in OURS or variable.startswith(OUR_PREFIXES)


def is_reserved(variable: str) -> bool:
    """Return whether a parameter in this variable would break the job."""
    return variable in _RESERVED or variable.startswith(_RESERVED_PREFIXES)


def is_exported(variable: str) -> bool:
    """Return whether a parameter is set as this variable in its jobs.

    It is not if libraries would take it for the position of a process among others.
    """
    is_position = variable in _PROCESS_POSITION
    return not is_position and not variable.startswith(_PROCESS_POSITION_PREFIXES)


def exported(parameters: Iterable[str]) -> dict[str, str]:
    """Return the parameters that are set as variables in jobs, by variable."""
    by_variable = {variable_of(name): name for name in parameters}
    return {
        variable: name
        for variable, name in by_variable.items()
        if is_exported(variable)
    }


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
