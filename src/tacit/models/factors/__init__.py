"""Linear latent variable models: what PCA, probabilistic PCA, factor analysis and mixtures of them are made of."""
