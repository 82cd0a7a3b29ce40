"""RiseML: run machine-learning experiments from one file, on a laptop or as Argo Workflows on a cluster."""

__version__ = "2.0.0.dev0"
