# Change matrix with terra. usage: Rscript terra.R FROM TO MATRIX.csv
suppressMessages(library(terra))
paths <- commandArgs(TRUE)
maps <- c(rast(paths[1]), rast(paths[2]))
names(maps) <- c("from", "to")
# A palette makes a raster categorical, with names in place of codes.
coltab(maps) <- NULL
levels(maps) <- NULL
write.csv(crosstab(maps, long = TRUE), paths[3], row.names = FALSE)
