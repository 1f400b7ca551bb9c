# Recomputes the pooled numbers of a cut (numbers.json) from cut.csv with R's package survival alone.
# Run it in the folder of the cut: Rscript analysis.R. It prints one number a line: name, a tab, the value.
suppressMessages(library(survival))
say <- function(name, value) cat(name, "\t", ifelse(is.na(value), "nan", sprintf("%.15g", value)), "\n", sep = "")
d <- read.csv("cut.csv", encoding = "UTF-8")
say("patients", nrow(d)); say("rfs.events", sum(d$rfs_event)); say("os.events", sum(d$os_event))

# A recurrence is seen at checks: who was free in the window of the last planned one counts until it closes, as nothing more is looked for before.
until <- function(time, event) ifelse(event == 0 & time >= opens & time < closes, closes, time)
d$rfs_read <- until(d$rfs_time, d$rfs_event); d$recurrence_read <- until(d$recurrence_time, d$recurrence_cause); d$os_read <- d$os_time
for (name in c("rfs", "os")) {
  s <- Surv(d[[paste0(name, "_read")]], d[[paste0(name, "_event")]])
  curve <- survfit(s ~ 1, conf.type = "log-log")
  say(paste0(name, ".median"), summary(curve)$table[["median"]])
  for (day in days[days <= max(d[[paste0(name, "_read")]])]) {
    read <- summary(curve, times = day)
    say(paste0(name, ".survival.", day), read$surv); say(paste0(name, ".error.", day), read$std.err)
    say(paste0(name, ".lower.", day), if (read$surv < 1 && read$surv > 0) read$lower else NA)
    say(paste0(name, ".upper.", day), if (read$surv < 1 && read$surv > 0) read$upper else NA)
  }
}
say("follow_up.median", summary(survfit(Surv(d$rfs_time, 1 - d$rfs_event) ~ 1))$table[["median"]])
if (any(d$recurrence_cause > 0)) {
  states <- survfit(Surv(d$recurrence_read, factor(d$recurrence_cause, 0:2)) ~ 1)
  for (day in days[days <= max(d$recurrence_read)]) {
    read <- summary(states, times = day)
    for (cause in 1:2) {
      say(paste0("incidence.", cause, ".", day), read$pstate[, cause + 1]); say(paste0("incidence.", cause, ".error.", day), read$std.err[, cause + 1])
    }
  }
}
