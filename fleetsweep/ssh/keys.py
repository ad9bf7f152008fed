"""The private key that is offered to a host."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import paramiko

from fleetsweep.errors import HostError, Phase


@lru_cache(maxsize=64)
def load_private_key(name: str) -> paramiko.PKey:
    """The private key in a file, with the certificate beside it if there is one. Read once a run.

    Raises HostError before any connection is made with it.
    """
    path = Path(name).expanduser()
    try:
        key = paramiko.PKey.from_path(path)
        certificate = path.with_name(path.name + "-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
    except FileNotFoundError:
        raise _key_error(path, "is not there", "check the name of the key file") from None
    except OSError as error:
        raise _key_error(path, f"can't be read: {error.strerror}", f"make {path} readable to you") from error
    except (paramiko.PasswordRequiredException, TypeError):
        raise _key_error(path, "is encrypted", f"ssh-add {path}, and name no key file") from None
    except (paramiko.SSHException, ValueError, UnicodeError) as error:
        raise _key_error(path, f"is not a usable private key: {error}", "name the private key") from error
    return key


def _key_error(path: Path, what: str, remedy: str) -> HostError:
    return HostError(Phase.AUTH, "key-file", f"key file {path} {what}", remedy)
