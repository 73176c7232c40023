"""The `gdal` program of the GDAL inside rasterio's wheel, which ships the library alone.

Since GDAL 3.11 the program is a thin caller of the C functions GDALAlgorithm*. usage: gdal_of_wheel.py raster …
"""
import ctypes as c
import glob
import importlib.util
import os
import sys

package = os.path.dirname(importlib.util.find_spec("rasterio").origin)
library = glob.glob(os.path.join(os.path.dirname(package), "rasterio.libs", "libgdal-*.so*"))[0]
gdal = c.CDLL(library, mode=c.RTLD_GLOBAL)


def function(name, result, *arguments):
    found = getattr(gdal, name)
    found.restype, found.argtypes = result, arguments
    return found


def strings(words):
    return (c.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)


set_option = function("CPLSetConfigOption", None, c.c_char_p, c.c_char_p)
set_option(b"GDAL_DATA", os.path.join(package, "gdal_data").encode())
for name in ("GDAL_CACHEMAX", "GDAL_NUM_THREADS"):
    if name in os.environ:
        set_option(name.encode(), os.environ[name].encode())
function("OSRSetPROJSearchPaths", None, c.c_void_p)(strings([os.path.join(package, "proj_data")]))
gdal.GDALAllRegister()
registry = function("GDALGetGlobalAlgorithmRegistry", c.c_void_p)()
instantiate = function("GDALAlgorithmRegistryInstantiateAlg", c.c_void_p, c.c_void_p, c.c_char_p)
parse = function("GDALAlgorithmParseCommandLineArguments", c.c_bool, c.c_void_p, c.c_void_p)
run = function("GDALAlgorithmRun", c.c_bool, c.c_void_p, c.c_void_p, c.c_void_p)
finalize = function("GDALAlgorithmFinalize", c.c_bool, c.c_void_p)

words = sys.argv[1:]
algorithm = instantiate(registry, b"gdal")
if not algorithm:
    algorithm, words = instantiate(registry, words[0].encode()), words[1:]
done = parse(algorithm, strings(words)) and run(algorithm, None, None)
done = finalize(algorithm) and done
sys.exit(0 if done else 1)
