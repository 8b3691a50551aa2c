# mclust's sweep of Old Faithful, timed inside R:  Rscript mclust_sweep.R faithful.csv
# The first call warms up, the second is timed.
suppressMessages(library(mclust))
rows <- as.matrix(read.csv(commandArgs(trailingOnly = TRUE)[1]))
bic <- mclustBIC(rows, G = 1:9, verbose = FALSE)
seconds <- system.time(bic <- mclustBIC(rows, G = 1:9, verbose = FALSE))[["elapsed"]]
best <- summary(bic, rows)
cat(sprintf("%.4f %s %d %.6f %.6f %s\n", seconds, best$modelName, best$G, best$loglik, best$bic, packageVersion("mclust")))
