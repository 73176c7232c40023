#!/bin/sh
# Change matrix with GRASS: files are linked, not imported. usage: grass.sh FROM TO MATRIX.txt
set -eu
if [ -z "${GISRC:-}" ]; then
    exec grass --tmp-location "$1" --exec sh "$0" "$@"
fi
export GRASS_VERBOSE=0
r.external -o input="$1" output=from
r.external -o input="$2" output=to
g.region raster=from
exec r.stats -c -n input=from,to output="$3"
