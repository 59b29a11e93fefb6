"""A client of the OCI distribution API: requests, logins, refusals with their remedies, documents.

Open `client.py` first: each of its methods is one thing that a registry can be asked.
"""

from ci.registry.address import RegistryAddress, parse_repository
from ci.registry.auth import Credentials
from ci.registry.client import RegistryClient
from ci.registry.errors import RegistryError, RegistryErrorKind
from ci.registry.http import trust_also
from ci.registry.packages import GITHUB, Packages, Version
from ci.registry.retry import RetryPolicy

__all__ = [
    "GITHUB",
    "Credentials",
    "Packages",
    "RegistryAddress",
    "RegistryClient",
    "RegistryError",
    "RegistryErrorKind",
    "RetryPolicy",
    "Version",
    "parse_repository",
    "trust_also",
]
