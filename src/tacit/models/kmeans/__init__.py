"""K-means: the hard-EM limit of a mixture of equal round Gaussians, with gaps and weights."""
