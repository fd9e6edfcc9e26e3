"""The components of pages: templates with their style sheets, shared by the portal and the console."""
