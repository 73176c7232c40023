"""Puts a look-up table between the tiles of a VRT and its cells. usage: lut_vrt.py LUT.json IN.vrt OUT.vrt

GDAL interpolates between the entries of a LUT, so every code from 0 to 255 gets one.
"""
import json
import sys

lut, source, target = sys.argv[1:]
with open(lut) as file:
    table = {int(code): to for code, to in json.load(file).items()}
entries = ",".join(f"{code}:{table.get(code, 0)}" for code in range(256))
with open(source) as file:
    text = file.read()
text = text.replace("<SimpleSource>", "<ComplexSource>").replace("</SimpleSource>", "</ComplexSource>")
text = text.replace("</ComplexSource>", f"<LUT>{entries}</LUT></ComplexSource>")
with open(target, "w") as file:
    file.write(text)
