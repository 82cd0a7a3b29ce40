"""Fixtures of the cluster for the pages that need one."""

from tests.cluster.conftest import administrator, api, user, values

__all__ = ["administrator", "api", "user", "values"]
