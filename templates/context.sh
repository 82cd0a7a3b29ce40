
# Copies the files that install steps may see, the arguments, from $CODE_DIR to $RISEML_DIR/context (`.`: all files).
mkdir -p "$RISEML_DIR/context"
for file; do
  mkdir -p "$RISEML_DIR/context/${file%"${file##*/}"}"
  cp -RPp "$CODE_DIR/$file" "$RISEML_DIR/context/$file"
done
rm -rf "$CODE_DIR"
