"""The benchmark against buildx bake: `python -m bench` at the root of the repository."""
