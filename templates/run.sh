set -e
printf '%s\n' "$RISEML_CONFIGURATION" > "$OUTPUT_DIR/riseml-configuration.yml"
for line; do
  eval "$line"
done
