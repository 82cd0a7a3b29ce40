# Builds $RISEML_DIR/build/Dockerfile with the files of $RISEML_DIR/context, and pushes the image.
set -eu
buildctl --addr "$BUILDKIT_HOST" --tlscacert "$BUILDKIT_CERTIFICATES/ca.pem" \
  --tlscert "$BUILDKIT_CERTIFICATES/cert.pem" --tlskey "$BUILDKIT_CERTIFICATES/key.pem" \
  build --progress plain --frontend dockerfile.v0 \
  --local context="$RISEML_DIR/context" --local dockerfile="$RISEML_DIR/build" \
  --output "type=image,name=$IMAGE_NAME,push=true${IMAGE_ATTRIBUTES-}" --metadata-file "$RISEML_DIR/metadata.json"
digest=$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$RISEML_DIR/metadata.json" | head -n 1)
image=${IMAGE_NAME%:*}
printf '%s@%s' "${IMAGE_PULL_NAME:-$image}" "$digest" > "$RISEML_DIR/image"
