"""The pages: server-rendered, refreshed by htmx, and of use without JavaScript too."""
