# mclust's grouping of the rows of a CSV file without a heading, defaults:  Rscript groupings.R rows.csv
suppressMessages(library(mclust))
set.seed(0)
fit <- Mclust(as.matrix(read.csv(commandArgs(trailingOnly = TRUE)[1], header = FALSE)), verbose = FALSE)
cat(fit$classification)
