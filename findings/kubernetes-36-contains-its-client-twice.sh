#!/usr/bin/env bash
# kubernetes 36.0.3 (the Python client): twice the modules and nine more packages than 35.0.0, for programs that use none of them.
#
# From release 36 on, the package contains its client a second time, for asyncio (kubernetes.aio), and requires aiohttp, which has no
# part in `kubernetes.client`. Extras do not exist: who installs the client gets all of it.
#
# Seen: 35.0.0 has no module below kubernetes/aio, 36.0.3 has more than 700 there; the environment of 36.0.3 has aiohttp,
# and takes at least 1.5 times the space.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
measure() {
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-compile "kubernetes==$1"
  site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  rm -rf "$site"/pip* "$site"/setuptools* "$site"/_distutils_hack "$site"/pkg_resources
  twice=$({ find "$site/kubernetes/aio" -name '*.py' 2> /dev/null || :; } | wc -l)
  packages=$(find "$site" -maxdepth 1 -name '*.dist-info' | wc -l)
  aiohttp=$(find "$site" -maxdepth 1 -name 'aiohttp' | wc -l)
  size=$(du -sm "$site" | cut -f1)
  echo "$1: $twice modules below aio, $packages packages, aiohttp $aiohttp, $size MB"
}
measure 35.0.0
old=$size
[ "$twice" = 0 ] && [ "$aiohttp" = 0 ]
measure 36.0.3
[ "$twice" -gt 700 ] || { echo "changed: no second client"; exit 1; }
[ "$aiohttp" = 1 ] || { echo "changed: aiohttp is not required"; exit 1; }
[ "$((10 * size))" -ge "$((15 * old))" ] || { echo "changed: it is not larger"; exit 1; }
echo "as described"
