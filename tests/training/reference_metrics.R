# Figures of tests/training/reference_metrics.json, by packages that share no code with ours.
# R 4.2 with Debian's r-cran-rms (6.5-0), r-cran-hmisc, r-cran-proc and r-cran-jsonlite:
#   Rscript tests/training/reference_metrics.R > tests/training/reference_metrics.json
suppressPackageStartupMessages({library(rms); library(pROC); library(jsonlite)})

set.seed(20061)
n <- 300
p <- round(plogis(rnorm(n, -0.2, 1.1)), 3)   # rounded: some patients are tied
p[1:4] <- c(0.0005, 0.999, 0.5, 0.5)
y <- rbinom(n, 1, plogis(0.3 + 0.7 * qlogis(p)))
fold <- rep(0:3, length.out = n)
floor <- c(0.35, 0.4, 0.55, 0.6)[fold + 1]   # what the simplest model would have said
copies <- rpois(n, 1)                        # a bootstrap's counts; some patients are not drawn at all
everybody <- rep(1, n)
knots <- quantile(qlogis(p), c(0.1, 0.5, 0.9), names = FALSE)   # of the patients as they are

tight <- glm.control(epsilon = 1e-14, maxit = 100)

average_precision <- function(p, y)          # Davis and Goadrich 2006, step-wise, from its definition
  mean(sapply(p[y == 1], function(at) mean(y[p >= at])))

# One model of all patients; `n_copies` patients instead of weights, so that no weight is used here at all.
measure <- function(p, y, floor) {
  line <- qlogis(p)
  val <- val.prob(p, y, pl = FALSE)
  curve <- lrm(y ~ rcs(line, knots), eps = 1e-12, tol = 1e-14, maxit = 50)
  distance <- abs(predict(curve, type = "fitted") - p)
  list(
    auroc = as.numeric(auc(roc(y, p, levels = 0:1, direction = "<", quiet = TRUE))),
    auroc_val_prob = unname(val["C (ROC)"]),
    average_precision = average_precision(p, y),
    brier = unname(val["Brier"]),
    brier_skill = 1 - unname(val["Brier"] / val.prob(floor, y, pl = FALSE)["Brier"]),
    scaled_brier = 1 - unname(val["Brier"]) / (mean(y) * (1 - mean(y))),
    log_loss = -mean(dbinom(y, 1, p, log = TRUE)),
    calibration_intercept = unname(coef(glm(y ~ offset(line), family = binomial, control = tight))),
    calibration_slope = unname(coef(lrm(y ~ line, eps = 1e-12, tol = 1e-14, maxit = 50))[2]),
    calibration_slope_val_prob = unname(val["Slope"]),
    ici = mean(distance),
    e50 = unname(quantile(distance, 0.5)),
    e90 = unname(quantile(distance, 0.9)),
    o_e = sum(y) / sum(p)
  )
}

# Four models, one a fold: pairs and slopes within folds, everything else as before.
measure_folds <- function(p, y, fold) {
  parts <- split(data.frame(p, y), fold)
  pairs <- sapply(parts, function(d) sum(d$y) * sum(1 - d$y))
  events <- sapply(parts, function(d) sum(d$y))
  aurocs <- sapply(parts, function(d) somers2(d$p, d$y)["C"])
  precisions <- sapply(parts, function(d) average_precision(d$p, d$y))
  line <- qlogis(p)
  part <- factor(fold)
  slope <- lrm(y ~ line + part, eps = 1e-12, tol = 1e-14, maxit = 50)
  list(
    auroc = weighted.mean(aurocs, pairs),
    average_precision = weighted.mean(precisions, events),
    calibration_slope = unname(coef(slope)["line"])
  )
}

drawn <- rep(seq_len(n), copies)
cat(toJSON(list(
  made_with = list(R = as.character(getRversion()), rms = as.character(packageVersion("rms")),
                   pROC = as.character(packageVersion("pROC")), Hmisc = as.character(packageVersion("Hmisc"))),
  patients = list(y = y, p = p, floor = floor, fold = fold, copies = copies),
  everybody = measure(p, y, floor),
  drawn = measure(p[drawn], y[drawn], floor[drawn]),
  folds = measure_folds(p, y, fold),
  delong = as.numeric(ci.auc(roc(y, p, levels = 0:1, direction = "<", quiet = TRUE), method = "delong")),
  folds_drawn = measure_folds(p[drawn], y[drawn], fold[drawn])
), auto_unbox = TRUE, digits = NA), "\n")
