"""One raster to a COG. usage: rio_cog.py IN OUT THREADS"""
import sys

import rasterio.shutil

source, target, threads = sys.argv[1:]
rasterio.shutil.copy(source, target, driver="COG", compress="DEFLATE", overview_resampling="MODE",
                     bigtiff="IF_SAFER", num_threads=threads)
