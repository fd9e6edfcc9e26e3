"""The ``iit`` tool: commands are registered by features and imported only when called."""
