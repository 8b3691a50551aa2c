"""Speed, memory and quality beside other packages: ``python -m benchmarks``."""
