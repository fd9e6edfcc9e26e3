"""The application. ``core.app.factory.create_app()`` makes it; ``iit serve`` serves it."""
