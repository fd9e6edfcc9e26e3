"""What a model does with its features: contributions over many people, their stability, and pictures of them."""
