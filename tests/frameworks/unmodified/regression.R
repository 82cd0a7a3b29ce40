# Logistic regression by gradient descent, with a plot of the loss.
args <- commandArgs(trailingOnly = TRUE)
epochs <- if (length(args) > 0) as.integer(args[1]) else 20

write("epoch,loss,accuracy", "history.csv")
set.seed(42)
x <- matrix(rnorm(400), ncol = 2)
y <- as.numeric(x[, 1] - x[, 2] + rnorm(200, sd = 0.5) > 0)
w <- c(0, 0)
history <- data.frame()
for (epoch in seq_len(epochs)) {
  p <- 1 / (1 + exp(-x %*% w))
  loss <- -mean(y * log(p) + (1 - y) * log(1 - p))
  acc <- mean((p > 0.5) == y)
  w <- w + 0.5 * as.vector(t(x) %*% (y - p)) / 200
  cat(sprintf("epoch %d loss %.6f accuracy %.4f\n", epoch, loss, acc))
  write(sprintf("%d,%.6f,%.4f", epoch, loss, acc), "history.csv", append = TRUE)
  history <- rbind(history, data.frame(epoch = epoch, loss = loss, accuracy = acc))
}
summary(history)
plot(history$epoch, history$loss, type = "l")
saveRDS(w, "weights.rds")
