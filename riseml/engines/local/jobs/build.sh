# Makes the virtual environment of an image key, and runs the install steps, its arguments, in it, each in a shell.
# RISEML_DIR/context  the files that install steps may see
# ENV_DIR             the environment to make
# PYTHON              the Python whose packages it includes
set -eu
image() { printf 'riseml-env:%s' "${ENV_DIR##*/}" > "$RISEML_DIR/image"; }

# Another run may have made it while this one waited.
if [ -f "$ENV_DIR/.complete" ]; then
    echo "environment ${ENV_DIR##*/} already exists"
    image
    exit 0
fi

echo "preparing environment ${ENV_DIR##*/}"
rm -rf "$ENV_DIR"
"$PYTHON" -m venv --system-site-packages "$ENV_DIR"
# --system-site-packages includes the packages of the Python below an active environment, but not the environment's own.
if [ -n "${VIRTUAL_ENV:-}" ]; then
    "$PYTHON" -c 'import site; print(*site.getsitepackages(), sep="\n")' \
        > "$("$ENV_DIR/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz-riseml-parent.pth"
fi

mkdir -p "$ENV_DIR/code" "$ENV_DIR/shims"
for tool in apt apt-get apk yum dnf; do
    printf '#!/bin/sh\necho "skipped: %s $*   (the local engine installs no system packages)"\n' "$tool" \
        > "$ENV_DIR/shims/$tool"
    chmod +x "$ENV_DIR/shims/$tool"
done

cp -RPp "$RISEML_DIR/context/." "$ENV_DIR/code/"
cd "$ENV_DIR/code"
export VIRTUAL_ENV="$ENV_DIR" PATH="$ENV_DIR/shims:$ENV_DIR/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
# As in the job itself, a failure anywhere in a pipeline counts.
if command -v bash > /dev/null; then shell="bash -o pipefail"; else shell=sh; fi
for step; do
    printf '==> %s\n' "$step"
    $shell -ec "$step" || {
        status=$?
        printf 'install step failed with exit code %s: %s' "$status" "$step" | tr '\n' ' ' > "$RISEML_DIR/failed"
        cat "$RISEML_DIR/failed"
        echo
        exit "$status"
    }
done
touch "$ENV_DIR/.complete"
image
echo "environment ${ENV_DIR##*/} is ready"
