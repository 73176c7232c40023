#!/bin/sh
# The whole job with GDAL: mosaic and reclass fused, one encoding a year, then matrix and change raster in one pass.
# usage: job_gdal.sh cli|wheel|pipeline THREADS FROM_FOLDER TO_FOLDER LUT.json LUT_PAIRS OUT_FOLDER
#   cli       gdalbuildvrt, a LUT in the VRT, gdal_translate -of COG (the installed GDAL)
#   wheel     the same with the GDAL inside rasterio's wheel
#   pipeline  gdal raster pipeline: mosaic, reclassify, write (the GDAL inside rasterio's wheel)
# Years run side by side where there are threads for it.
set -eu
way=$1 threads=$2 from=$3 to=$4 lut=$5 pairs=$6 out=$7
here=$(cd "$(dirname "$0")" && pwd)

year() {
    folder=$1 name=$2
    if [ "$way" = pipeline ]; then
        "$PEER_PYTHON" -B "$here/gdal_of_wheel.py" raster pipeline ! mosaic "$folder"/*.tif ! reclassify -m "$pairs" \
            ! write -f COG --overwrite --co COMPRESS=DEFLATE --co OVERVIEW_RESAMPLING=MODE --co BIGTIFF=IF_SAFER \
            --co NUM_THREADS=1 "$out/$name.tif"
        return
    fi
    gdalbuildvrt -q -overwrite "$out/$name.mosaic.vrt" "$folder"/*.tif
    python3 -B "$here/lut_vrt.py" "$lut" "$out/$name.mosaic.vrt" "$out/$name.vrt"
    if [ "$way" = cli ]; then
        gdal_translate -q -of COG -co COMPRESS=DEFLATE -co OVERVIEW_RESAMPLING=MODE -co BIGTIFF=IF_SAFER \
            -co NUM_THREADS=1 "$out/$name.vrt" "$out/$name.tif"
    else
        "$PEER_PYTHON" -B "$here/rio_cog.py" "$out/$name.vrt" "$out/$name.tif" 1
    fi
}

if [ "$threads" = 1 ]; then
    year "$from" from
    year "$to" to
else
    year "$from" from &
    first=$!
    year "$to" to
    wait "$first"
fi
"$PEER_PYTHON" "$here/pair.py" "$threads" "$out/from.tif" "$out/to.tif" "$out/matrix.csv" "$out/change.tif"
