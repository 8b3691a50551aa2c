"""What mixtures, emissions and nodes are made of: stacks of components of one kind."""
