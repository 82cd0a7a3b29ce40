"""Values about servers outside of the cluster: proxies, authorities, and whether images are built."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import getitem
from typing import Any

from riseml.cluster import SYSTEM
from riseml.cluster.api_paths import Object
from riseml.excerpts import excerpt

AUTHORITIES = "riseml-authorities"
"""ConfigMap with the certificate authorities, in SYSTEM and in users' namespaces."""

AUTHORITIES_FILE = "ca.crt"
NO_BUILD = "none"
_PROXY = r"(?:(?:https?|socks5h?)://[^\s/]+/?)?"
_PROXY_FORM = "a URL such as http://proxy.example.com:3128"
# The form of each value, and how messages describe it.
_FORMS = (
    (("build",), f"buildkit|{NO_BUILD}", f"buildkit or {NO_BUILD}"),
    (("proxy", "http"), _PROXY, _PROXY_FORM),
    (("proxy", "https"), _PROXY, _PROXY_FORM),
    (("proxy", "except"), r"\S*", "hosts with commas between them, without blanks"),
    (
        ("certificateAuthorities",),
        r"(?s:.*-----BEGIN CERTIFICATE-----.*)?",
        "PEM text, which contains -----BEGIN CERTIFICATE-----",
    ),
)
# Services of the cluster, and the peers of a gang, which are `<host name>.riseml`.
_DIRECT = ("localhost", "127.0.0.1", ".svc", ".cluster.local", ".riseml", SYSTEM)


def faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with these values."""
    for keys, form, description in _FORMS:
        value = reduce(getitem, keys, settings)
        if not re.fullmatch(form, str(value)):
            yield f"'{'.'.join(keys)}' must be {description}, not {excerpt(str(value))}"


def proxies(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that name the proxies; none without a proxy.

    They have both spellings, since programs read only one of them.
    """
    proxy = settings["proxy"]
    variables = {}
    for name in filter(proxy.get, ("http", "https")):
        variables[f"{name}_proxy"] = proxy[name]
    if not variables:
        return {}
    registry = settings["registry"]["address"].partition(":")[0]
    direct = [*_DIRECT, registry, *proxy["except"].split(",")]
    variables["no_proxy"] = ",".join(filter(None, dict.fromkeys(direct)))
    capitals = {name.upper(): value for name, value in variables.items()}
    return {**capitals, **variables}


def config_map(authorities: str) -> Object:
    """Return the ConfigMap with the authorities, without a namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": AUTHORITIES},
        "data": {AUTHORITIES_FILE: authorities},
    }
