# Recomputes the two rows of the result from analysis_cut.csv and replicates.csv, with R's package survival alone.
# Run it in the folder of the result: Rscript analysis.R. It prints one number a line: name, a tab, the value.
suppressMessages(library(survival))
say <- function(name, value) cat(name, "\t", ifelse(is.na(value), "nan", sprintf("%.15g", value)), "\n", sep = "")
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 60)

d <- read.csv("analysis_cut.csv", colClasses = "character", check.names = FALSE, encoding = "UTF-8")
d <- d[d$consistent != "", ]
d$consistent <- as.integer(d$consistent); d$time <- as.numeric(d$rfs_time); d$event <- as.integer(d$rfs_event)

# Checks of the disease until recurrence-free survival ends, by tag and strategy received; a patient's first interval begins at surgery.
if ("checks" %in% names(d)) for (tag in c("all", unique(d$tag))) for (strategy in c("all", unique(d$strategy))) {
  g <- d[(tag == "all" | d$tag == tag) & (strategy == "all" | d$strategy == strategy), ]
  if (nrow(g) == 0) next
  days <- lapply(strsplit(g$checks, " "), as.numeric); years <- sum(g$time) / 365.25
  rate <- poisson.test(length(unlist(days)), years); name <- paste("surveillance", tag, strategy, "", sep = ".")
  say(paste0(name, "checks"), length(unlist(days))); say(paste0(name, "a_year"), rate$estimate[[1]])
  say(paste0(name, "a_year.lower"), rate$conf.int[1]); say(paste0(name, "a_year.upper"), rate$conf.int[2])
  say(paste0(name, "interval"), median(unlist(lapply(days, function(each) diff(c(0, each))))))
}

# Confounders as registered: numbers by the median with a mark where missing, some as log10; text as levels, "unknown" among them.
columns <- list()
for (name in confounders) {
  text <- d[[name]]; value <- suppressWarnings(as.numeric(text)); gone <- text == ""
  if (any(is.na(value) & !gone)) {
    text[gone] <- "unknown"
    for (level in sort(unique(text), method = "radix")[-1]) columns[[paste0(name, "=", level)]] <- as.numeric(text == level)
  } else if (!all(gone)) {
    if (name %in% log10_of) value <- log10(pmax(value, 1e-3))
    value[gone] <- median(value[!gone]); columns[[name]] <- value
    if (any(gone)) columns[[paste0(name, "_missing")]] <- as.numeric(gone)
  }
}
x <- do.call(cbind, columns)

# Where a curve is read, who was free in the window of the last planned check counts until it closes: nothing more is looked for before.
d$read <- ifelse(d$event == 0 & d$time >= opens & d$time < closes, closes, d$time)

# Landmark: who had the event or was censored by then is left out; time restarts there.
kept <- d$time > landmark; d <- d[kept, ]; x <- x[kept, , drop = FALSE]; d$time <- d$time - landmark; d$read <- d$read - landmark

area <- function(curve, until) {
  inside <- curve$n.event > 0 & curve$time < until
  sum(diff(c(0, curve$time[inside], until)) * c(1, curve$surv[inside]))
}
groups <- c(consistent = 1, inconsistent = 0)

fit <- coxph(Surv(time, event) ~ consistent, d, control = tight)
say("naive.hazard_ratio", exp(coef(fit))); say("naive.hazard_ratio.lower", exp(confint.default(fit))[1])
say("naive.hazard_ratio.upper", exp(confint.default(fit))[2]); say("naive.p", summary(fit)$coefficients[1, "Pr(>|z|)"])
say("naive.logrank_p", pchisq(survdiff(Surv(time, event) ~ consistent, d)$chisq, 1, lower.tail = FALSE))
means <- errors <- c()
for (name in names(groups)) {
  curve <- survfit(Surv(read, event) ~ 1, d[d$consistent == groups[name], ], conf.type = "log-log")
  read <- summary(curve, times = horizon, extend = TRUE)
  say(paste0("naive.survival.", name), read$surv)
  say(paste0("naive.survival.", name, ".lower"), read$lower); say(paste0("naive.survival.", name, ".upper"), read$upper)
  table <- summary(curve, rmean = horizon)$table
  means <- c(means, table[[grep("^\\*?rmean", names(table))]]); errors <- c(errors, table[[grep("se\\(rmean", names(table))]])
}
spread <- qnorm(0.975) * sqrt(sum(errors^2))
say("naive.rmst_difference", means[1] - means[2])
say("naive.rmst_difference.lower", means[1] - means[2] - spread); say("naive.rmst_difference.upper", means[1] - means[2] + spread)

# Nobody is comparable in a center or recommendation that holds one group only; looked for again until none is found.
inside <- rep(TRUE, nrow(d))
repeat {
  before <- sum(inside)
  for (label in c("center", "recommended")) {
    share <- tapply(d$consistent[inside], d[[label]][inside], mean)
    mixed <- names(share)[share > 0 & share < 1]
    inside <- inside & d[[label]] %in% mixed
  }
  if (sum(inside) == before) break
}
e <- d[inside, ]; part <- x[inside, , drop = FALSE]
dummies <- function(label) if (length(unique(label)) > 1) model.matrix(~ factor(label))[, -1, drop = FALSE] else NULL
design <- cbind(part, dummies(e$center), dummies(e$recommended))
score <- fitted(glm.fit(cbind(1, scale(design[, apply(design, 2, sd) > 1e-12, drop = FALSE])), e$consistent, family = binomial(),
                        control = glm.control(epsilon = 1e-15, maxit = 100)))
e$weight <- ifelse(e$consistent == 1, 1 - score, score)
say("adjusted.largest_difference_of_weights", max(abs(e$weight - as.numeric(e[["weight_given"]] <- d[inside, "weight"]))))

fit <- coxph(Surv(time, event) ~ consistent + strata(recommended), e, weights = weight, control = tight, robust = TRUE)
drawn <- read.csv("replicates.csv", colClasses = "numeric")
limits <- function(value, column) value + c(-1, 1) * qnorm(0.975) * sd(drawn[[column]][is.finite(drawn[[column]])])
beta <- coef(fit)[[1]]; reach <- limits(beta, "log_hazard_ratio")
say("adjusted.hazard_ratio", exp(beta)); say("adjusted.hazard_ratio.lower", exp(reach[1])); say("adjusted.hazard_ratio.upper", exp(reach[2]))
say("adjusted.p", 2 * pnorm(-abs(beta) / sd(drawn$log_hazard_ratio)))
means <- c()
for (name in names(groups)) {
  curve <- survfit(Surv(read, event) ~ 1, e[e$consistent == groups[name], ], weights = weight)
  value <- log(-log(summary(curve, times = horizon, extend = TRUE)$surv)); reach <- limits(value, paste0("loglog_survival_", name))
  say(paste0("adjusted.survival.", name), exp(-exp(value)))
  say(paste0("adjusted.survival.", name, ".lower"), exp(-exp(reach[2]))); say(paste0("adjusted.survival.", name, ".upper"), exp(-exp(reach[1])))
  means <- c(means, area(curve, horizon))
}
reach <- limits(means[1] - means[2], "rmst_difference")
say("adjusted.rmst_difference", means[1] - means[2])
say("adjusted.rmst_difference.lower", reach[1]); say("adjusted.rmst_difference.upper", reach[2])
