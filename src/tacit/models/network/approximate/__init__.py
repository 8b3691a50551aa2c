"""Answers of networks where exact ones are too dear, and what is known of their error."""
