#!/bin/sh
# The whole job in one Python process over two VRTs. usage: job_fused.sh THREADS FROM_FOLDER TO_FOLDER LUT.json OUT_FOLDER
set -eu
threads=$1 from=$2 to=$3 lut=$4 out=$5
here=$(cd "$(dirname "$0")" && pwd)
gdalbuildvrt -q -overwrite "$out/from.vrt" "$from"/*.tif
gdalbuildvrt -q -overwrite "$out/to.vrt" "$to"/*.tif
exec "$PEER_PYTHON" "$here/job_fused.py" "$threads" "$out/from.vrt" "$out/to.vrt" "$lut" "$out"
