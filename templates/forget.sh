while IFS= read -r file; do rm -f "$file"; rmdir -p "${file%/*}" 2> /dev/null || :; done < .riseml-copied; rm -f .riseml-copied
