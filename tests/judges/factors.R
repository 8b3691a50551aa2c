# Produces factors.csv, the figures of R that tests of rotations, polychoric correlations and numbers of factors compare with.
#   Rscript tests/judges/factors.R ../shared/data/tables tests/judges
# The figures kept here are of psych 2.2.9 and GPArotation 2022.10-2 on R 4.2.2 (Debian's r-cran-psych 2.2.9-1).
suppressMessages({library(psych); library(GPArotation)})
arguments <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(arguments[1], name))
bfi <- as.matrix(read("bfi.csv")[, 1:25])
harman <- as.matrix(read("harman74_cor.csv")[, -1])
lsat <- as.matrix(read("lsat6.csv"))
rownames(harman) <- colnames(harman)
kept <- list()
keep <- function(data, what, x) {  # every array by rows, in one cell
  x <- as.matrix(unclass(x))
  kept[[length(kept) + 1]] <<- data.frame(data = data, what = what, rows = nrow(x), columns = ncol(x),
    values = paste(sprintf("%.9g", as.vector(t(x))), collapse = " "))
}

# 1. Rotations of factanal's loadings. GPArotation with a tight tolerance, the best of several starts by its criterion;
#    promax is stats::promax (kappa 4) on a varimax of a tight tolerance.
best <- function(A, method, oblique, normalize, starts, ...) {
  found <- NULL
  for (i in 1:starts) {
    start <- if (i == 1) diag(ncol(A)) else Random.Start(ncol(A))
    rotate <- if (oblique) GPFoblq else GPForth
    one <- rotate(A, Tmat = start, method = method, normalize = normalize, eps = 1e-7, maxit = 2000, ...)
    value <- tail(one$Table[, 2], 1)
    if (is.null(found) || value < found$value) found <- list(value = value, L = one$loadings, Phi = one$Phi)
  }
  found
}
sharp_promax <- function(A, normalize) {
  x <- unclass(varimax(A, normalize = normalize, eps = 1e-15)$loadings)
  U <- lm.fit(x, x * abs(x)^3)$coefficients
  U <- U %*% diag(sqrt(diag(solve(t(U) %*% U))))
  list(L = x %*% U, Phi = solve(t(U) %*% U), value = NA)
}
set.seed(1)
unrotated <- list(harman74 = factanal(covmat = harman, n.obs = 145, factors = 4, rotation = "none"),
  bfi = factanal(covmat = cor(bfi, use = "pairwise"), n.obs = 2800, factors = 5, rotation = "none"))
for (name in names(unrotated)) {
  A <- unclass(unrotated[[name]]$loadings)
  A <- matrix(as.numeric(sprintf("%.9g", A)), nrow(A))
  keep(name, "loadings", A)
  for (normalize in c(TRUE, FALSE)) {
    turned <- list(varimax = best(A, "varimax", FALSE, normalize, 2), quartimax = best(A, "quartimax", FALSE, normalize, 2),
      oblimin = best(A, "oblimin", TRUE, normalize, 2, methodArgs = list(gam = 0)),
      geomin = best(A, "geomin", TRUE, normalize, 10, methodArgs = list(delta = 0.01)), promax = sharp_promax(A, normalize))
    for (method in names(turned)) {
      label <- paste(method, if (normalize) "normalised" else "raw")
      keep(name, paste(label, "pattern"), turned[[method]]$L)
      if (!is.null(turned[[method]]$Phi)) keep(name, paste(label, "correlations"), turned[[method]]$Phi)
      if (!is.na(turned[[method]]$value)) keep(name, paste(label, "criterion"), turned[[method]]$value)
    }
  }
  message(name, ": stats::promax differs by ", max(abs(abs(unclass(promax(A)$loadings)) - abs(sharp_promax(A, TRUE)$L))))
}

# 2. Polychoric correlations: psych's own (whose optimize() stops at 1e-4), and the same likelihood to the end.
sharp <- function(x, found) {
  rho <- diag(ncol(x)); xs <- x - min(x, na.rm = TRUE) + 1; levels <- max(xs, na.rm = TRUE)
  tau <- matrix(found$tau, ncol(x))
  for (i in 2:ncol(x)) for (j in 1:(i - 1)) {
    tab <- table(factor(xs[, i], 1:levels), factor(xs[, j], 1:levels))
    rho[i, j] <- rho[j, i] <- optimize(psych:::polyF, c(-1, 1), rc = tau[i, ], cc = tau[j, ], tab / sum(tab), tol = 1e-9)$minimum
  }
  rho
}
for (name in c("bfi", "lsat6")) {
  x <- if (name == "bfi") bfi else lsat
  found <- if (name == "bfi") polychoric(x, smooth = FALSE, progress = FALSE) else tetrachoric(x, smooth = FALSE)
  keep(name, "polychoric psych", found$rho)
  keep(name, "polychoric", sharp(x, found))
  keep(name, "thresholds", matrix(found$tau, ncol(x)))
}

# 3. How many factors.
pdf(NULL); options(mc.cores = 1)
for (name in c("bfi", "harman74")) {
  R <- if (name == "bfi") cor(bfi, use = "pairwise") else harman
  n <- if (name == "bfi") 2800 else 145
  keep(name, "correlation", R)
  set.seed(2)
  parallel <- fa.parallel(R, n.obs = n, fa = "both", SMC = TRUE, n.iter = 400, quant = 0.95, plot = FALSE)
  keep(name, "eigenvalues", parallel$pc.values)
  keep(name, "reduced eigenvalues", parallel$fa.values)
  keep(name, "parallel components", parallel$pc.sim)  # means of 400 draws
  keep(name, "parallel factors", parallel$fa.sim)
  keep(name, "parallel numbers", c(parallel$ncomp, parallel$nfact))
  one <- fa.parallel(R, n.obs = n, fa = "fa", n.iter = 100, plot = FALSE)  # communalities of one minres factor
  keep(name, "one-factor eigenvalues", one$fa.values)
  keep(name, "one-factor parallel", one$fa.sim)  # means of 100 draws
  keep(name, "map", vss(R, n = 8, n.obs = n, plot = FALSE)$map)
  keep(name, "kmo", c(KMO(R)$MSA, KMO(R)$MSAi))
  test <- cortest.bartlett(R, n = n)
  keep(name, "bartlett", c(test$chisq, test$df, test$p.value))
}
write.csv(do.call(rbind, kept), file.path(arguments[2], "factors.csv"), row.names = FALSE, quote = FALSE)
