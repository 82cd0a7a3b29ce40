# Builds $RISEML_DIR/build/Dockerfile with the files of $RISEML_DIR/context, and pushes the image. After a failure,
# $RISEML_DIR/failed has one line: the install step that failed, or BuildKit's message.
set -eu
riseml_build() {
  buildctl --addr "$BUILDKIT_HOST" --tlscacert "$BUILDKIT_CERTIFICATES/ca.pem" \
    --tlscert "$BUILDKIT_CERTIFICATES/cert.pem" --tlskey "$BUILDKIT_CERTIFICATES/key.pem" \
    build --progress plain --frontend dockerfile.v0 ${RISEML_BUILD_OPTIONS-} \
    --local context="$RISEML_DIR/context" --local dockerfile="$RISEML_DIR/build" \
    --output "type=image,name=$IMAGE_NAME,push=true${IMAGE_ATTRIBUTES-}" --metadata-file "$RISEML_DIR/metadata.json"
}
riseml_step='s/^process "sh -c .* -ec \\"\$0\\" \(.*\)" did not complete successfully: exit code: \([0-9]*\)$'
{ riseml_build && riseml_status=0 || riseml_status=$?; echo "$riseml_status" > "$RISEML_DIR/status"; } 2>&1 |
  tee "$RISEML_DIR/log"
read -r riseml_status < "$RISEML_DIR/status"
if [ "$riseml_status" != 0 ]; then
  sed -n 's/^error: failed to solve: //p' "$RISEML_DIR/log" | tail -n 1 |
    sed -e "$riseml_step/install step failed with exit code \2: \1/" -e 's/\\"/"/g' | head -c 500 > "$RISEML_DIR/failed"
  exit "$riseml_status"
fi
digest=$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$RISEML_DIR/metadata.json" | head -n 1)
image=${IMAGE_NAME%:*}
printf '%s@%s' "${IMAGE_PULL_NAME:-$image}" "$digest" > "$RISEML_DIR/image"
