"""All that can be found without a build."""
