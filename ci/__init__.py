"""Builds every Dockerfile of a repository for every platform, smoke-checks each image, and releases them."""
