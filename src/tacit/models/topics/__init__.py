"""Topic models: latent Dirichlet allocation."""
