"""What a node of a network is made of: the distribution of its column given its parents."""
