"""Example guidelines of the demo, in English and French. They say that they are examples."""
