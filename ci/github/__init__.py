"""One run on GitHub."""
