
# Of the code in $CODE_DIR, leaves in $RISEML_DIR/context what install steps may see: the arguments (`.`: all of it).
mkdir -p "$RISEML_DIR/context"
for file; do
  mkdir -p "$RISEML_DIR/context/${file%"${file##*/}"}"
  cp -RPp "$CODE_DIR/$file" "$RISEML_DIR/context/$file"
done
rm -rf "$CODE_DIR"
