"""The bring-up of a Dagger engine from package registries; `cli.py` lists its commands."""
