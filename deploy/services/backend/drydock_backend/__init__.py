"""Takes prediction jobs over HTTP and hands them to a worker."""
