# Produces mclust_bic.csv and mclust_msteps.json, the figures of R's mclust that tests compare with.
#   Rscript tests/judges/mclust.R ../shared/data/tables tests/judges
# The figures kept here are of mclust 6.0.0 on R 4.2.2 (Debian's r-cran-mclust 6.0.0-1, r-cran-jsonlite 1.8.4).
suppressMessages({library(mclust); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
faithful <- as.matrix(read.csv(file.path(arguments[1], "faithful.csv")))
diabetes <- as.matrix(read.csv(file.path(arguments[1], "diabetes_mclust.csv"))[, c("glucose", "insulin", "sspg")])
iris4 <- as.matrix(datasets::iris[, 1:4])
sets <- list(faithful = faithful, iris = iris4, diabetes = diabetes, eruptions = faithful[, "eruptions"])

# 1. mclustBIC: every structure, K = 1..9, mclust's own start (model-based hierarchical clustering), tolerances
#    and all else at their defaults; "prior" is priorControl(). NA: mclust gave up (a singular covariance).
table <- data.frame()
seconds <- list()
for (name in names(sets)) for (prior in c("none", "default")) {
  x <- sets[[name]]
  call <- if (prior == "none") function() mclustBIC(x, G = 1:9, verbose = FALSE)
          else function() suppressWarnings(mclustBIC(x, G = 1:9, prior = priorControl(), verbose = FALSE))
  bic <- call()
  times <- sapply(1:5, function(i) system.time(call())[["elapsed"]])
  seconds[[paste(name, prior)]] <- signif(median(times), 3)
  for (k in rownames(bic)) for (structure in colnames(bic)) {
    value <- unname(bic[k, structure])
    parameters <- nMclustParams(structure, NCOL(x), as.integer(k))
    table <- rbind(table, data.frame(data = name, prior = prior, structure = structure, n_components = as.integer(k),
      n_parameters = parameters, bic = sprintf("%.10g", value),
      log_likelihood = sprintf("%.10g", (value + parameters * log(NROW(x))) / 2)))
  }
}
write.csv(table, file.path(arguments[2], "mclust_bic.csv"), row.names = FALSE, quote = FALSE)

# 2. One M-step from given responsibilities, to a tight tolerance: r_nk proportional to exp(-|x_n - c_k|^2 / 2) with
#    c_k the rows 1, 51, 101 of iris; for one column, faithful's eruptions with c = 2 and 4.5.
soft <- function(x, centres) {
  x <- as.matrix(x); logs <- -0.5 * apply(centres, 1, function(c) rowSums(sweep(x, 2, c)^2))
  z <- exp(logs - apply(logs, 1, max)); z / rowSums(z)
}
control <- emControl(tol = c(1e-5, 1e-15), itmax = c(1000, 100000))
steps <- list()
add <- function(data, x, z, structure, prior) {
  fit <- mstep(modelName = structure, data = x, z = z, prior = if (prior == "none") NULL else priorControl(), control = control)
  v <- fit$parameters$variance
  k <- ncol(z)
  steps[[length(steps) + 1]] <<- list(data = data, prior = prior, structure = structure,
    means = if (is.matrix(x)) t(unname(fit$parameters$mean)) else matrix(fit$parameters$mean),
    covariances = if (is.matrix(x)) aperm(unname(v$sigma), c(3, 1, 2)) else array(rep_len(v$sigmasq, k), c(k, 1, 1)))
}
z <- soft(iris4, iris4[c(1, 51, 101), ])
for (structure in mclust.options("emModelNames")) add("iris", iris4, z, structure, "none")
# those whose code is the mode that Fraley & Raftery (2007) print
for (structure in c("VII", "VVI", "EEE", "VVV")) add("iris", iris4, z, structure, "default")
z <- soft(sets$eruptions, matrix(c(2, 4.5)))
for (prior in c("none", "default")) for (structure in c("E", "V")) add("eruptions", sets$eruptions, z, structure, prior)
source <- list(mclust = as.character(packageVersion("mclust")), R = R.version.string,
  sweep_seconds = seconds, sweep = "median of five mclustBIC calls over K = 1..9, in seconds, on a busy machine of two cores")
write_json(list(source = source, steps = steps), file.path(arguments[2], "mclust_msteps.json"), digits = 15, auto_unbox = TRUE)
