"""What is known of the errors of libraries, by the names of their classes: none is imported."""

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nextcall.resilience.category import Category

_OF_CLASSES: Final[Mapping[Category, str]] = {
    Category.NETWORK: """
        builtins.ConnectionError builtins.TimeoutError builtins.EOFError socket.gaierror
        ssl.SSLError httpx.TransportError redis.ConnectionError redis.TimeoutError
        psycopg.OperationalError psycopg.InterfaceError
    """,
    Category.AUTHENTICATION: """
        builtins.PermissionError jwt.PyJWTError
        redis.AuthenticationError redis.AuthenticationWrongNumberOfArgsError
        redis.AuthorizationError redis.ExternalAuthProviderError redis.NoPermissionError
    """,
    Category.VALIDATION: """
        builtins.ValueError builtins.FileNotFoundError builtins.FileExistsError
        builtins.IsADirectoryError builtins.NotADirectoryError
        httpx.InvalidURL httpx.LocalProtocolError httpx.UnsupportedProtocol
        redis.DataError redis.ResponseError
    """,
    Category.RESOURCE: """
        builtins.MemoryError httpx.PoolTimeout redis.MaxConnectionsError redis.OutOfMemoryError
        sqlalchemy.TimeoutError
    """,
    Category.TRANSIENT: """
        builtins.BlockingIOError builtins.InterruptedError
        redis.BusyLoadingError redis.ClusterDownError redis.LockError redis.ReadOnlyError
        redis.TryAgainError redis.WatchError
    """,
    # The other side is not who it says; httpx.DecodingError and redirects without end.
    Category.FATAL: "ssl.SSLCertVerificationError httpx.RequestError",
}

CLASSES: Final[Mapping[str, Category]] = MappingProxyType(
    {name: category for category, names in _OF_CLASSES.items() for name in names.split()}
)
"""By ``PACKAGE.CLASS``; of an error's classes the nearest counts."""

STATUSES: Final[Mapping[int, Category]] = MappingProxyType(
    {
        401: Category.AUTHENTICATION,
        403: Category.AUTHENTICATION,
        407: Category.AUTHENTICATION,
        408: Category.TRANSIENT,
        425: Category.TRANSIENT,
        429: Category.API_LIMIT,
        501: Category.VALIDATION,
        505: Category.VALIDATION,
        507: Category.RESOURCE,
        511: Category.AUTHENTICATION,
    }
)
"""Of HTTP answers: RFC 9110, section 15; RFC 6585; RFC 8470."""

ERROR_NUMBERS: Final[Mapping[int, Category]] = MappingProxyType(
    {
        **dict.fromkeys(
            (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS),
            Category.RESOURCE,
        ),
        **dict.fromkeys(
            (
                errno.EADDRNOTAVAIL,
                errno.EHOSTDOWN,
                errno.EHOSTUNREACH,
                errno.ENETDOWN,
                errno.ENETRESET,
                errno.ENETUNREACH,
                errno.ENOTCONN,
            ),
            Category.NETWORK,
        ),
        errno.EBUSY: Category.TRANSIENT,
    }
)
"""Of an `OSError` whose class does not tell."""

SQL_STATES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "25006": Category.TRANSIENT,  # read only: the servers change places
        "42501": Category.AUTHENTICATION,
        "55P03": Category.TRANSIENT,  # somebody holds the lock
        "57014": Category.TRANSIENT,  # it took too long
        "57P01": Category.NETWORK,  # it shuts down,
        "57P02": Category.NETWORK,  # crashed,
        "57P03": Category.NETWORK,  # or begins
        "57P05": Category.NETWORK,
    }
)
SQL_CLASSES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "08": Category.NETWORK,
        "0A": Category.VALIDATION,
        "21": Category.VALIDATION,
        "22": Category.VALIDATION,
        "23": Category.VALIDATION,
        "28": Category.AUTHENTICATION,
        "40": Category.TRANSIENT,  # a deadlock, or transactions that cannot stand beside each other
        "42": Category.VALIDATION,
        "53": Category.RESOURCE,
        "54": Category.VALIDATION,
    }
)
"""Of PostgreSQL: a whole state, or its first two characters (appendix A of its manual)."""

SQLITE_CODES: Final[Mapping[int, Category]] = MappingProxyType(
    {
        1: Category.VALIDATION,  # SQLITE_ERROR: what was written is no SQL, or names no table
        3: Category.AUTHENTICATION,  # PERM
        5: Category.TRANSIENT,  # BUSY
        6: Category.TRANSIENT,  # LOCKED
        7: Category.RESOURCE,  # NOMEM
        8: Category.AUTHENTICATION,  # READONLY
        13: Category.RESOURCE,  # FULL
        18: Category.VALIDATION,  # TOOBIG
        19: Category.VALIDATION,  # CONSTRAINT
        20: Category.VALIDATION,  # MISMATCH
        23: Category.AUTHENTICATION,  # AUTH
        25: Category.VALIDATION,  # RANGE
    }
)
"""Of SQLite: the last byte of a result code."""
