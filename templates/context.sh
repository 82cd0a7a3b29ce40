# Copies files that install steps may see from $CODE_DIR to $RISEML_DIR/context/<step>. Arguments: `<step>/<file>` (`1/.`: all
# files), `-<step>/<file>`, which is not to be there after all, and `list`, which writes the names of all files.
mkdir -p "$RISEML_DIR/context"
for item; do
  step=${item%%/*} file=${item#*/}
  case $item in
    list) (cd "$RISEML_DIR/context" && find . ! -type d | cut -d / -f 3- > copied) ;;
    -*) rm -rf "$RISEML_DIR/context/${item#-}" ;;
    *)
      mkdir -p "$RISEML_DIR/context/$step/${file%"${file##*/}"}"
      cp -RPp "$CODE_DIR/$file" "$RISEML_DIR/context/$step/$file"
      ;;
  esac
done
rm -rf "$CODE_DIR"
