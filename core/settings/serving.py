"""The settings of the server: addresses, rates, sizes, repeated requests."""

from pydantic import Field
from pydantic_settings import BaseSettings


class ServingSettings(BaseSettings):
    """Where the server listens, whom it answers, and how much it accepts."""

    host: str = Field(default="127.0.0.1", description="Address that `iit serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that `iit serve` listens on.")
    drain_seconds: float | None = Field(
        default=None,
        ge=0,
        description="Seconds for which a stopping server still serves, while `/health/ready` answers 503;"
        " unset: 5 in production, else 0. Give load balancers time to notice.",
    )
    proxies: str = Field(
        default="",
        description="Addresses and networks of reverse proxies, separated by commas. Only their X-Forwarded-For,"
        " -Proto and -Host headers are used.",
    )
    hosts: str = Field(
        default="",
        description="Host names of this server, separated by commas; `*.example.org` is every name under it."
        " Requests to other names are rejected. Unset: any name.",
    )
    https_only: bool = Field(
        default=False,
        description="Redirect pages to HTTPS, and reject any other request in plain HTTP. Behind a reverse proxy,"
        " also set `IIT_PROXIES`.",
    )
    rate_person: int = Field(default=100, ge=0, description="Requests of one person within 60 seconds; 0: no limit.")
    rate_key: int = Field(default=600, ge=0, description="Requests of one API key within 60 seconds; 0: no limit.")
    rate_tenant: int = Field(default=6000, ge=0, description="Requests of one tenant within 60 seconds; 0: no limit.")
    rate_address: int = Field(
        default=1200,
        ge=0,
        description="Requests with a credential from one address within 60 seconds; 0: no limit. The people of a"
        " hospital often share one address.",
    )
    asset_url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?)?$",
        description="Address of a CDN that serves scripts, style sheets and pictures; unset: this server.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.-]+(:[0-9]+)?/?)?$",
        description="Address at which people reach this installation. Links in e-mails, of invitations and"
        " of alerts begin with it. Without it, alerts in channels have no link, and admins make links only with"
        " IIT_HOSTS, or on the machine itself.",
    )
    body_max_bytes: int = Field(
        default=1_048_576, ge=1024, description="Largest body of a request, in bytes; uploads have their own limit."
    )
    upload_max_bytes: int = Field(default=1_073_741_824, ge=1024, description="Largest upload of an import, in bytes.")
    idempotency_hours: int = Field(
        default=48,
        ge=24,
        le=24 * 30,
        description="Hours for which the answer to a request with an Idempotency-Key is stored. The same request, sent"
        " again within them, gets the same answer.",
    )
    idempotency_answer_max_bytes: int = Field(
        default=262_144,
        ge=1_024,
        description="Largest body of a stored answer. A repeated request with a larger one is answered with the address"
        " at which to read it.",
    )
