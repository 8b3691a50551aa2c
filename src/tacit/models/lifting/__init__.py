"""Regressions whose noise has heavy tails, fitted by lifting: an easy bound with one more variable a row."""
